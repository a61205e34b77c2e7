/**
 * The fault proxy does to a connection what its faults say, and nothing else.
 */

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { FaultProxy } from './fault-proxy.ts';
import { until } from './until.ts';

/** A server that sends everything back, and keeps what it got. */
async function through(t: TestContext) {
  const targets: { received: string; ended: boolean; socket: Socket }[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const target = { received: '', ended: false, socket };
    targets.push(target);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      target.received += bytes.toString('latin1');
      socket.write(bytes);
    });
    socket.once('end', () => {
      target.ended = true;
      socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await FaultProxy.listen({
    target: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
  });
  const clients: Client[] = [];
  t.after(async () => {
    for (const { socket } of clients) socket.destroy();
    for (const { socket } of targets) socket.destroy();
    await proxy.close();
    server.close();
  });
  const open = (): Client => {
    const client = new Client(proxy.port);
    clients.push(client);
    return client;
  };
  return { proxy, targets, open };
}

class Client {
  readonly socket: Socket;
  received = '';
  ended = false;
  connected = false;
  error: string | undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.once('connect', () => (this.connected = true));
    this.socket.on('data', (bytes) => (this.received += bytes.toString('latin1')));
    this.socket.once('end', () => (this.ended = true));
    this.socket.once('error', (error: NodeJS.ErrnoException) => (this.error = error.code));
  }

  /** Sends and waits for as much to come back. */
  async echo(text: string): Promise<void> {
    const length = this.received.length + text.length;
    this.socket.write(text);
    await until(`${text.length} bytes came back`, () => this.received.length === length);
  }

  async reset(): Promise<void> {
    assert.match(await until('the connection failed', () => this.error), /ECONNRESET|EPIPE|ECONNREFUSED/);
  }
}

test('pass brings every byte and both ends over, also of a long message', async (t) => {
  const { proxy, targets, open } = await through(t);
  const client = open();
  const text = 'abcdefgh'.repeat(300_000);
  await client.echo(text);
  assert.equal(client.received, text);
  client.socket.end();
  await until('the end came back', () => client.ended);
  assert.equal(targets[0]!.ended, true);
  assert.equal(proxy.counters.requestBytes, text.length);
  assert.equal(proxy.counters.answerBytes, text.length);
  await until('the connection is forgotten', () => proxy.openConnections === 0);
});

test('latency delays each way and keeps the order, also when it ends', async (t) => {
  const { proxy, open } = await through(t);
  const client = open();
  await client.echo('1');
  await proxy.set({ kind: 'latency', ms: 40 });
  const startMs = performance.now();
  await client.echo('2');
  assert.ok(performance.now() - startMs >= 79, 'both ways');
  client.socket.write('3');
  await proxy.set({ kind: 'pass' });
  client.socket.write('4');
  await until('all came back', () => client.received.length === 4);
  assert.equal(client.received, '1234');
});

test('limited bandwidth takes its time and loses nothing', async (t) => {
  const { proxy, open } = await through(t);
  await proxy.set({ kind: 'bandwidth', bytesPerSecond: 100_000 });
  const client = open();
  const startMs = performance.now();
  await client.echo('x'.repeat(20_000));
  assert.ok(performance.now() - startMs >= 190, 'a fifth of a second for a fifth of the bytes of a second');
});

test('cut resets open and new connections, until it is over', async (t) => {
  const { proxy, open } = await through(t);
  const before = open();
  await before.echo('1');
  await proxy.set({ kind: 'cut' });
  await before.reset();
  const during = open();
  await during.reset();
  await proxy.set({ kind: 'pass' });
  await open().echo('2');
});

test('refuse looks like a killed process, and the same port listens again afterwards', async (t) => {
  const { proxy, open } = await through(t);
  const before = open();
  await before.echo('1');
  const { port } = proxy;
  await proxy.set({ kind: 'refuse' });
  await before.reset();
  const during = open();
  assert.equal(await until('the connection failed', () => during.error), 'ECONNREFUSED');
  await proxy.set({ kind: 'pass' });
  assert.equal(proxy.port, port);
  await open().echo('2');
});

test('a black hole swallows everything of open and new connections, and resets none', async (t) => {
  const { proxy, targets, open } = await through(t);
  const before = open();
  await before.echo('1');
  await proxy.set({ kind: 'black-hole' });
  const during = open();
  before.socket.write('2');
  during.socket.write('3');
  before.socket.end();
  await until('both were swallowed', () => proxy.counters.swallowedBytes === 2);
  await proxy.set({ kind: 'pass' });
  await open().echo('4');
  assert.deepEqual([before.ended, before.error, during.ended, during.error], [false, undefined, false, undefined]);
  assert.equal(targets[0]!.received, '1', 'nothing comes after a gap');
  assert.equal(targets[0]!.ended, false);
});

test('silent accepts nobody and resets nobody, until it is over', async (t) => {
  const { proxy, open } = await through(t);
  const before = open();
  await before.echo('1');
  await proxy.set({ kind: 'silent' });
  before.socket.write('2');
  await until('it was swallowed', () => proxy.counters.swallowedBytes === 1);
  const last = Array.from({ length: 4 }, open);
  before.socket.write('3');
  await until('that was swallowed too', () => proxy.counters.swallowedBytes === 2);
  await proxy.set({ kind: 'pass' });
  await open().echo('3');
  assert.deepEqual(
    last.map(({ connected, error }) => [connected, error]),
    last.map(() => [false, undefined]),
  );
  assert.deepEqual([before.received, before.ended, before.error], ['1', false, undefined]);
});

test('one way swallows what goes there and passes what comes back', async (t) => {
  const { proxy, targets, open } = await through(t);
  const client = open();
  await client.echo('1');
  await proxy.set({ kind: 'one-way', swallows: 'answers' });
  client.socket.write('2');
  await until('the target got it', () => targets[0]!.received === '12');
  await until('its answer was swallowed', () => proxy.counters.swallowedBytes === 1);
  assert.equal(client.received, '1');

  await proxy.set({ kind: 'pass' });
  const other = open();
  await other.echo('1');
  await proxy.set({ kind: 'one-way', swallows: 'requests' });
  other.socket.write('2');
  targets[1]!.socket.write('unasked');
  await until('the unasked words came', () => other.received === '1unasked');
  assert.equal(targets[1]!.received, '1');
});

test('what was held back arrives late and whole', async (t) => {
  const { proxy, targets, open } = await through(t);
  const client = open();
  await client.echo('1');
  await proxy.set({ kind: 'hold' });
  client.socket.write('2');
  client.socket.end();
  await until('the proxy has it', () => proxy.counters.requestBytes === 2);
  assert.equal(targets[0]!.received, '1');
  await proxy.set({ kind: 'pass' });
  await until('the end came back', () => client.ended);
  assert.equal(client.received, '12');
});

test('drop-after lets so many bytes pass and then resets both ends', async (t) => {
  const { proxy, targets, open } = await through(t);
  const client = open();
  await client.echo('12345');
  await proxy.set({ kind: 'drop-after', bytes: 3, of: 'answers' });
  client.socket.write('67890');
  await client.reset();
  assert.equal(targets[0]!.received, '1234567890');
  assert.ok('1234567890'.startsWith(client.received) && client.received.length <= 8);
});

test('the reset of one end is the reset of the other', async (t) => {
  const { targets, open } = await through(t);
  const client = open();
  await client.echo('1');
  targets[0]!.socket.resetAndDestroy();
  await client.reset();
});
