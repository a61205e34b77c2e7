/** How a keeper lets go: before its pod ends, when its application has ended, and at the very end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../support/until.ts';
import { freshSession, Pods } from './keeper-pods.ts';

const moved = { move: 'draining' } as const;

test('a keeper that goes away takes nothing from a live owner', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q', { elsewhere: 'adopt' })];
  const [owned, free, unknown] = [freshSession(), freshSession(), freshSession()];
  await p.create(owned);
  await p.create(free);
  await q.keeper.drain(5000);
  assert.equal(await q.turnedAway(owned), 'elsewhere p');
  assert.equal(await q.turnedAway(owned, { hopped: true, fromGateway: true }), 'refused draining');
  assert.equal(await q.turnedAway(owned, { ...moved, fromGateway: true }), 'refused draining');
  assert.equal(await pods.ownerOf(owned), 'p');
  await p.keeper.stop(1000);
  assert.equal(await q.turnedAway(free, { fromGateway: true }), 'refused draining');
  assert.equal(await q.turnedAway(unknown, { fromGateway: true }), 'refused draining');
  assert.equal(await q.turnedAway(free), 'refused draining', 'without a gateway it is sent to another pod');
  assert.equal(await q.count(free, { move: 'none-left' }), 2, 'where there is one');
});

test('a keeper whose application refuses connections takes nothing until it accepts again', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  q.keeper.applicationRefuses = true;
  assert.equal(await q.turnedAway(session, { ...moved, fromGateway: true }), 'refused draining');
  q.keeper.applicationRefuses = false;
  assert.equal(await q.count(session, { ...moved, fromGateway: true }), 2);
});

test('an application that ends gives its sessions up, and takes them again when it is back', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const [idle, busy] = [freshSession(), freshSession()];
  await p.create(idle);
  await p.create(busy);
  const stay = await p.enter(busy);
  await p.keeper.applicationGone(5000);
  assert.deepEqual([await pods.ownerOf(idle), await pods.ownerOf(busy)], ['free', 'p']);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  await until('it is given up too', async () => (await pods.ownerOf(busy)) === 'free');
  assert.equal(await q.count(idle), 2);
  p.keeper.applicationRefuses = false;
  assert.equal(await p.count(busy), 2);
  assert.equal(await pods.ownerOf(busy), 'p', 'and keeps it after its exchange');
});

test('an application that is back before all its sessions were given up keeps the rest', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const sessions = Array.from({ length: 400 }, freshSession);
  await Promise.all(sessions.map((session) => p.create(session)));
  const first = p.line.next('release', 'held');
  const leaving = p.keeper.applicationGone(5000);
  await first.met;
  p.keeper.applicationRefuses = false;
  await first.deliver();
  await leaving;
  const owners = await Promise.all(sessions.map((session) => pods.ownerOf(session)));
  assert.ok(owners.includes('p') && owners.includes('free'));
  for (const session of sessions) assert.equal(await p.count(session), 2);
});

test('a drain gives idle sessions up at once and busy ones at their last exchange', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const [idle, busy] = [freshSession(), freshSession()];
  await p.create(idle);
  await p.create(busy);
  const stay = await p.enter(busy);
  await p.keeper.drain(5000);
  assert.equal(await pods.ownerOf(idle), 'free');
  assert.equal(await pods.ownerOf(busy), 'p');
  p.increment(busy);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  await until('it is given up', async () => (await pods.ownerOf(busy)) === 'free');
  assert.equal(await q.count(busy), 3);
  assert.equal(await q.count(idle), 2);
});

test('a drain also gives up what is ours only by its note', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const [untouched, changed] = [freshSession(), freshSession()];
  await p.create(untouched);
  await p.create(changed);
  p.cut();
  assert.equal(await p.count(changed), 2);
  await p.restart();
  await p.keeper.drain(5000);
  assert.equal(await pods.ownerOf(untouched), 'free');
  assert.equal(await q.count(changed), 3);
  assert.equal(await q.count(untouched), 2);
});

test('when the first keeper hears that the owner drains, it asks the store once more and takes the session', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const { epoch } = (await pods.record(session))!;
  await p.keeper.drain(5000);
  assert.equal(await q.count(session, { elsewhereFailed: { epoch, how: 'draining' } }), 2);
  assert.equal(q.keeper.counters.forced, 0);
});

test('stop stores and frees everything, and admits nobody', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const sessions = Array.from({ length: 200 }, freshSession);
  await Promise.all(sessions.map((session) => p.create(session)));
  p.increment(sessions[0]!);
  await p.keeper.stop(5000);
  for (const session of sessions) assert.equal(await pods.ownerOf(session), 'free');
  assert.equal(await p.turnedAway(sessions[1]!), 'refused shutting-down');
  const q = await pods.add('q');
  assert.equal(await q.count(sessions[0]!), 3, 'what nobody had captured was stored');
});

test('stop also gives up what is ours only by its note', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  await p.restart();
  await p.keeper.stop(5000);
  assert.equal(await pods.ownerOf(session), 'free');
});

test('nothing is given up before what an outage left behind is stored', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const sessions = Array.from({ length: 50 }, freshSession);
  for (const session of sessions) await p.create(session);
  p.cut();
  for (const session of sessions.slice(25)) assert.equal(await p.count(session), 2);
  p.line.cut = false;
  await p.keeper.drain(5000);
  assert.ok(!p.line.calls.includes('release'), 'the store is still down for it');
  await p.mend();
  await p.keeper.drain(5000);
  assert.ok(p.line.calls.lastIndexOf('put') < p.line.calls.indexOf('release'));
  const q = await pods.add('q');
  for (const session of sessions) assert.equal(await q.count(session), sessions.indexOf(session) < 25 ? 2 : 3);
});

test('stop ends within its bound, whatever the store does', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const held = p.line.next('release', 'held');
  await p.keeper.stop(50);
  assert.equal(await pods.ownerOf(session), 'p');
  await held.deliver();
});

test('an application that is only too busy to accept keeps the sessions that it serves', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.keeper.applicationRefuses = true;
  assert.equal(await p.count(session), 2);
  assert.equal(await p.count(session), 3);
  assert.equal(p.line.count('release'), 0);
});

test('a drain that met an outage goes on when the store is back', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  p.cut();
  await p.keeper.drain(200);
  assert.equal(await pods.ownerOf(session), 'p');
  await p.mend();
  await until('it is given back', async () => (await pods.ownerOf(session)) === 'free');
  assert.equal(await q.count(session), 2);
});
