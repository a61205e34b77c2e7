/**
 * Free loopback ports for programs that can't choose their own. Another process may take a port between the answer
 * and its use; that is rare enough for tests, and a start that fails says which port it wanted.
 */

import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';

/** One free TCP port on 127.0.0.1. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** `count` free TCP ports on 127.0.0.1, all different: they are held together before they are let go. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listen));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listen(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
