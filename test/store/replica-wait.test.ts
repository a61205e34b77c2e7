/**
 * store.wait with a real replica: what counts as stored, what does not, and that nobody waits long for it.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ReplicaWait } from '../../src/store/redis-replicas.ts';
import { openedStore } from '../support/opened-store.ts';
import { RedisServer } from '../support/redis-server.ts';
import { content, create, freshName, ownerP, ownerQ, ttlMs } from '../support/store-subjects.ts';
import { until } from '../support/until.ts';

const unconfirmed = { kind: 'store-unavailable', message: /Only 0 of 1 replicas had the write within 100 ms/ };

async function pair(t: TestContext): Promise<{ primary: RedisServer; replica: RedisServer }> {
  const primary = await RedisServer.start({ args: ['--repl-diskless-sync-delay', '0'] });
  t.after(() => primary.stop());
  const replica = await RedisServer.start({ args: ['--replicaof', `127.0.0.1 ${primary.port}`] });
  t.after(() => replica.stop());
  await until('it follows', async () =>
    String(await replica.execute('INFO', 'replication')).includes('master_link_status:up'),
  );
  return { primary, replica };
}

describe('store.wait', () => {
  test('an answered write is on the replica', async (t) => {
    const { primary, replica } = await pair(t);
    const { store, counters } = openedStore(primary.url, {
      wait: { replicas: 1, timeoutMs: 2000 },
      timeouts: { storeMs: 5000, connectMs: 1000 },
    });
    t.after(() => store.close());
    await until('the store is up', () => store.ping());
    for (let session = 0; session < 50; session++) {
      const name = freshName();
      await create(store, name, content(1, 'one'));
      assert.equal(String(await replica.execute('HGET', `hf:shop:${name}`, 'v')), '1');
    }
    assert.equal(counters.waitsShort, 0);
  });

  test('a frozen replica: every call that promises ends unconfirmed, is counted, and the store is down until it is back', async (t) => {
    const { primary, replica } = await pair(t);
    const timeouts = { storeMs: 2000, connectMs: 1000 };
    const opened = openedStore(primary.url, { wait: { replicas: 1, timeoutMs: 100 }, timeouts });
    const { store, health, counters } = opened;
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up');
    const [name, taken, gone] = [freshName(), freshName(), freshName()];
    // Without a bound for the replica, which a busy machine would not keep.
    const { store: patient } = openedStore(primary.url, { timeouts });
    t.after(() => patient.close());
    await until('it is up too', () => patient.ping());
    const epoch = await create(patient, name, content(1, 'one'));
    await create(patient, taken, content(1, 'one'));
    const buried = { epoch: await create(patient, gone, content(1, 'one')), uid: ownerP.uid };
    replica.freeze();
    const term = { epoch, uid: ownerP.uid };
    const calls = [
      () => store.put(name, ownerP, epoch, content(2, 'two'), ttlMs),
      () => store.create(freshName(), ownerP, content(1, 'one'), ttlMs),
      () => store.take(taken, ownerP, ttlMs),
      () => store.bury(gone, buried, ttlMs),
      () => store.release(name, term),
    ];
    for (const call of calls) {
      await assert.rejects(call(), unconfirmed);
      // Questions go on: their answers promise nothing new.
      await store.ownerOf(name);
    }
    // The health's pings may have added some.
    assert.ok(counters.waitsShort >= calls.length, String(counters.waitsShort));
    assert.deepEqual(await store.take(taken, ownerQ, ttlMs).then(({ kind }) => kind), 'owned');
    // Unconfirmed is not undone: it is there, and whoever looks sees it.
    assert.equal((await store.ownerOf(name))?.version, 2);
    for (let call = 0; call < 3; call++) {
      await assert.rejects(store.put(taken, ownerP, Date.now() * 2000, content(2, 'x'), ttlMs), unconfirmed);
    }
    assert.equal(health.state, 'down');
    replica.thaw();
    await until('the replica is back', () => health.state === 'up');
  });

  test('those who come while one WAIT is under way share the next one', async () => {
    const asked: ((replicas: number) => void)[] = [];
    const wait = new ReplicaWait(() => new Promise((resolve) => asked.push(resolve)));
    const first = wait.reached();
    const others = [wait.reached(), wait.reached(), wait.reached()];
    assert.equal(asked.length, 1);
    asked[0]!(1);
    assert.equal(await first, 1);
    await until('the next one is asked', () => asked.length === 2);
    asked[1]!(0);
    assert.deepEqual(await Promise.all(others), [0, 0, 0]);
    assert.equal(asked.length, 2);
  });
});
