/** What was written to a client before the FIN reaches it, however slowly it reads. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';

import { ClientConnection } from '../../src/proxy/client-connection.ts';
import type { ProxyContext } from '../../src/proxy/proxy-context.ts';
import { ManualClock } from '../support/manual-clock.ts';

test('waiting for the last bytes of a connection whose FIN is ordered already takes none of them back', async (t) => {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  t.after(() => client.destroy());
  const [socket] = (await once(server, 'connection')) as [Socket];
  const context = { clock: new ManualClock(), limits: { headBytes: 1000 }, timeouts: { headMs: 1000 } };
  const peer = { address: '127.0.0.1', secure: false, trusted: false, verified: undefined };
  const connection = new ClientConnection(socket, {
    context: context as unknown as ProxyContext,
    peer,
    closed: () => undefined,
  });
  t.after(() => connection.destroy());
  const bytes = 32_000_000;
  connection.write(Buffer.alloc(bytes));
  connection.end();
  assert.ok(connection.waitingBytes > 0, 'the kernel has no room for all of it');
  const flushed = new Promise<void>((resolve) => connection.whenFlushed(resolve));
  let read = 0;
  client.on('data', (piece: Buffer) => (read += piece.length)).on('error', () => undefined);
  const over = once(client, 'close');
  client.on('end', () => client.end()).resume();
  await flushed;
  await over;
  assert.equal(read, bytes);
});
