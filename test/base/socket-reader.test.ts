import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { acceptOwnSockets, readSocket } from '../../src/base/socket-reader.ts';
import { until } from '../support/until.ts';

interface Read {
  readonly text: string;
  readonly isShared: boolean;
}

/** A server's reads, and a client of it. */
async function serverReads(t: TestContext, { own }: { readonly own: boolean }) {
  const reads: Read[] = [];
  const read = (bytes: Buffer, isShared: boolean): void =>
    void reads.push({ text: bytes.toString('latin1'), isShared });
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    accepted.push(socket);
    readSocket(socket, { read, keepsNextRead: () => false, keepsLastRead: () => false });
  });
  t.after(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  if (own) acceptOwnSockets(server);
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => client.destroy());
  return { reads, accepted, client };
}

test('what a server accepts is read into memory that all its connections share', async (t) => {
  const { reads, client } = await serverReads(t, { own: true });
  client.write('head');
  await until('it is read', () => reads.length > 0);
  assert.deepEqual(reads, [{ text: 'head', isShared: true }]);
});

test('a socket that the server made itself is read as well, in memory of its own', async (t) => {
  const { reads, client } = await serverReads(t, { own: false });
  client.write('head');
  await until('it is read', () => reads.length > 0);
  assert.deepEqual(reads, [{ text: 'head', isShared: false }]);
});

test('a socket of ours knows its client, ends both ways by itself, and is closed once', async (t) => {
  const { accepted, client } = await serverReads(t, { own: true });
  await until('it is accepted', () => accepted.length > 0);
  const socket = accepted[0]!;
  assert.equal(socket.remoteAddress, '127.0.0.1');
  assert.equal(socket.remotePort, client.localPort);
  let ends = 0;
  let closes = 0;
  socket.on('end', () => ends++).on('close', () => closes++);
  client.end();
  await until('the FIN is read', () => ends > 0);
  assert.equal(socket.writable, true, 'half-open: it may still be answered');
  const answer = once(client, 'data') as Promise<[Buffer]>;
  socket.end('answer');
  assert.equal((await answer)[0].toString(), 'answer');
  await until('it is closed', () => closes > 0);
  assert.deepEqual({ ends, closes }, { ends: 1, closes: 1 });
});
