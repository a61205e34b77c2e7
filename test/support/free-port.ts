/**
 * Free loopback ports for programs that can't choose their own. A stranger may take a port between the answer and its
 * use; that is rare enough for tests, and a start that fails says which port it wanted. Another test does not: each
 * process that draws has a part of the ports to itself.
 *
 * They lie below those that the kernel gives to connections that go out (32768 and up on Linux). A killed program's
 * port would else be taken now and then by a connection to another one, and the program could not come back to it.
 */

import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';

const lowest = 10_000;
const highest = 32_000;
const triesMax = 1_000;
const parts = 44;
const partSize = (highest - lowest) / parts;
/** In its order: whoever asked before may not have taken its port yet. */
let drawn = Math.floor(Math.random() * partSize);
let part: Promise<number> | undefined;

/** One free TCP port on 127.0.0.1. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** `count` free TCP ports on 127.0.0.1, all different: they are held together before they are let go. */
export async function freePorts(count: number): Promise<readonly number[]> {
  part ??= claimPart();
  const first = await part;
  const servers = await Promise.all(Array.from({ length: count }, () => listen(first)));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** The first port of a part that no other process has: it listens there for as long as it lives. */
async function claimPart(): Promise<number> {
  for (let tries = 0; tries < parts; tries++) {
    const first = lowest + ((process.pid + tries) % parts) * partSize;
    const claim = await tryPort(first);
    claim?.unref();
    if (claim !== undefined) return first;
  }
  throw new Error(`no part of the ports from ${lowest} to ${highest} is free`);
}

async function listen(first: number): Promise<Server> {
  for (let tries = 0; tries < triesMax; tries++) {
    const server = await tryPort(first + (drawn++ % partSize));
    if (server !== undefined) return server;
  }
  throw new Error(`no free port from ${first} to ${first + partSize} in ${triesMax} tries`);
}

function tryPort(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
