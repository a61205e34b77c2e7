/** What keepers promise each other: moves, hand-offs, forwards, drains. P owns first; Q asks. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { until } from '../support/until.ts';
import { freshSession, type Pod, Pods, refusedPut, timeouts } from './keeper-pods.ts';

const moved = { move: 'draining' } as const;

async function dead(pods: Pods, session: SessionId): Promise<{ elsewhereFailed: { epoch: number; how: 'dead' } }> {
  return { elsewhereFailed: { epoch: (await pods.record(session))!.epoch, how: 'dead' } };
}

test('a session that another live pod owns is forwarded there', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  assert.equal(await q.turnedAway(session), 'elsewhere p');
  assert.equal(await pods.ownerOf(session), 'p');
});

test('with elsewhere: adopt it is asked for and adopted', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q', { elsewhere: 'adopt' })];
  const session = freshSession();
  await p.create(session);
  assert.equal(await q.count(session), 2);
  assert.equal(q.keeper.counters.forced, 0);
  assert.equal(p.keeper.counters.handoffsOut, 1);
});

test('a move by a gateway is made whatever elsewhere says', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const stay = await q.enter(session, moved);
  assert.equal(stay.outcome, 'restored');
  assert.equal(q.read(session), 1);
  assert.equal(await pods.ownerOf(session), 'q');
  assert.ok(!p.hasFile(session));
  assert.equal(p.notes.read(session), undefined);
});

test('a request with a hop mark is served or adopted, never forwarded again', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  assert.equal(await q.count(session, { hopped: true }), 2);
  assert.equal(await pods.ownerOf(session), 'q');
});

test('an owner whose data address is dead is asked, and forced when it does not answer', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.kill();
  assert.equal(await q.turnedAway(session), 'elsewhere p');
  assert.equal(await q.count(session, await dead(pods, session)), 2);
  assert.equal(q.keeper.counters.forced, 1);
});

test('before a request is forwarded it is known that the owner serves; it is looked at once a second at most', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const sessions = Array.from({ length: 20 }, freshSession);
  for (const session of sessions) await p.create(session);
  const ends = await Promise.all(sessions.map((session) => q.turnedAway(session)));
  assert.deepEqual(new Set(ends), new Set(['elsewhere p']));
  assert.ok(q.looked < sessions.length / 2, `looked ${q.looked} times`);
});

test('an owner that can not be forwarded to gives the session up', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.serves = false;
  assert.equal(await q.count(session), 2);
  assert.deepEqual([p.keeper.counters.handoffsOut, q.keeper.counters.forced], [1, 0]);
});

test('a frozen owner: the silence that meets the first question ends the wait of all the others', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q', { timeouts: { ...timeouts, handoffMs: 3_600_000 } })];
  const sessions = Array.from({ length: 5 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.kill();
  const first = q.freeze();
  const counted = sessions.map((session) => q.count(session, { move: 'gone' }));
  await until('each has asked for itself', () => q.unanswered === sessions.length);
  first.resolve('unreachable');
  assert.deepEqual(await Promise.all(counted), [2, 2, 2, 2, 2]);
});

test('a peer that did not answer is not asked again for its other sessions', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const sessions = Array.from({ length: 20 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.kill();
  await Promise.all(sessions.map((session) => q.count(session, { move: 'gone' })));
  assert.equal(q.keeper.counters.forced, 20);
  assert.equal(q.unanswered, 1);
});

test('what runs at the owner is waited for, stored and then handed over', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const busy = await p.enter(session);
  const moving = q.enter(session, moved);
  await until('Q has asked', () => q.asked.length === 1);
  p.increment(session);
  assert.deepEqual(await busy.settle(), { kind: 'leave' });
  await moving;
  assert.equal(q.read(session), 2);
  assert.equal(p.keeper.counters.handoffsCut, 0);
});

test('what arrives during a release waits, and follows the session', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const slow = p.line.next('release', 'held');
  const moving = q.enter(session, moved);
  await slow.met;
  const late = p.turnedAway(session);
  void slow.deliver();
  await moving;
  assert.equal(await late, 'elsewhere q');
});

test('a busy owner keeps the session in a planned move', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const stream = await p.enter(session);
  assert.equal(await q.turnedAway(session, moved), 'elsewhere p');
  p.increment(session);
  assert.deepEqual(await stream.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(session), 'p');
});

test('an event stream that never ends does not hold a session that has to move', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const stream = await p.enter(session);
  p.increment(session);
  assert.equal(await q.count(session, await dead(pods, session)), 3, 'what the stream had written was handed over');
  p.write(session, '99');
  assert.deepEqual(await stream.settle(), refusedPut);
  assert.ok(!p.hasFile(session));
  assert.equal(p.keeper.counters.writesAfterRelease, 1);
  assert.equal(await q.count(session), 4);
});

test('the exchange that caused an adoption is in flight before a release is heard', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const asked = p.keeper.admit({ session, ...moved, hopped: false });
  await asked;
  // Q's ask meets P's adopt under way: P's request is counted first, so it is waited for.
  await p.restart();
  const adopting = p.enter(session);
  const moving = q.enter(session, moved);
  const stay = await adopting;
  p.increment(session);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  await moving;
  assert.equal(q.read(session), 2);
});

test('a keeper that was restarted hands over what its notes say is its own, with what it served meanwhile', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.cut();
  assert.equal(await p.count(session), 2);
  await p.restart();
  assert.equal(await q.count(session, moved), 3);
  assert.equal(q.keeper.counters.forced, 0);
});

test('a replayed ask names a past epoch and is not mine', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  await q.count(session, moved);
  await p.count(session, moved);
  assert.equal(await p.keeper.releaseAsked(q.asked[0]!), 'not-mine');
  assert.equal(await pods.ownerOf(session), 'p');
});

test('requests that meet one adopt share it', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const stays = await Promise.all(Array.from({ length: 10 }, () => q.enter(session, moved)));
  assert.equal(q.keeper.counters.adopts, 1);
  q.increment(session);
  for (const stay of stays) assert.deepEqual(await stay.settle(), { kind: 'leave' });
});

test('a request that would be forwarded does not decide for one that moves the session', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const [first, second] = await Promise.all([q.turnedAway(session), q.turnedAway(session, { hopped: true })]);
  assert.equal(first, 'elsewhere p');
  assert.equal(second, 'here');
});

test('no more adopts run at once than limits.adopts, and the others wait their turn', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q', { limits: { adopts: 2, unsynced: 10 } })];
  const sessions = Array.from({ length: 12 }, freshSession);
  for (const session of sessions) await p.create(session);
  let active = 0;
  let most = 0;
  const { inner } = q.line;
  const take = inner.take.bind(inner);
  q.line.take = async (...given) => {
    most = Math.max(most, ++active);
    try {
      return await take(...given);
    } finally {
      active--;
    }
  };
  const numbers = await Promise.all(sessions.map((session) => q.count(session, moved)));
  assert.deepEqual(numbers, Array<number>(12).fill(2));
  assert.ok(most <= 2, `${most} at once`);
});

test('a session hops between three pods that die one after the other and loses nothing', async (t) => {
  const pods = new Pods(t);
  const session = freshSession();
  const first = await pods.add('p0');
  let pod: Pod = first;
  let expected = await pod.create(session);
  for (let round = 1; round <= 5; round++) {
    const next = await pods.add(`p${round}`);
    assert.equal(await pod.count(session), ++expected);
    pod.kill();
    assert.equal(await next.count(session, { move: 'gone' }), ++expected);
    pod = next;
  }
});

test('zero bytes that somebody left outside of requests are not handed over as the empty session', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p', { preset: 'php' }), await pods.add('q', { preset: 'php' })];
  const session = freshSession();
  await p.create(session);
  p.write(session, '');
  assert.equal(await q.count(session, { move: 'draining' }), 2);
});
