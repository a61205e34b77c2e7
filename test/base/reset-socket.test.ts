/** A reset closes its socket whatever else is going on with it. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { resetSocket } from '../../src/base/reset-socket.ts';
import { until } from '../support/until.ts';

async function pair(t: TestContext): Promise<{ own: Socket; peer: Socket; errors: string[]; server: Server }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const errors: string[] = [];
  const port = (server.address() as { port: number }).port;
  const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  peer.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? error.message));
  const [own] = (await once(server, 'connection')) as [Socket];
  own.on('error', (error) => assert.fail(error));
  t.after(() => {
    own.destroy();
    peer.destroy();
    server.close();
  });
  return { own, peer, errors, server };
}

async function openConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

test('the peer of an open connection sees a reset', async (t) => {
  const { own, peer, errors } = await pair(t);
  peer.resume();
  resetSocket(own);
  await until('the peer was reset', () => errors.includes('ECONNRESET'));
});

test('so it does while much of what was written, and a FIN behind it, still wait', async (t) => {
  const { own, peer, errors } = await pair(t);
  own.end(Buffer.alloc(50_000_000));
  assert.ok(own.writableLength > 0);
  resetSocket(own);
  peer.resume();
  await until('the peer was reset', () => errors.includes('ECONNRESET'));
});

for (const [when, text] of [
  ['right behind a FIN', ''],
  ['right behind the last bytes and a FIN', 'bye'],
] as const) {
  test(`${when} the socket is closed all the same`, async (t) => {
    const { own, peer, server } = await pair(t);
    peer.resume();
    if (text !== '') own.write(text);
    own.end();
    await new Promise((resolve) => process.nextTick(resolve));
    resetSocket(own);
    await until('the socket is closed', async () => own.closed && (await openConnections(server)) === 0);
  });
}

test('a socket that has sent its FIN is still reset', async (t) => {
  const { own, peer, errors } = await pair(t);
  own.end();
  await once(own, 'finish');
  peer.write('this is never read');
  peer.resume();
  resetSocket(own);
  await until('the socket is closed', () => own.closed);
  await until('the peer was reset', () => {
    if (errors.length === 0) peer.write('.');
    return errors.length > 0;
  });
});
