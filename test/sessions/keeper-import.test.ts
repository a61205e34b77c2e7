/** What a keeper makes of sessions that were imported, beside files that pods have from before. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { freshSession, Pods } from './keeper-pods.ts';

const ttlMs = 7_200_000;
const minuteMs = 60_000;

async function imported(pods: Pods, session: SessionId, number: number, ageMs: number): Promise<void> {
  const content = { bytes: Buffer.from(String(number)), mtimeMs: Math.floor(Date.now() - ageMs) };
  await pods.store.plant(pods.names.of(session), content, ttlMs);
}

test('an imported session goes on at the first pod that is asked, and then at any other', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await imported(pods, session, 41, minuteMs);
  assert.equal(await p.count(session), 42);
  assert.equal(await pods.ownerOf(session), 'p');
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 43);
});

test('a pod whose file was written after the import goes on with its file', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await imported(pods, session, 5, minuteMs);
  p.write(session, '8');
  assert.equal(await p.count(session), 9);
  assert.equal((await pods.record(session))?.version, 2, 'its file was stored first, then what the request made of it');
});

test('a file that is older than the import does not win over it', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  p.write(session, '2');
  p.touch(session, Date.now() / 1000 - 600);
  await imported(pods, session, 5, minuteMs);
  assert.equal(await p.count(session), 6);
});

test('a file that has waited beside another pod does not win over what became of the import', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await imported(pods, session, 5, minuteMs);
  assert.equal(await p.count(session), 6);
  q.write(session, '2');
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 7);
});

test('what a keeper once held and lost does not win over the import', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await imported(pods, session, 5, minuteMs);
  await q.enter(session);
  q.write(session, '50');
  q.kill();
  assert.equal((await p.look(session, { move: 'gone' })).number, 5);
  await p.keeper.stop(1000);
  await q.restart();
  assert.equal((await q.look(session)).number, 5, 'as it was answered');
});
