/** `replicate: async`: what leaves before it is stored, how much that can be, and what waits all the same. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { until } from '../support/until.ts';
import { freshSession, type Pod, type PodOptions, Pods } from './keeper-pods.ts';

const leaves = { kind: 'leave' };

/** A pod with a session that is stored. */
async function podWithSession(
  t: TestContext,
  options: PodOptions = {},
): Promise<{ pods: Pods; p: Pod; session: SessionId }> {
  const pods = new Pods(t);
  const p = await pods.add('p', { ...options, replicate: 'async' });
  const session = freshSession();
  await p.create(session);
  await until('it is stored', () => p.keeper.sizes.behind === 0 && p.keeper.counters.creates === 1);
  return { pods, p, session };
}

/** One whole request that counts; its answer leaves at once. */
async function counts(p: Pod, session: SessionId): Promise<void> {
  const stay = await p.enter(session);
  p.increment(session);
  assert.deepEqual(stay.settle(), leaves);
}

test('however many answers leave, one write is under way and one waits, and the newest content wins', async (t) => {
  const { pods, p, session } = await podWithSession(t);
  const held = p.line.next('put', 'held');
  for (let number = 2; number <= 20; number++) await counts(p, session);
  await held.met;
  assert.equal(p.line.count('put'), 1);
  assert.equal(p.keeper.sizes.behind, 1);
  assert.ok(p.keeper.exposedSeconds > 0);
  await held.deliver();
  await until('all is stored', () => p.keeper.sizes.behind === 0);
  assert.equal(p.line.count('put'), 2);
  assert.equal(p.keeper.exposedSeconds, 0);
  p.kill();
  const q = await pods.add('q');
  assert.equal(await q.count(session, { move: 'gone' }), 21);
});

test('a logout is a tombstone before its answer leaves', async (t) => {
  const { pods, p, session } = await podWithSession(t);
  const held = p.line.next('bury', 'held');
  const stay = await p.enter(session);
  p.unlink(session);
  let left = false;
  const verdict = Promise.resolve(stay.settle()).then((end) => {
    left = true;
    return end;
  });
  await held.met;
  assert.equal(left, false);
  await held.deliver();
  assert.deepEqual(await verdict, leaves);
  assert.equal(await pods.ownerOf(session), 'tombstone');
});

test('a login that ends the old id waits: the new one is stored first, then the old one is buried', async (t) => {
  const { pods, p, session } = await podWithSession(t);
  const fresh = freshSession();
  const stay = await p.enter(session);
  p.write(fresh, '1');
  p.unlink(session);
  stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(await stay.settle(), leaves);
  const made = p.line.calls.filter((call) => call === 'create' || call === 'bury');
  assert.deepEqual(made, ['create', 'create', 'bury']);
  assert.deepEqual([await pods.ownerOf(fresh), await pods.ownerOf(session)], ['p', 'tombstone']);
});

test('a login that keeps the old file leaves at once, and both are stored', async (t) => {
  const { pods, p, session } = await podWithSession(t);
  const fresh = freshSession();
  const stay = await p.enter(session);
  p.write(fresh, '1');
  p.write(session, '8');
  stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(stay.settle(), leaves);
  await until('both are stored', () => p.keeper.sizes.behind === 0);
  assert.equal(await pods.ownerOf(fresh), 'p');
  assert.equal((await pods.record(session))?.version, 2);
});

test('what the store did not take waits for it, and is stored when it is back', async (t) => {
  const { pods, p, session } = await podWithSession(t);
  p.cut();
  await counts(p, session);
  await until('it waits for the store', () => p.keeper.sizes.unsynced === 1 && p.keeper.sizes.behind === 0);
  assert.ok(p.keeper.exposedSeconds > 0);
  await p.mend();
  await until('it is stored', () => p.keeper.sizes.unsynced === 0);
  p.kill();
  assert.equal(await (await pods.add('q')).count(session, { move: 'gone' }), 3);
});

test('a write that comes after another pod took the session changes nothing, is counted and told', async (t) => {
  const { pods, p, session } = await podWithSession(t);
  const held = p.line.next('put', 'held');
  await counts(p, session);
  await held.met;
  p.reachable = false;
  const q = await pods.add('q');
  assert.equal(await q.count(session, { move: 'gone' }), 2, 'the first write of q, from what was stored');
  await held.deliver();
  await until('it is counted', () => p.keeper.counters.asyncLost === 1);
  assert.equal(p.hasFile(session), false);
  assert.equal(await q.count(session), 3);
});

test('a stop stores what is behind before it gives the session up', async (t) => {
  const { pods, p, session } = await podWithSession(t);
  const held = p.line.next('put', 'held');
  await counts(p, session);
  await counts(p, session);
  await held.met;
  const stopping = p.keeper.stop(5000);
  await held.deliver();
  await stopping;
  assert.equal(await pods.ownerOf(session), 'free');
  assert.equal(await (await pods.add('q')).count(session), 4);
});

test('beyond limits.unsynced answers wait for the store', async (t) => {
  const { p, session } = await podWithSession(t, { limits: { adopts: 256, unsynced: 1 } });
  const other = freshSession();
  await p.create(other);
  await until('it is stored', () => p.keeper.sizes.behind === 0);
  const held = p.line.next('put', 'held');
  await counts(p, session);
  await held.met;
  const stay = await p.enter(other);
  p.increment(other);
  const verdict = stay.settle();
  assert.ok(verdict instanceof Promise);
  assert.deepEqual(await verdict, leaves);
  assert.equal(p.keeper.counters.puts, 2);
  await held.deliver();
});

test('beyond limits.unsynced the answers that make new sessions wait too', async (t) => {
  const { p, session } = await podWithSession(t, { limits: { adopts: 256, unsynced: 1 } });
  const held = p.line.next('put', 'held');
  await counts(p, session);
  await held.met;
  const fresh = freshSession();
  const stay = p.keeper.visit();
  p.increment(fresh);
  stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
  const verdict = stay.settle();
  assert.ok(verdict instanceof Promise);
  assert.deepEqual(await verdict, leaves);
  await held.deliver();
});
