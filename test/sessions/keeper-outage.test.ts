/** What a keeper promises while the store is down, and when it comes back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../support/until.ts';
import { freshSession, type Pod, Pods, refusedPut, timeouts } from './keeper-pods.ts';

test('serve: a session that is here goes on, is counted, and is stored when the store is back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.cut();
  assert.equal(await p.count(session), 2);
  assert.equal(await p.count(session), 3);
  assert.equal(p.keeper.counters.unsynced, 2);
  assert.equal(p.keeper.sizes.unsynced, 1);
  await p.mend();
  await until('it is stored', () => p.keeper.sizes.unsynced === 0);
  p.reachable = false;
  const q = await pods.add('q');
  assert.equal(await q.count(session, { move: 'gone' }), 4);
});

test('serve: a session goes on from a create whose reply was lost, and what followed it is stored when the store is back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  const stay = p.keeper.visit();
  p.increment(session);
  stay.answered({ kind: 'set', session, attributes: '', lifetimeSeconds: undefined });
  const create = p.line.next('create', 'lost-reply');
  const settled = Promise.resolve(stay.settle());
  await create.met;
  p.cut();
  assert.deepEqual(await settled, { kind: 'leave' });
  assert.equal(await p.count(session), 2);
  assert.equal(await p.count(session), 3);
  await p.mend();
  await until('it is stored', () => p.keeper.sizes.unsynced === 0);
  assert.equal(p.keeper.counters.unsyncedLost, 0);
  p.reachable = false;
  const q = await pods.add('q');
  assert.equal(await q.count(session, { move: 'gone' }), 4);
});

test('serve: while the store is down nothing waits for it', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.cut();
  const admission = p.keeper.admit({ session, move: undefined, hopped: false });
  assert.ok(!(admission instanceof Promise));
});

test('serve: an answer that is held when the store goes down leaves', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  p.increment(session);
  p.line.next('put', 'late');
  const settled = Promise.resolve(stay.settle());
  p.cut();
  assert.deepEqual(await settled, { kind: 'leave' });
  assert.equal(p.keeper.counters.unsynced, 1);
});

test('serve: held answers leave at the moment at which a silent store counts as down, not at their own bound', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { timeouts: { ...timeouts, syncMs: 3_600_000 } });
  const sessions = [freshSession(), freshSession()];
  for (const session of sessions) await p.create(session);
  const stays = await Promise.all(sessions.map((session) => p.enter(session)));
  const held = sessions.map(() => p.line.next('put', 'held'));
  const verdicts = stays.map((stay, index) => {
    p.increment(sessions[index]!);
    return Promise.resolve(stay.settle());
  });
  await Promise.all(held.map(({ met }) => met));
  p.line.cut = true;
  for (let call = 0; call < 3; call++) await assert.rejects(p.health.ownerOf(pods.names.of(sessions[0]!)));
  assert.deepEqual(await Promise.all(verdicts), [{ kind: 'leave' }, { kind: 'leave' }]);
  assert.equal(p.keeper.counters.unsynced, 2);
});

test('refuse: an answer that the store does not confirm does not leave', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { onStoreDown: 'refuse' });
  const session = freshSession();
  await p.create(session);
  p.cut();
  assert.deepEqual((await p.look(session)).verdict, { kind: 'refuse', reason: 'store-timeout' });
  const stay = await p.enter(session);
  p.increment(session);
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'store-timeout' });
  await p.mend();
  await until('what was written is stored', async () => ((await pods.record(session))?.version ?? 0) > 1);
});

test('refuse: a session that is not here reaches no application', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { onStoreDown: 'refuse' });
  p.cut();
  assert.equal(await p.turnedAway(freshSession()), 'refused not-here');
});

test('refuse: a session with a note is here, also after a restart of the keeper', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { onStoreDown: 'refuse' });
  const session = freshSession();
  await p.create(session);
  p.restartCut();
  assert.equal((await p.enter(session)).outcome, 'hit');
});

test('serve: what was let through never overwrites the stored copy', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  assert.equal(await p.count(session), 2);
  q.cut();
  const stay = await q.enter(session);
  assert.equal(stay.outcome, 'restore-failed');
  assert.equal(q.increment(session), 1);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  await q.mend();
  await until('the store has been heard', () => q.keeper.sizes.unsynced === 0);
  assert.equal(q.keeper.counters.unsyncedLost, 1);
  assert.ok(!q.hasFile(session));
  assert.equal(await p.count(session), 3);
});

test('a keeper that starts beside files of sessions that have gone on elsewhere counts none of them as lost', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 2);
  await p.restart(0);
  await until('the file has been compared', () => p.keeper.sizes.unsynced === 0 && !p.hasFile(session));
  assert.equal(p.keeper.counters.unsyncedLost, 0);
  assert.equal(await q.count(session), 3);
});

test('serve: what was let through and ends with the store up is refused where a stored copy exists', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  q.cut();
  const stay = await q.enter(session);
  q.increment(session);
  await q.mend();
  assert.deepEqual(await stay.settle(), refusedPut);
  assert.equal(await p.count(session), 2);
});

test('serve: a session that began in the outage is stored when the store is back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  p.cut();
  await p.create(session);
  assert.equal(await p.count(session), 2);
  await p.mend();
  await until('it is stored', async () => (await pods.ownerOf(session)) === 'p');
  assert.equal(await p.count(session), 3);
});

test('serve: one that began in the outage and ends with the store up is created', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  p.cut();
  const stay = await p.enter(session);
  p.increment(session);
  await p.mend();
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(session), 'p');
});

test('rule 26: a logout while the store is down is noted, and the first thing the store hears', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.cut();
  await logOut(p);
  assert.equal(p.notes.read(session)?.buried, true);
  p.restartCut();
  await p.mend();
  await until('the tombstone is there', async () => (await pods.ownerOf(session)) === 'tombstone');
  assert.equal((await p.look(session)).number, 0);

  async function logOut(pod: Pod): Promise<void> {
    const stay = await pod.enter(session);
    pod.unlink(session);
    stay.answered({ kind: 'ended', attributes: '' });
    assert.deepEqual(await stay.settle(), { kind: 'leave' });
  }
});

test('rule 26: a logout after a restart in an outage is noted too', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.restartCut();
  const stay = await p.enter(session);
  p.unlink(session);
  p.health.connectionChanged(false);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(p.notes.read(session)?.buried, true);
  await p.mend();
  await until('the tombstone is there', async () => (await pods.record(session))?.tombstone === true);
});

test('rule 26: a logout noted under an earlier epoch of our unbroken run is a tombstone all the same', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  await p.restart();
  // The take is executed, and its keeper never hears of it: the note stays at the term before.
  const take = p.line.next('take', 'lost-reply');
  const entering = p.enter(session);
  await take.met;
  p.cut();
  const stay = await entering;
  p.unlink(session);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  await p.mend();
  await until('the tombstone is there', async () => (await pods.record(session))?.tombstone === true);
  assert.equal((await p.look(session)).number, 0);
});

test('a session begun anew after a logout, all in one outage, is stored when the store is back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.cut();
  const stay = await p.enter(session);
  p.unlink(session);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await p.count(session), 1);
  assert.equal(await p.count(session), 2);
  await p.mend();
  await until('it is stored', async () => (await pods.record(session))?.tombstone === false);
  assert.equal(await p.count(session), 3);
  assert.equal(p.keeper.counters.unsyncedLost, 0);
  p.kill();
  const q = await pods.add('q');
  assert.equal(await q.count(session, { move: 'gone' }), 4);
});

for (const when of [
  'before another request',
  'before it is asked for again',
  'between the tombstone and the put',
] as const) {
  test(`a session begun anew after a logout survives a restart in the same outage: ${when}`, async (t) => {
    const pods = new Pods(t);
    const p = await pods.add('p');
    const session = freshSession();
    await p.create(session);
    p.cut();
    const stay = await p.enter(session);
    p.unlink(session);
    assert.deepEqual(await stay.settle(), { kind: 'leave' });
    assert.equal(await p.count(session), 1);
    p.restartCut();
    let last = 1;
    if (when === 'before another request') {
      p.health.connectionChanged(false);
      assert.equal(await p.count(session), ++last);
    }
    if (when === 'between the tombstone and the put') {
      const put = p.line.next('put', 'held');
      p.line.cut = false;
      p.health.connectionChanged(true);
      await put.met;
      await p.restart();
    } else {
      await p.mend();
      await until('it is stored', async () => (await pods.record(session))?.tombstone === false);
    }
    assert.equal(await p.count(session), ++last);
    p.kill();
    const q = await pods.add('q');
    assert.equal(await q.count(session, { move: 'gone' }), last + 1);
  });
}

test('a logout after a session begun anew, all in one outage, holds after a restart', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.cut();
  for (const begin of [true, false]) {
    const stay = await p.enter(session);
    p.unlink(session);
    assert.deepEqual(await stay.settle(), { kind: 'leave' });
    if (begin) assert.equal(await p.count(session), 1);
  }
  p.restartCut();
  await p.mend();
  await until('the tombstone is there', async () => (await pods.record(session))?.tombstone === true);
  assert.equal((await p.look(session)).number, 0);
});

test('a session begun anew after a logout gives way to what another pod has stored since', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.cut();
  p.reachable = false;
  const stay = await p.enter(session);
  p.unlink(session);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await p.count(session), 1);
  // Q knows nothing of all that, goes on with the old session, and there it is logged out too.
  assert.equal(await q.count(session, { move: 'gone' }), 2);
  const there = await q.enter(session);
  q.unlink(session);
  assert.deepEqual(await there.settle(), { kind: 'leave' });
  p.restartCut();
  await p.mend();
  await until('it is forgotten', () => !p.hasFile(session) && p.notes.read(session) === undefined);
  assert.equal((await pods.record(session))?.tombstone, true);
});

test('what ran beside a logout in an outage, and outlived its keeper, brings nothing back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.cut();
  const stay = await p.enter(session);
  p.unlink(session);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  p.restartCut();
  // Of a request whose keeper is gone: no answer has promised it.
  p.write(session, '7');
  p.health.connectionChanged(false);
  assert.equal((await p.look(session)).number, 0);
  await p.mend();
  await until('the tombstone is there', async () => (await pods.record(session))?.tombstone === true);
  assert.equal((await p.look(session)).number, 0);
});

test('what comes after a logout that the store would not confirm is no part of it, when the store is back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { onStoreDown: 'refuse' });
  const session = freshSession();
  await p.create(session);
  p.cut();
  const stay = await p.enter(session);
  p.unlink(session);
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'store-timeout' });
  const next = await p.enter(session);
  await p.mend();
  await until('the tombstone is there', async () => (await pods.ownerOf(session)) === 'tombstone');
  p.increment(session);
  assert.deepEqual(await next.settle(), refusedPut);
  assert.equal(await p.count(session), 1);
});

test('rule 28: what a pod wrote that alone was cut off is refused, counted and forgotten', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.cut();
  p.reachable = false;
  assert.equal(await p.count(session), 2);
  assert.equal(await q.count(session, { move: 'gone' }), 2);
  assert.equal(await q.count(session), 3);
  await p.mend();
  await until('it is forgotten', () => !p.hasFile(session));
  assert.equal(p.keeper.counters.unsyncedLost, 1);
  p.reachable = true;
  assert.equal(await p.count(session, { move: 'unhealthy' }), 4);
});

test('more unsynced sessions than can be remembered are found by their notes', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { limits: { adopts: 256, unsynced: 2 } });
  const sessions = Array.from({ length: 6 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.cut();
  for (const session of sessions) assert.equal(await p.count(session), 2);
  assert.equal(p.keeper.sizes.unsynced, 2);
  await p.mend();
  await until('all are stored', async () => {
    const records = await Promise.all(sessions.map((session) => pods.record(session)));
    return records.every((record) => record?.version === 3);
  });
});

test('serve: beyond limits.unsynced an answer that nothing remembers does not leave, one with a note does', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { limits: { adopts: 256, unsynced: 1 } });
  const [noted, first, second] = [freshSession(), freshSession(), freshSession()];
  await p.create(noted);
  p.cut();
  assert.equal(await p.count(first), 1);
  const stay = await p.enter(second);
  p.increment(second);
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'store-timeout' });
  assert.equal(p.keeper.counters.unsyncedFull, 1);
  assert.equal(await p.count(noted), 2);
  await p.mend();
  await until('all are stored', async () => (await pods.ownerOf(first)) === 'p' && p.keeper.sizes.unsynced === 0);
  await until('also what only its note remembered', async () => ((await pods.record(noted))?.version ?? 0) >= 2);
});

test('an answer is held no longer than the longest hold, whatever the store says about itself', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const q = await pods.add('q', { onStoreDown: 'refuse' });
  for (const [pod, kind] of [
    [p, 'leave'],
    [q, 'refuse'],
  ] as const) {
    const session = freshSession();
    await pod.create(session);
    const stay = await pod.enter(session);
    pod.increment(session);
    // No put is answered, but confirms in between keep the store from counting as down.
    const answering = setInterval(() => void pod.health.ownerOf(pods.names.of(session)), 10);
    t.after(() => clearInterval(answering));
    for (let index = 0; index < 100; index++) pod.line.next('put', 'late');
    const verdict = await stay.settle();
    clearInterval(answering);
    assert.equal(verdict.kind, kind);
    assert.equal(pod.health.state, 'up');
  }
});

test('stop leaves the records as they are while the store is down', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.cut();
  await p.count(session);
  await p.keeper.stop(1000);
  assert.equal(await pods.ownerOf(session), 'p');
  assert.ok(p.hasFile(session));
  await p.restart();
  assert.equal(await p.count(session), 3);
});
