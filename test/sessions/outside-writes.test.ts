/** What others than requests do to session files: captured if the session is ours, and only then. */

import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { test } from 'node:test';

import { until } from '../support/until.ts';
import { freshSession, type Pod, Pods } from './keeper-pods.ts';

/** Resolves when the pod has looked at everything that happened before: it has captured a change made now. */
async function hasLooked(pod: Pod): Promise<void> {
  const marker = freshSession();
  await pod.create(marker);
  const before = pod.keeper.counters.outsideChanges;
  await until('a change outside requests was captured', () => {
    // Again and again: a first write may fall into the same tick of the kernel's clock as the one before.
    pod.increment(marker);
    return pod.keeper.counters.outsideChanges > before;
  });
}

test('what a job writes into a session that is ours survives the pod', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const q = await pods.add('q');
  const session = freshSession();
  await p.create(session);
  p.keeper.watch();
  p.write(session, '41');
  await until('it is stored', () => p.keeper.counters.outsideChanges === 1);
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 42);
});

test('a session that a job deletes is logged out everywhere', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const q = await pods.add('q');
  const session = freshSession();
  await p.create(session);
  p.keeper.watch();
  p.unlink(session);
  await until('it is buried', async () => (await pods.ownerOf(session)) === 'tombstone');
  assert.equal(p.keeper.counters.outsideDeletions, 1);
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 1, 'the session begins anew');
});

test('a late write after a logout does not undo it', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.keeper.watch();
  const stay = await p.enter(session);
  p.unlink(session);
  await stay.settle();
  assert.equal(await pods.ownerOf(session), 'tombstone');
  p.write(session, '1');
  await hasLooked(p);
  assert.equal(await pods.ownerOf(session), 'tombstone');
  await (await p.enter(session)).settle();
  p.write(session, '1');
  await hasLooked(p);
  assert.equal((await pods.record(session))?.tombstone, true);
});

test('a file of an id without a term makes no record', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const stranger = freshSession();
  p.keeper.watch();
  p.write(stranger, '9');
  await hasLooked(p);
  assert.equal(await pods.ownerOf(stranger), 'none');
  p.unlink(stranger);
  await hasLooked(p);
  assert.equal(await pods.ownerOf(stranger), 'none');
});

test('what a request is doing is left to its end', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.keeper.watch();
  const { puts } = p.keeper.counters;
  const stay = await p.enter(session);
  p.write(session, '');
  p.unlink(session);
  p.write(session, '5');
  await hasLooked(p);
  assert.equal((await pods.record(session))?.version, 1);
  assert.equal(p.keeper.counters.puts, puts + 1, "the marker's");
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal((await pods.record(session))?.version, 2);
});

test('zero bytes outside requests are neither stored nor repaired', async (t) => {
  const pods = new Pods(t);
  for (const preset of ['php', 'laravel'] as const) {
    const p = await pods.add(`p-${preset}`, { preset });
    const session = freshSession();
    await p.create(session);
    p.keeper.watch();
    p.write(session, '');
    await hasLooked(p);
    assert.equal((await pods.record(session))?.version, 1);
    assert.equal(p.keeper.counters.repairs, 0);
    p.write(session, '3');
    await until('what is written then is stored', async () => (await pods.record(session))?.version === 2);
  }
});

test('what Holdfast itself writes causes no puts', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const q = await pods.add('q');
  const sessions = Array.from({ length: 20 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.kill();
  q.keeper.watch();
  for (const session of sessions) (await q.enter(session, { move: 'gone' })).abandon('not-sent');
  assert.equal(q.keeper.counters.restores, 20);
  const { puts } = q.keeper.counters;
  await hasLooked(q);
  assert.equal(q.keeper.counters.puts, puts + 1, "the marker's");
});

test('a write after the session has gone is counted, changes nothing and leaves no file', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const q = await pods.add('q');
  const session = freshSession();
  await p.create(session);
  p.keeper.watch();
  assert.equal(await q.count(session, { move: 'draining' }), 2);
  p.write(session, '1');
  await until('it is counted', () => p.keeper.counters.writesAfterRelease === 1);
  assert.equal(p.hasFile(session), false);
  assert.equal(await q.count(session), 3);
});

test('young sessions that vanish together are no logouts: their stored copies come back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const sessions = Array.from({ length: 20 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.keeper.watch();
  for (const session of sessions) p.unlink(session);
  await until('they are told lost', () => p.keeper.counters.massDeletions === 20);
  for (const session of sessions) assert.equal(await p.count(session), 2);
  assert.equal(p.keeper.counters.tombstones, 0);
});

test('sessions that the clean-up removes because they are old end, however many they are', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const sessions = Array.from({ length: 20 }, freshSession);
  for (const session of sessions) {
    const stay = p.keeper.visit();
    p.write(session, '1');
    p.touch(session, Date.now() / 1000 - 7100);
    stay.answered({ kind: 'set', session, attributes: '', lifetimeSeconds: undefined });
    await stay.settle();
  }
  p.keeper.watch();
  for (const session of sessions) p.unlink(session);
  await until('they are buried', () => p.keeper.counters.outsideDeletions === 20);
  for (const session of sessions) assert.equal(await pods.ownerOf(session), 'tombstone');
});

test('a directory that was emptied with everything in it logs nobody out', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { scanPauseMs: 50 });
  const session = freshSession();
  await p.create(session);
  rmSync(p.directory.privatePath, { recursive: true });
  p.unlink(session);
  p.keeper.watch();
  await until('it is told lost', () => p.keeper.counters.massDeletions === 1);
  assert.equal(await p.count(session), 2);
});

test('a volume that is not there any more logs nobody out, whoever looks', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { scanPauseMs: 50 });
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  rmSync(p.directory.path, { recursive: true });
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'session-unreadable' });
  p.keeper.watch();
  assert.equal(await pods.ownerOf(session), 'p');
  assert.equal(p.keeper.counters.tombstones, 0);
});

test('the scan finds what no hint told of', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { scanPauseMs: 50 });
  const session = freshSession();
  await p.create(session);
  p.cut();
  p.keeper.watch();
  p.write(session, '6');
  await p.mend();
  await until('it is stored', () => p.keeper.counters.outsideChanges === 1);
  assert.equal(p.keeper.counters.rescanFinds, 1);
});

test('after a restart a job changes a session that is ours by its note: it is taken up and stored', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const q = await pods.add('q');
  const session = freshSession();
  await p.create(session);
  await p.restart();
  p.keeper.watch();
  p.write(session, '30');
  await until('it is stored', async () => ((await pods.record(session))?.version ?? 0) >= 2);
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 31);
});

test('a keeper that was told to stop watching touches nothing any more', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { scanPauseMs: 50 });
  const q = await pods.add('q');
  const session = freshSession();
  await p.create(session);
  p.keeper.watch();
  await q.count(session, { move: 'draining' });
  p.keeper.unwatch();
  q.keeper.watch();
  p.write(session, '1');
  await hasLooked(q);
  assert.equal(existsSync(p.path(session)), true);
});

for (const store of ['up', 'down'] as const) {
  test(`a late write after a logout leaves no file for an outage to serve (store ${store})`, async (t) => {
    const pods = new Pods(t);
    const p = await pods.add('p');
    const session = freshSession();
    await p.create(session);
    p.keeper.watch();
    if (store === 'down') p.cut();
    const stay = await p.enter(session);
    p.unlink(session);
    await stay.settle();
    p.write(session, '1');
    await until('it is removed', () => !p.hasFile(session));
    assert.equal(p.keeper.counters.writesAfterRelease, 1);
  });
}
