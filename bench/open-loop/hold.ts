/**
 * Holds connections open so that their memory can be looked at: PORT PATH CONNECTIONS COOKIES MODE. Each connection
 * asks once, as a browser's does before it waits; with `active`, what it asked for is a slow answer that is still under
 * way. Prints `{"ready":true}` when all are there, and holds until it is killed.
 */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { ClientConnection } from './client-connection.ts';

const [port, path, connections, cookies, mode] = process.argv.slice(2) as [string, string, string, string, string];
const lines = readFileSync(cookies, 'latin1').split('\n').filter(Boolean);
const atOnce = 100;

const hold = mode === 'active' ? holdActive : holdIdle;

for (let opened = 0; opened < Number(connections); opened += atOnce) {
  const count = Math.min(atOnce, Number(connections) - opened);
  await Promise.all(
    Array.from({ length: count }, (_, index) => hold(requestFor(lines[(opened + index) % lines.length]!))),
  );
}
console.log('{"ready":true}');

/** Resolves with the whole answer. */
async function holdIdle(request: Buffer): Promise<void> {
  const connection = await ClientConnection.open(Number(port));
  await new Promise<void>((resolve, reject) => {
    connection.ask(request, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** Resolves with the first bytes of an answer that has many more. */
function holdActive(request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1' });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the proxy closed a connection')));
    socket.once('data', () => resolve());
    socket.resume();
    socket.write(request);
  });
}

function requestFor(cookie: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\n\r\n`, 'latin1');
}
