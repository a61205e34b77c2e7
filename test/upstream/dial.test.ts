/** Whether an application lives is told by its listener, also while it dies (rules 12). */

import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import type { Address } from '../../src/base/address.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Dial } from '../../src/upstream/dial.ts';
import { Processes } from '../support/processes.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

async function dialed(address: Address): Promise<Dial | undefined> {
  let dial: Dial | undefined;
  const accepts = await new Promise<boolean>((resolve) => {
    dial = new Dial(address, { timeoutMs: 5000, clock: systemClock, done: resolve });
  });
  return accepts ? dial : undefined;
}

async function listening(t: TestContext, taken: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, taken);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return server;
}

function addressOf(server: Server): Address {
  return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
}

test('nobody listens: no connection', async () => {
  assert.equal(await dialed({ host: '127.0.0.1', port: await freePort() }), undefined);
});

test('who ends a connection in answer to our end lives', async (t) => {
  const server = await listening(t, (socket) => socket.resume().on('end', () => socket.end()));
  const dial = await dialed(addressOf(server));
  assert.equal(await dial!.isOpen(), true);
  assert.equal(await dial!.proved(), true);
});

test('who is too busy to say anything is believed to live', async (t) => {
  const server = await listening(t, (socket) => t.after(() => socket.destroy()));
  const dial = await dialed(addressOf(server));
  t.after(() => dial!.close());
  assert.equal(await dial!.proved(), true);
});

test('who has taken a connection and ends it of his own accord does not live', async (t) => {
  const server = await listening(t, (socket) => socket.destroy());
  const dial = await dialed(addressOf(server));
  await until('its end is seen', async () => !(await dial!.isOpen()));
  assert.equal(await dial!.proved(), false);
});

test('an application killed before it took the connection does not live', async (t) => {
  const processes = new Processes();
  t.after(() => processes.close());
  const port = await freePort();
  const php = processes.start('php', ['php', '-S', `127.0.0.1:${port}`]);
  let dial: Dial | undefined;
  await php.ready('listens', async () => (dial = await dialed({ host: '127.0.0.1', port })) !== undefined);
  dial!.close();
  // Frozen, so that the connection stays where a busy application leaves it: untaken.
  php.signal('SIGSTOP');
  dial = await dialed({ host: '127.0.0.1', port });
  const proved = dial!.proved();
  php.signal('SIGKILL');
  assert.equal(await proved, false);
});

test('an end of ours is no evidence', async (t) => {
  const server = await listening(t, () => undefined);
  const dial = await dialed(addressOf(server));
  dial!.close();
  assert.equal(await dial!.proved(), true);
});
