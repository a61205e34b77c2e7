import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { UpstreamConnection, UpstreamUser } from '../../src/upstream/connection.ts';
import { UpstreamPool } from '../../src/upstream/pool.ts';
import { freePort } from '../support/free-port.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ScriptedPod } from '../support/scripted-peers.ts';
import { until } from '../support/until.ts';

/** Writes down what a connection tells its user. */
class Listening implements UpstreamUser {
  readonly heard: string[] = [];
  upstreamConnected = (): void => void this.heard.push('connected');
  upstreamData = (bytes: Buffer): boolean => this.heard.push(bytes.toString()) > 0;
  upstreamEnded = (): void => void this.heard.push('ended');
  upstreamDrained = (): void => void this.heard.push('drained');
  upstreamDeadlinePassed = (): void => void this.heard.push('deadline');
  upstreamSilent = (): void => void this.heard.push('silent');
  upstreamLost = (how: string): void => void this.heard.push(how);
  fault = (): void => void this.heard.push('fault');
}

async function pooled(
  t: TestContext,
  limits: { idlePerAddressMax?: number; idleMax?: number } = {},
): Promise<{ pod: ScriptedPod; pool: UpstreamPool; clock: ManualClock; dialled: () => Promise<UpstreamConnection> }> {
  const pod = await ScriptedPod.start(t);
  const clock = new ManualClock();
  const pool = new UpstreamPool({ clock, idleMs: 4000, ...limits });
  t.after(() => pool.destroy());
  const dialled = async (): Promise<UpstreamConnection> => {
    const user = new Listening();
    const connection = pool.dial(pod.address, user, 1000);
    await until('connected', () => user.heard.includes('connected'));
    return connection;
  };
  return { pod, pool, clock, dialled };
}

test('the connection given back last is taken first', async (t) => {
  const { pod, pool, dialled } = await pooled(t);
  const [one, two] = [await dialled(), await dialled()];
  pool.give(one);
  pool.give(two);
  assert.equal(pool.take(pod.address, new Listening(), 4000), two);
  assert.equal(pool.take(pod.address, new Listening(), 4000), one);
  assert.equal(pool.take(pod.address, new Listening(), 4000), undefined);
});

test('a connection idle for longer than the taker allows is not taken, one idle for too long is closed', async (t) => {
  const { pod, pool, clock, dialled } = await pooled(t);
  pool.give(await dialled());
  clock.advance(1000);
  assert.equal(pool.take(pod.address, new Listening(), 1000), undefined);
  assert.notEqual(pool.take(pod.address, new Listening(), 1001), undefined);
  pool.give(await dialled());
  clock.advance(4000);
  assert.deepEqual([pool.idleCount, pool.openCount], [0, 1]);
});

test('idle connections are bounded for each address and in all', async (t) => {
  const { pool, dialled } = await pooled(t, { idlePerAddressMax: 1 });
  pool.give(await dialled());
  pool.give(await dialled());
  assert.deepEqual([pool.idleCount, pool.openCount], [1, 1]);
  const other = await pooled(t, { idleMax: 0 });
  other.pool.give(await other.dialled());
  assert.deepEqual([other.pool.idleCount, other.pool.openCount], [0, 0]);
});

test('a write that fails at once, and a text that still waits, left nothing with the kernel; another loss may have', async (t) => {
  for (const [what, heard] of [
    ['buffer', 'unwritten'],
    ['text', 'unwritten'],
    ['taken', 'lost'],
  ] as const) {
    const { pod, pool, dialled } = await pooled(t);
    pool.give(await dialled());
    const peer = await pod.connection();
    const user = new Listening();
    const connection = pool.take(pod.address, user, 4000)!;
    if (what === 'taken') {
      connection.write(Buffer.from('GET / '));
      await peer.takes('GET / ');
    }
    // Its RST is with our kernel when this returns, and the event loop has not seen it.
    peer.reset();
    if (what === 'text') connection.write('GET / ');
    else connection.write(Buffer.from('GET / '));
    await until('it is lost', () => user.heard.length > 0);
    assert.deepEqual(user.heard, [heard], what);
  }
});

test('bytes or a close while idle end the connection', async (t) => {
  for (const speak of ['bytes', 'fin', 'reset'] as const) {
    const { pod, pool, dialled } = await pooled(t);
    pool.give(await dialled());
    const peer = await pod.connection();
    if (speak === 'bytes') peer.send('HTTP/1.1 408 Request Timeout\r\n\r\n');
    else if (speak === 'fin') peer.end();
    else peer.reset();
    await until('it is dropped', () => pool.openCount === 0);
    assert.equal(pool.idleCount, 0);
    assert.equal(pool.take(pod.address, new Listening(), 4000), undefined);
  }
});

test('a refused connection, and one that takes too long, are told apart', async (t) => {
  const { pool, clock } = await pooled(t);
  const refused = new Listening();
  pool.dial({ host: '127.0.0.1', port: await freePort() }, refused, 1000);
  await until('told', () => refused.heard.length > 0);
  assert.deepEqual(refused.heard, ['refused']);
  const late = new Listening();
  pool.dial({ host: '127.0.0.1', port: await freePort() }, late, 1000);
  clock.advance(1000);
  assert.deepEqual(late.heard, ['connect-timeout']);
  assert.equal(pool.openCount, 0);
});

test('what a user throws comes back as its fault and ends nothing else', async (t) => {
  const { pod, pool } = await pooled(t);
  const user = new Listening();
  user.upstreamData = () => {
    throw new Error('a fault of the user');
  };
  pool.dial(pod.address, user, 1000);
  (await pod.connection()).send('x');
  await until('told', () => user.heard.includes('fault'));
});

test('at a pod that was found silent idle connections close, and only who has waited for its word long enough is told', async (t) => {
  const { pod, pool, clock } = await pooled(t);
  const other = await ScriptedPod.start(t);
  const users = Array.from({ length: 4 }, () => new Listening());
  const [long, lately, nothing, elsewhere] = users as [Listening, Listening, Listening, Listening];
  const dial = async (user: Listening, address = pod.address): Promise<UpstreamConnection> => {
    const connection = pool.dial(address, user, 60_000);
    await until('connected', () => user.heard.includes('connected'));
    return connection;
  };
  pool.give(await dial(new Listening()));
  (await dial(long)).deadline.set(60_000);
  (await dial(elsewhere, other.address)).deadline.set(60_000);
  const cleared = await dial(nothing);
  cleared.deadline.set(60_000);
  cleared.deadline.clear();
  clock.advance(1000);
  (await dial(lately)).deadline.set(60_000);
  pool.foundSilent(pod.address, clock.monotonicMs() - 1000);
  assert.deepEqual(
    users.filter(({ heard }) => heard.includes('silent')),
    [long],
  );
  assert.deepEqual([pool.idleCount, pool.openCount], [0, 4]);
  clock.advance(1000);
  pool.foundSilent(pod.address, clock.monotonicMs() - 1000);
  assert.deepEqual(
    users.filter(({ heard }) => heard.includes('silent')),
    [long, lately],
  );
});

test('a connection that is not made yet has its own bound, whatever was found silent', async (t) => {
  const { pod, pool, clock } = await pooled(t);
  const user = new Listening();
  pool.dial(pod.address, user, 1000);
  clock.advance(500);
  pool.foundSilent(pod.address, clock.monotonicMs());
  await until('connected', () => user.heard.includes('connected'));
  assert.deepEqual(user.heard, ['connected']);
});

test('what a pod sends before the request has left is not its answer', async (t) => {
  const { pod, pool, dialled } = await pooled(t);
  pool.give(await dialled());
  const peer = await pod.connection();
  const user = new Listening();
  // Behind a timer comes reading, and only then the end of the turn, for which the head waits.
  await new Promise((resolve) => setTimeout(resolve));
  const taken = pool.take(pod.address, user, 4000);
  peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  taken?.writeWithHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n', []);
  await until('the connection is over', () => user.heard.length > 0);
  await peer.over();
  assert.deepEqual([user.heard, peer.received], [['unwritten'], '']);
});
