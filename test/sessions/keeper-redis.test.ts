/** Keepers around a real redis-server, put together as the sidecar does: watched, sealed, over the network. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { systemClock } from '../../src/base/clock.ts';
import type { Secrets } from '../../src/base/keyring.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/contract.ts';
import { RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';
import { freshSession, Pods } from './keeper-pods.ts';

const secrets: Secrets = [Buffer.from('a store key of some length')];
const longer = { connectMs: 2000, syncMs: 10_000, handoffMs: 2000, lockMs: 5000 };
let redis: RedisServer;
let store: Store;

before(async () => {
  redis = await RedisServer.start({ appendOnly: true });
  const opened = openStore({
    url: redis.url,
    secrets,
    nameSecret: secrets[0],
    prefix: 'test',
    timeouts: { storeMs: 2000, connectMs: 2000 },
    clock: systemClock,
  });
  assert.equal(await opened.health.started(), 'up');
  store = opened.store;
});

after(async () => {
  await store.close();
  await redis.stop();
});

test('redis: a session goes on when its pod is killed', async (t) => {
  const pods = new Pods(t, { store });
  const [p, q] = [await pods.add('p', { timeouts: longer }), await pods.add('q', { timeouts: longer })];
  const session = freshSession();
  await p.create(session);
  assert.equal(await p.count(session), 2);
  p.kill();
  assert.equal(await q.count(session, { move: 'gone' }), 3);
  await p.restart();
  assert.equal(await p.turnedAway(session), 'elsewhere q');
  assert.equal(await p.count(session, { move: 'draining' }), 4);
});

test('redis: an unchanged answer of a pod that lost its session does not leave', async (t) => {
  const pods = new Pods(t, { store });
  const [p, q] = [await pods.add('p', { timeouts: longer }), await pods.add('q', { timeouts: longer })];
  const session = freshSession();
  await p.create(session);
  await p.look(session);
  p.reachable = false;
  assert.equal(await q.count(session, { move: 'gone' }), 2);
  assert.equal((await p.look(session)).verdict.kind, 'refuse');
});

test('redis: a logout stays, a regenerate ends the old id', async (t) => {
  const pods = new Pods(t, { store });
  const p = await pods.add('p', { timeouts: longer });
  const [old, fresh] = [freshSession(), freshSession()];
  await p.create(old);
  const stay = await p.enter(old);
  p.increment(fresh);
  p.unlink(old);
  stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(old), 'tombstone');
  assert.equal(await pods.ownerOf(fresh), 'p');
});

test('redis: sessions go on through a restart of the server and are stored when it is back', async (t) => {
  const pods = new Pods(t, { store });
  const p = await pods.add('p', { timeouts: longer });
  const session = freshSession();
  await p.create(session);
  await redis.kill();
  assert.equal(await p.count(session), 2);
  assert.equal(await p.count(session), 3);
  await redis.run();
  await until('everything is stored', () => p.health.state === 'up' && p.keeper.sizes.unsynced === 0);
  p.kill();
  const q = await pods.add('q', { timeouts: longer });
  assert.equal(await q.count(session, { move: 'gone' }), 4);
});
