/** Pods are evened out: an owner gives an idle session to the pod that a gateway chose, or keeps it and serves. */

import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';

import { until } from '../support/until.ts';
import { freshSession, type Pod, type PodOptions, Pods } from './keeper-pods.ts';

const moved = { move: 'rebalance', fromGateway: true } as const;

async function two(t: TestContext, options: PodOptions = { rebalance: true }) {
  const pods = new Pods(t);
  const p = await pods.add('p', options);
  const q = await pods.add('q', { rebalance: true });
  const session = freshSession();
  await p.create(session);
  return { pods, p, q, session };
}

function keptBy(p: Pod): string {
  return `elsewhere ${p.uid}`;
}

test('an idle session is given, with what was written last, and counted where it is', async (t) => {
  const { pods, p, q, session } = await two(t);
  await p.count(session);
  assert.deepEqual(
    [p.keeper.counts, q.keeper.counts],
    [
      { owned: 1, active: 1 },
      { owned: 0, active: 0 },
    ],
  );
  assert.equal(await q.count(session, moved), 3);
  assert.equal(await pods.ownerOf(session), 'q');
  assert.deepEqual(
    q.asked.map(({ why }) => why),
    ['rebalance'],
  );
  assert.deepEqual(
    [p.keeper.counts, q.keeper.counts],
    [
      { owned: 0, active: 0 },
      { owned: 1, active: 1 },
    ],
  );
  assert.ok(!p.hasFile(session));
});

test('a session that is in use is kept, at once, and the request is forwarded', async (t) => {
  const { pods, p, q, session } = await two(t);
  const other = await p.enter(session);
  assert.equal(await q.turnedAway(session, moved), keptBy(p));
  p.increment(session);
  assert.deepEqual(await other.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(session), 'p');
  assert.equal(await q.count(session, moved), 3, 'the next time');
});

test('an owner that is not configured for it keeps its sessions', async (t) => {
  const { pods, p, q, session } = await two(t, {});
  assert.equal(await q.turnedAway(session, moved), keptBy(p));
  assert.equal(await pods.ownerOf(session), 'p');
});

test('an owner that can not be asked keeps it too: nothing is taken by force for even numbers', async (t) => {
  const { pods, p, q, session } = await two(t);
  p.reachable = false;
  assert.equal(await q.turnedAway(session, moved), keptBy(p));
  assert.equal(await pods.ownerOf(session), 'p');
  assert.equal(q.keeper.counters.forced, 0);
  p.reachable = true;
  assert.equal(await q.count(session, moved), 2, 'and nothing was concluded from its silence');
});

test('an owner that does not even serve is dead: its session is taken as always', async (t) => {
  const { pods, p, q, session } = await two(t);
  p.kill();
  p.serves = false;
  assert.equal(await q.count(session, moved), 2);
  assert.equal(await pods.ownerOf(session), 'q');
  assert.equal(q.keeper.counters.forced, 1);
});

test('a pod that goes away takes none', async (t) => {
  const { pods, p, q, session } = await two(t);
  await q.keeper.drain(1000);
  assert.equal(await q.turnedAway(session, moved), keptBy(p));
  assert.equal(await pods.ownerOf(session), 'p');
});

test('an owner without the store keeps what it has', async (t) => {
  const { p, q, session } = await two(t);
  p.cut();
  assert.equal(await q.turnedAway(session, moved), keptBy(p));
});

test('many requests at once of a session that moves: each is served once, wherever it is', async (t) => {
  const { pods, p, q, session } = await two(t);
  const ends = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const pod = index % 3 === 0 ? q : p;
      const ask = index % 3 === 0 ? moved : {};
      const admission = await pod.keeper.admit({ session, move: undefined, hopped: false, ...ask });
      if (admission.kind !== 'here') return admission.kind;
      const verdict = await admission.stay.settle();
      return verdict.kind;
    }),
  );
  assert.ok(
    ends.every((end) => end === 'leave' || end === 'elsewhere'),
    String(ends),
  );
  await until('somebody owns it', async () => ['p', 'q'].includes(await pods.ownerOf(session)));
});
