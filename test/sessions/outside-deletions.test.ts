/** Session files that vanish: one by one they are logouts, together they are a fault, however slowly it goes on. */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';

import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';
import { freshSession, Pods } from './keeper-pods.ts';

const scanPauseMs = 10_000;
const lifetimeMs = 7_200_000;

/** Lets everything run that waits for no timer. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('a mass of files that is still vanishing while they are counted is no mass of logouts', async (t) => {
  const clock = new ManualClock(Date.now());
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { scanPauseMs });
  const sessions = Array.from({ length: 100 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.keeper.watch();
  const [first, rest] = [sessions.slice(90), sessions.slice(0, 90)];
  for (const session of first) p.unlink(session);
  clock.advance(scanPauseMs);
  await turn();
  for (const session of rest) p.unlink(session);
  await until('all are told', () => {
    clock.advance(10);
    return p.keeper.counters.massDeletions + p.keeper.counters.tombstones >= sessions.length;
  });
  assert.equal(p.keeper.counters.tombstones, 0);
  for (const session of sessions) assert.equal(await p.count(session), 2);
});

test('some of many that vanish together are logouts, once no more of them vanish', async (t) => {
  const clock = new ManualClock(Date.now());
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { scanPauseMs });
  const sessions = Array.from({ length: 100 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.keeper.watch();
  for (const session of sessions.slice(0, 20)) p.unlink(session);
  await until('they are buried', () => {
    clock.advance(10);
    return p.keeper.counters.outsideDeletions === 20;
  });
  assert.equal(p.keeper.counters.massDeletions, 0);
});

test('a directory that is being emptied logs out none of those that follow', async (t) => {
  const clock = new ManualClock(Date.now());
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { scanPauseMs });
  const sessions = Array.from({ length: 5 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.keeper.watch();
  rmSync(p.directory.privatePath, { recursive: true });
  for (const session of sessions.slice(0, 3)) p.unlink(session);
  clock.advance(scanPauseMs);
  await turn();
  for (const session of sessions.slice(3)) p.unlink(session);
  await until('all are told', () => {
    clock.advance(10);
    return p.keeper.counters.massDeletions + p.keeper.counters.tombstones >= sessions.length;
  });
  assert.equal(p.keeper.counters.tombstones, 0);
});

test('a note that is written into an emptied directory does not make it whole', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { scanPauseMs: 50 });
  const [session, other] = [freshSession(), freshSession()];
  await p.create(session);
  rmSync(p.directory.privatePath, { recursive: true });
  p.unlink(session);
  await p.create(other);
  p.keeper.watch();
  await until('it is told', () => p.keeper.counters.massDeletions + p.keeper.counters.tombstones === 1);
  assert.equal(p.keeper.counters.tombstones, 0);
  assert.equal(await p.count(session), 2);
});

test('a request that comes while a deletion by a job is being stored begins the session anew, and for good', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.keeper.watch();
  const held = p.line.next('bury', 'held');
  p.unlink(session);
  await held.met;
  const counting = p.count(session);
  await held.deliver();
  assert.equal(await counting, 1);
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 2);
});

test('rule 5: what a job writes into a session that was not confirmed for a lifetime makes no record', async (t) => {
  const clock = new ManualClock(Date.now());
  const pods = new Pods(t, { clock });
  const [p, q] = [await pods.add('p', { scanPauseMs, lifetimeMs }), await pods.add('q', { lifetimeMs })];
  const [old, young] = [freshSession(), freshSession()];
  await p.create(old);
  p.reachable = false;
  const stay = await q.enter(old, { move: 'gone' });
  q.unlink(old);
  await stay.settle();
  assert.equal(await pods.ownerOf(old), 'tombstone');
  clock.advance(2 * lifetimeMs);
  assert.equal(await pods.ownerOf(old), 'none');
  await p.create(young);
  p.write(old, '7');
  p.write(young, '7');
  p.keeper.watch();
  await until('the young one is stored', () => {
    clock.advance(500);
    return p.keeper.counters.outsideChanges > 0;
  });
  assert.equal(await pods.ownerOf(old), 'none');
  await p.keeper.drain(1000);
  assert.equal(await pods.ownerOf(old), 'none');
});

test('of an unused session whose life is over nothing is left, here or in the store', async (t) => {
  const clock = new ManualClock(Date.now());
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { scanPauseMs, lifetimeMs });
  const session = freshSession();
  await p.create(session);
  clock.advance(2 * lifetimeMs);
  p.unlink(session);
  p.keeper.watch();
  await until('its note is gone', () => {
    clock.advance(100);
    return p.notes.read(session) === undefined;
  });
  assert.equal(await pods.ownerOf(session), 'none');
});
