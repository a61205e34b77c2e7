/** Taking up again what was served without the store: whatever is in the way, nobody waits for it for good. */

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';

import { HoldfastError } from '../../src/base/errors.ts';
import { until } from '../support/until.ts';
import { freshSession, type Pod, Pods, refusedPut } from './keeper-pods.ts';

/** While `isAway`, puts find a part of the store that is not there; the store itself is up. */
function partly(pods: Pods, pod: Pod): { isAway: boolean } {
  const part = { isAway: true };
  pod.line.inner = new Proxy(pods.store, {
    get: (store, name) => {
      const unavailable = (): Promise<never> =>
        Promise.reject(new HoldfastError('store-part-unavailable', 'Its node is away.'));
      const method: unknown = Reflect.get(store, name);
      if (typeof method !== 'function') return method;
      return name === 'put' && part.isAway ? unavailable : (method.bind(store) as unknown);
    },
  });
  return part;
}

test('serve: what a part of the store did not take is stored when it is back, without another request', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const part = partly(pods, p);
  assert.equal(await p.count(session), 2);
  assert.equal(p.keeper.sizes.unsynced, 1);
  assert.equal(p.health.state, 'up');
  part.isAway = false;
  await until('it is stored', () => p.keeper.sizes.unsynced === 0);
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 3);
});

test('an answer of an outage whose file can not be read when the store is back is refused, and soon', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.restartCut();
  const stay = await p.enter(session);
  p.unlink(session);
  mkdirSync(p.path(session));
  await p.mend();
  assert.deepEqual(await stay.settle(), refusedPut);
});

test('an emptied file that can not be written back beside a request that goes on is no matter of the next one', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.restartCut();
  const [stay, stream] = [await p.enter(session), await p.enter(session)];
  p.write(session, '');
  await p.mend();
  assert.deepEqual(await stay.settle(), refusedPut);
  await until('it was given up', async () => (await pods.ownerOf(session)) === 'free');
  stream.abandon('client-left');
  assert.equal(await p.count(session), 2);
});

test('what the application wrote while no keeper ran is stored without being asked for; what is older is left alone', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const [written, idle, ended] = [freshSession(), freshSession(), freshSession()];
  for (const session of [written, idle, ended]) await p.create(session);
  p.touch(idle, Date.now() / 1000 - 60);
  p.kill();
  p.write(written, '7');
  assert.equal(await q.count(ended, { move: 'gone' }), 2);
  p.write(ended, '9');
  await p.restart(Date.now() - 10_000);
  await until('it is stored', () => p.keeper.sizes.unsynced === 0);
  assert.equal(await pods.ownerOf(written), 'p');
  assert.equal(p.keeper.counts.owned, 1, 'the idle one was not asked for');
  assert.ok(!p.hasFile(ended), 'what another pod has gone on from is not the newest');
  p.kill();
  assert.equal(await q.count(written, { move: 'gone' }), 8);
  assert.equal(await q.count(ended), 3);
});
