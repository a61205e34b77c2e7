/**
 * Addresses where a connection is neither made nor refused, as behind a node that lost its power: the kernel does not
 * answer for a listener whose queue is full and whose process is frozen.
 */

import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

import { freePort } from './free-port.ts';
import { nodeProgram, Processes } from './processes.ts';
import { until } from './until.ts';

/** The port of such a place on loopback. */
export async function blackHole(t: TestContext): Promise<number> {
  const processes = new Processes();
  t.after(() => processes.close());
  const port = await freePort();
  const listen = `net.createServer().listen({ port: ${port}, host: '127.0.0.1', backlog: 1 }, () => console.log('ready'))`;
  const listener = processes.start('black hole', [nodeProgram, '--eval', `const net = require('node:net'); ${listen}`]);
  await listener.ready('listens', () => listener.output.includes('ready'));
  listener.signal('SIGSTOP');
  await fillQueue(t, port, 1);
  return port;
}

/** Fills the queue of a frozen process's listener, whose length is `backlog`. */
export async function fillQueue(t: TestContext, port: number, backlog: number): Promise<void> {
  let made = 0;
  const sockets = Array.from({ length: backlog + 16 }, (): Socket =>
    connect(port, '127.0.0.1', () => made++).on('error', () => undefined),
  );
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  await until('the queue is full', () => made > backlog);
}
