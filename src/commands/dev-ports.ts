/**
 * Free ports on loopback, several at once. Between this and the listen somebody else could take one; on a
 * developer's machine that is rare, and the start then fails with the address.
 *
 * Must not know what they are for.
 */

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** `count` different free ports of 127.0.0.1. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  try {
    await Promise.all(servers.map((server) => once(server, 'listening')));
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    for (const server of servers) server.close();
  }
}
