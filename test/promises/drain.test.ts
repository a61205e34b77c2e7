/** A graceful end (rules 36): nothing that was accepted is lost, nothing waits longer than it may. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';

import { createProxy } from '../../src/proxy/proxy.ts';
import { UpstreamPool } from '../../src/upstream/pool.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ProxyUnderTest, usualLimits, usualTimeouts } from '../support/proxy-under-test.ts';
import { type Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const okClosing = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

interface Draining {
  readonly pod: ScriptedPod;
  readonly clock: ManualClock;
  readonly under: ProxyUnderTest;
  readonly client: Peer;
  readonly over: () => boolean;
}

/** Drain has begun with one client connected. */
async function draining(t: TestContext, before: (client: Peer, pod: ScriptedPod) => Promise<void>): Promise<Draining> {
  const pod = await ScriptedPod.start(t);
  const clock = new ManualClock();
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }), clock });
  const client = await under.client();
  await before(client, pod);
  let over = false;
  void under.proxy.drain().then(() => (over = true));
  return { pod, clock, under, client, over: () => over };
}

/** Moves time on in small steps, with the event loop running between them. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 20) {
    clock.advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function refuses({ under }: Draining): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: under.address.host, port: under.address.port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });
}

test('for drainDelay connections are accepted and answers say close; then the listener is gone and idle ones end', async (t) => {
  const state = await draining(t, async (client, pod) => {
    client.send(get);
    (await pod.request()).peer.send(ok);
    await client.reads(ok);
  });
  const { client, pod, under, clock, over } = state;
  await pass(clock, 4_900);
  const late = await under.client();
  late.send(get);
  (await pod.request()).peer.send(ok);
  await late.reads(okClosing);
  assert.equal(await late.over(), 'fin');
  assert.equal(client.ended, undefined);
  await pass(clock, 200);
  assert.equal(await client.over(), 'fin');
  await until('the drain is over', async () => {
    await pass(clock, 20);
    return over();
  });
  assert.equal(await refuses(state), true);
  assert.equal(under.pool.openCount, 0);
});

test('an exchange in flight ends first', async (t) => {
  const state = await draining(t, async (client, pod) => {
    client.send(get);
    await pod.request();
  });
  const { client, pod, clock, over } = state;
  await pass(clock, 10_000);
  assert.equal(over(), false);
  pod.peers[0]!.send(ok);
  await client.reads(okClosing);
  await until('the drain is over', async () => {
    await pass(clock, 20);
    return over();
  });
});

test('tunnels and what takes too long are closed at the end of drain', async (t) => {
  const state = await draining(t, async (client, pod) => {
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    (await pod.request()).peer.send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
    await client.takes('\r\n\r\n');
  });
  const { client, pod, under, clock, over } = state;
  await pass(clock, 24_900);
  client.send('still');
  await pod.peers[0]!.reads('still');
  assert.equal(over(), false);
  await pass(clock, 200);
  await client.over();
  await until('the drain is over', over);
  assert.equal((await under.line()).reason, 'shutting-down');
  assert.equal(under.proxy.inFlight, 0);
});

test('destroy() ends everything at once, and every plan is finished', async (t) => {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ candidates: [pod.address], hold: 'end' });
  const under = await ProxyUnderTest.start(t, { role });
  const clients = await Promise.all([under.client(), under.client()]);
  for (const client of clients) client.send(get);
  await pod.request();
  (await pod.request()).peer.send(ok);
  await until('one answer waits', () => role.settling.length === 1);
  under.proxy.destroy();
  for (const client of clients) assert.equal(await client.over(), 'reset');
  assert.deepEqual(
    role.ends.map(({ reason }) => reason),
    ['shutting-down', 'shutting-down'],
  );
  role.settleAll();
  await until('no connection is left', () => under.proxy.connections === 0 && under.pool.openCount === 0);
  assert.deepEqual(under.faults, []);
});

test('an address that is taken is a clear error, and no other address is kept', async (t) => {
  const pod = await ScriptedPod.start(t);
  const clock = new ManualClock();
  const proxy = createProxy({
    role: new ScriptedRole({ candidates: [] }),
    listen: [{ host: '127.0.0.1', port: 0 }, pod.address],
    timeouts: usualTimeouts,
    limits: usualLimits,
    trustedProxies: [],
    clock,
    pool: new UpstreamPool({ clock, idleMs: 4000 }),
    observer: { ended: ignored, turnedAway: ignored, notTaken: ignored, fault: ignored },
  });
  await assert.rejects(proxy.listen(), {
    kind: 'listen-failed',
    message: new RegExp(`127\\.0\\.0\\.1:${pod.address.port}`),
  });
});

function ignored(): void {
  // This test asks for nothing of it.
}
