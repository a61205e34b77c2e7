/**
 * The traces of the ownership protocol: what went wrong in the model without a rule, each driven through real
 * keepers. P owns first; Q is the other pod. "Frozen" and "cut" are lines that carry nothing.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { systemClock } from '../../src/base/clock.ts';
import { HoldfastError } from '../../src/base/errors.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { freshSession, Pods, refusedPut } from './keeper-pods.ts';

const moved = { move: 'unhealthy' } as const;

test('rule 1: after the store came back with older data an old owner writes nothing', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  // Q takes it; then the store restarts with what it had before: free, P's first epoch.
  const older = new MemoryStore({ clock: systemClock });
  await older.create(pods.names.of(session), p.me, { version: 1, bytes: Buffer.from('1'), mtimeMs: 1 }, 60_000);
  const epoch = (await older.ownerOf(pods.names.of(session)))!.epoch;
  await older.release(pods.names.of(session), { epoch, uid: 'p' });
  assert.equal(await q.count(session, moved), 2);
  p.line.inner = older;
  q.line.inner = older;
  assert.equal(await p.count(session), 2);
  const atQ = await q.enter(session);
  q.increment(session);
  assert.deepEqual(await atQ.settle(), refusedPut);
  assert.equal((await p.look(session)).number, 2);
});

test('rule 2: a put that arrives after a newer one changes nothing', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const slow = p.line.next('put', 'late');
  assert.equal(await p.count(session), 2);
  assert.equal(await p.count(session), 3);
  await slow.deliver();
  p.reachable = false;
  assert.equal((await q.look(session, { move: 'gone' })).number, 3);
});

test('rule 3: a put whose reply was lost is made again and stands', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.line.next('put', 'lost-reply');
  assert.equal(await p.count(session), 2);
  assert.equal(p.line.count('put'), 2);
  assert.equal((await pods.record(session))?.version, 3);
});

test('rule 4: two first requests of one session end in one record with both their changes', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  const first = await p.enter(session);
  const second = await p.enter(session);
  p.increment(session);
  const slow = p.line.next('create', 'held');
  const firstVerdict = Promise.resolve(first.settle());
  await slow.met;
  p.increment(session);
  const secondVerdict = Promise.resolve(second.settle());
  void slow.deliver();
  assert.deepEqual([await firstVerdict, await secondVerdict], [{ kind: 'leave' }, { kind: 'leave' }]);
  assert.equal(p.line.count('create'), 1);
  p.reachable = false;
  assert.equal((await q.look(session, { move: 'gone' })).number, 2);
});

test('rule 4: a create whose reply was lost goes on in its own record', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  p.line.next('create', 'lost-reply');
  await p.create(session);
  assert.equal(await p.count(session), 2);
  assert.equal(await pods.ownerOf(session), 'p');
});

test('rule 6: a pod that does not know yet that it lost the session lets no answer out', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  await p.look(session);
  // Keepers are cut from each other; Q forces, answers 2.
  p.reachable = false;
  assert.equal(await q.count(session, moved), 2);
  assert.equal(q.keeper.counters.forced, 1);
  const { number, verdict } = await p.look(session);
  assert.equal(number, 1);
  assert.deepEqual(verdict, refusedPut);
  assert.ok(!p.hasFile(session), 'the stale file is gone');
  assert.equal(p.notes.read(session), undefined);
});

test('rule 6: a frozen pod whose request was under way lets no old answer out', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  const read = p.increment(session);
  p.reachable = false;
  assert.equal(await q.count(session, moved), 2);
  assert.equal(read, 2);
  assert.deepEqual(await stay.settle(), refusedPut);
  assert.equal(await q.count(session), 3);
});

test('rule 7: what was sent but never acknowledged is not taken for stored', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p', { onStoreDown: 'serve' }), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  p.increment(session);
  p.cut();
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  await p.mend();
  // A request that only reads: the file is as it was last read, but the store has it not.
  assert.equal((await p.look(session)).number, 2);
  p.reachable = false;
  assert.equal((await q.look(session, { move: 'gone' })).number, 2);
});

test('rules 11, 12: what was served while the store was down survives a restart of the keeper', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.cut();
  assert.equal(await p.count(session), 2);
  p.restartCut();
  await p.mend();
  const stay = await p.enter(session);
  assert.equal(stay.outcome, 'hit');
  assert.equal(p.read(session), 2);
  assert.equal((await pods.record(session))?.version, 2);
  await stay.settle();
});

test('rule 12: a logout while the keeper was away is a logout', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.kill();
  p.unlink(session);
  await p.restart();
  assert.equal((await p.look(session)).number, 0);
  assert.equal((await pods.record(session))?.tombstone, true);
});

test('rule 12: a file that a kill left empty is written back from the store', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const session = freshSession();
  await p.create(session);
  p.kill();
  p.write(session, '');
  await p.restart();
  assert.equal(await p.count(session), 2);
});

test('rule 12: the file of a pod that comes back never wins over what others wrote', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.kill();
  assert.equal(await q.count(session, moved), 2);
  await p.restart();
  assert.ok(p.hasFile(session));
  assert.equal(await p.count(session, moved), 3);
  assert.equal(p.keeper.counters.restores, 1);
});

test('rule 11: a keeper killed between its take and its file lets the stored copy win', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  assert.equal(await q.count(session, moved), 2);
  p.write(session, '1');
  const taken = Promise.withResolvers<undefined>();
  const restore = p.directory.restore.bind(p.directory);
  p.directory.restore = () => {
    taken.resolve(undefined);
    return new Promise(() => undefined);
  };
  void p.keeper.admit({ session, ...moved, hopped: false });
  await taken.promise;
  assert.equal(await pods.ownerOf(session), 'p');
  p.kill();
  p.directory.restore = restore;
  await p.restart();
  assert.equal(await p.count(session), 3);
});

test('rule 11: a keeper killed between its file and its note lets the stored copy win', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  assert.equal(await q.count(session, moved), 2);
  const write = p.notes.write.bind(p.notes);
  p.notes.write = () => {
    throw new HoldfastError('session-file-unusable', 'The test has no room for it.');
  };
  const stay = await p.enter(session, moved);
  assert.equal(p.keeper.counters.fileFaults, 1);
  p.write(session, '7');
  assert.equal(stay.outcome, 'restored');
  p.kill();
  p.notes.write = write;
  await p.restart();
  assert.equal(await p.count(session), 3);
});

test('rule 13: an exchange of an earlier term ends before the next term writes the file', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const slow = await p.enter(session);
  const read = p.read(session);
  // P does not wait for X any longer, Q writes 2, P is asked for the session again while X still runs.
  assert.equal(
    await q.count(session, { elsewhereFailed: { epoch: (await pods.record(session))!.epoch, how: 'dead' } }),
    2,
  );
  assert.equal(p.keeper.counters.handoffsCut, 1);
  const back = p.enter(session, moved);
  // The unlocked application writes what it made of its old read.
  p.write(session, String(read + 1));
  assert.deepEqual(await slow.settle(), refusedPut);
  const stay = await back;
  assert.equal(p.read(session), 2);
  assert.equal(p.increment(session), 3);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
});

test('rule 13: an exchange that does not end holds an adopt up for a bounded time', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const endless = await p.enter(session);
  const { epoch } = (await pods.record(session))!;
  assert.equal(await q.count(session, { elsewhereFailed: { epoch, how: 'dead' } }), 2);
  assert.equal(await p.turnedAway(session, moved), 'refused handoff-timeout');
  assert.equal(await q.count(session), 3, 'nothing was taken from Q meanwhile');
  endless.abandon('client-left');
});

test('rule 14: a left-over file is not used after a hand-off', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { onStoreDown: 'refuse' });
  const q = await pods.add('q');
  const session = freshSession();
  await p.create(session);
  assert.equal(await q.count(session, moved), 2);
  assert.ok(!p.hasFile(session));
  p.cut();
  assert.equal(await p.turnedAway(session), 'refused not-here');
});

test('rule 15: a session whose record the store lost is stored again from its file', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  await p.count(session);
  await p.restart();
  p.line.inner = new MemoryStore({ clock: systemClock });
  const stay = await p.enter(session);
  assert.equal(stay.outcome, 'hit');
  assert.equal((await p.line.inner.ownerOf(pods.names.of(session)))?.owner?.uid, 'p');
  assert.equal(p.read(session), 2);
  await stay.settle();
});

test('rule 15: a file whose note is older than a lifetime does not come back to life', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  p.write(session, '7');
  p.notes.write(session, { epoch: 5, confirmedAtMs: Date.now() - 8_000_000 });
  const stay = await p.enter(session);
  assert.equal(stay.outcome, 'expired');
  assert.equal(p.read(session), 0);
  await stay.settle();
});

test('rule 15: a file without a note is an installation: it is served and stored', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  p.write(session, '7');
  assert.equal(await p.count(session), 8);
  assert.equal(await pods.ownerOf(session), 'p');
});

test('a record that the store lost under an owner is stored again in the same term', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const epoch = (await pods.record(session))?.epoch;
  p.line.inner = new MemoryStore({ clock: systemClock });
  assert.deepEqual((await p.look(session)).verdict, { kind: 'leave' });
  assert.equal((await p.line.inner.ownerOf(pods.names.of(session)))?.epoch, epoch);
});

test('rule 20: an owner that can not reach the store keeps the session, and nobody forces it', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.cut();
  assert.equal(await p.count(session), 2);
  assert.equal(await q.turnedAway(session, moved), 'elsewhere p');
  assert.equal(await q.turnedAway(session, { hopped: true }), 'refused not-here');
  assert.equal(q.keeper.counters.forced, 0);
  await p.mend();
  assert.equal(await q.count(session, moved), 3);
});

test('rule 24: what runs beside a logout can not bring the session back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const poll = await p.enter(session);
  const logout = await p.enter(session);
  p.unlink(session);
  assert.deepEqual(await logout.settle(), { kind: 'leave' });
  p.write(session, '2');
  assert.deepEqual(await poll.settle(), { kind: 'leave', fencedByLogout: true });
  assert.ok(!p.hasFile(session));
  assert.equal(await pods.ownerOf(session), 'tombstone');
  assert.equal(p.keeper.counters.fencedByLogout, 1);
});

test('rule 24: what ran beside a logout does not remove the file of a new login with the same id', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const poll = await p.enter(session);
  const logout = await p.enter(session);
  p.unlink(session);
  await logout.settle();
  const login = p.enter(session);
  p.write(session, '9');
  assert.deepEqual(await poll.settle(), { kind: 'leave', fencedByLogout: true });
  const stay = await login;
  assert.equal(p.increment(session), 1);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(p.read(session), 1);
  assert.equal(await pods.ownerOf(session), 'p');
});

test('rule 25: if the old id can not be ended the answer does not leave', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { onStoreDown: 'refuse' });
  const [old, fresh] = [freshSession(), freshSession()];
  await p.create(old);
  const stay = await p.enter(old);
  p.increment(fresh);
  p.unlink(old);
  stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
  const created = p.line.next('create', 'slow-reply');
  const settled = Promise.resolve(stay.settle());
  await created.met;
  p.cut();
  void created.deliver();
  assert.deepEqual(await settled, { kind: 'refuse', reason: 'store-timeout' });
  assert.equal(await pods.ownerOf(old), 'p');
});
