/** Whom a keeper without an application sends a request to, where nobody in front does it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ManualClock } from '../support/manual-clock.ts';
import { freshSession, type Pod, Pods, timeouts } from './keeper-pods.ts';

const nobody: ReadonlySet<string> = new Set();

/** `q` meets each of them, in this order. */
async function meets(q: Pod, others: readonly Pod[]): Promise<void> {
  for (const other of others) {
    const session = freshSession();
    await other.create(session);
    assert.equal(await q.turnedAway(session), `elsewhere ${other.uid}`);
  }
}

function die(pods: readonly Pod[]): void {
  for (const pod of pods) {
    pod.kill();
    pod.serves = false;
  }
}

test('of many that were met, one that serves is found, however many died that were met later', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const [q, living] = [await pods.add('q'), await pods.add('living')];
  const dead: Pod[] = [];
  for (let count = 0; count < 12; count++) dead.push(await pods.add(`dead-${count}`));
  await meets(q, [living, ...dead]);
  die(dead);
  clock.advance(1000);
  assert.equal((await q.keeper.otherPod(nobody))?.uid, 'living');
  const { looked } = q;
  assert.equal((await q.keeper.otherPod(nobody))?.uid, 'living');
  assert.equal(q.looked, looked, 'what one look has found counts for all requests of that second');
  assert.equal(await q.keeper.otherPod(new Set(['living'])), undefined);
  const all = q.looked;
  assert.equal(await q.keeper.otherPod(new Set(['living'])), undefined);
  assert.equal(q.looked, all, 'that nobody serves counts as well');
});

test('a search that took too long looks at nobody else', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const q = await pods.add('q');
  const frozen: Pod[] = [];
  for (let count = 0; count < 12; count++) frozen.push(await pods.add(`frozen-${count}`));
  await meets(q, frozen);
  die(frozen);
  clock.advance(1000);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  [q.looksTake, q.looked] = [promise, 0];
  const finding = q.keeper.otherPod(nobody);
  assert.equal(q.looked, 8, 'so many at once');
  clock.advance(timeouts.handoffMs);
  assert.equal(await finding, undefined);
  resolve(undefined);
  await new Promise(setImmediate);
  assert.equal(q.looked, 8);
});

test('one that has just answered is asked before one that was met later', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const [q, heard, met] = [await pods.add('q'), await pods.add('heard'), await pods.add('met')];
  await meets(q, [heard]);
  const session = freshSession();
  await heard.create(session);
  assert.equal(await q.count(session, { move: 'draining' }), 2);
  await meets(q, [met]);
  // Both serve: whichever answers first would do, and both answer at once.
  clock.advance(1000);
  assert.equal((await q.keeper.otherPod(nobody))?.uid, 'heard');
});

test('where a rollout has replaced all that were met, those are found that have the sessions which were here', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const [q, old] = [await pods.add('q'), await pods.add('old')];
  await meets(q, [old]);
  const session = freshSession();
  await q.create(session);
  await q.keeper.drain(1000);
  const fresh = await pods.add('fresh');
  assert.equal(await fresh.count(session), 2);
  die([old]);
  clock.advance(1000);
  assert.equal((await q.keeper.otherPod(nobody))?.uid, 'fresh');
});

test('where a session went on elsewhere after it was forwarded, its new owner is found', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const [q, old] = [await pods.add('q'), await pods.add('old')];
  const session = freshSession();
  await old.create(session);
  assert.equal(await q.turnedAway(session), 'elsewhere old');
  const fresh = await pods.add('fresh');
  assert.equal(await fresh.count(session, { move: 'draining' }), 2);
  die([old]);
  clock.advance(1000);
  assert.equal((await q.keeper.otherPod(nobody))?.uid, 'fresh');
});
