/**
 * A real Redis Cluster: slots that move under load, nodes that die, and a cluster that is down.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { OpenedStore } from '../../src/store/open-store.ts';
import { slotOf } from '../../src/store/redis-slots.ts';
import { openedStore, SessionWriter } from '../support/opened-store.ts';
import { RedisCluster } from '../support/redis-cluster.ts';
import type { ClusterOptions } from '../support/redis-cluster.ts';
import { content, create, freshName, ownerP, ttlMs } from '../support/store-subjects.ts';
import type { StoreName } from '../../src/store/contract.ts';
import { until } from '../support/until.ts';

const longer = { deadlineMs: 90_000 };

describe('a Redis Cluster', { concurrency: true }, () => {
  test('slots move back and forth under load: every put is stored or unknown, and none that was acknowledged is lost', async (t) => {
    const { cluster, opened } = await started(t, {}, 2000);
    const { store } = opened;
    const writers = Array.from({ length: 6 }, () => new SessionWriter(store));
    for (const writer of writers) await writer.start();
    for (let round = 0; round < 6; round++) {
      for (const { name } of writers) {
        const { slot, master } = await cluster.placeOf(`hf:shop:${name}`);
        const home = cluster.masters[master]!;
        const other = cluster.masters[(master + 1) % 3]!;
        await (round % 2 === 0 ? cluster.move(slot, home, other) : cluster.move(slot, other, home));
      }
    }
    const at = writers.map(({ sent }) => sent);
    await until('they still write', () => writers.every((w, i) => w.acknowledged > at[i]!), longer);
    await Promise.all(writers.map((writer) => writer.stop()));
    for (const writer of writers) {
      assert.equal(writer.refused, 0, 'nobody else writes these sessions');
      assert.ok((await writer.found()) >= writer.acknowledged, writer.name);
    }
    const puts = writers.reduce((sum, { sent }) => sum + sent, 0);
    const failures = writers.reduce((sum, writer) => sum + writer.failures, 0);
    t.diagnostic(`${puts} puts during 36 moves, ${failures} without an answer`);
  });

  test('every call of the contract follows a slot that is half-way: MOVED and ASK', async (t) => {
    const { cluster, opened } = await started(t, {}, 2000);
    const { store } = opened;
    const [old, fresh] = await namesOfOneSlot(cluster);
    const epoch = await create(store, old, content(1, 'one'));
    const { slot, master } = await cluster.placeOf(`hf:shop:${old}`);
    const [from, to] = [cluster.masters[master]!, cluster.masters[(master + 1) % 3]!];
    await to.execute('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await cluster.id(from));
    await from.execute('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await cluster.id(to));
    assert.equal((await store.put(old, ownerP, epoch, content(2, 'two'), ttlMs)).kind, 'stored', 'not moved yet');
    const created = await create(store, fresh, content(1, 'new'));
    assert.equal((await store.ownerOf(fresh))?.epoch, created, 'absent here, so it is made there (ASK)');
    await from.execute('MIGRATE', '127.0.0.1', to.port, `hf:shop:${old}`, 0, 5000);
    assert.equal((await store.put(old, ownerP, epoch, content(3, 'three'), ttlMs)).kind, 'stored', 'asked for there');
    assert.equal((await store.ownerOf(old))?.version, 3);
    for (const node of [to, from, ...cluster.masters]) {
      await node.execute('CLUSTER', 'SETSLOT', slot, 'NODE', await cluster.id(to));
    }
    assert.equal((await store.put(old, ownerP, epoch, content(4, 'four'), ttlMs)).kind, 'stored', 'moved');
    assert.equal(String(await to.execute('HGET', `hf:shop:${old}`, 'v')), '4');
  });

  test('a master dies: its sessions wait for its replica, those of other masters go on', async (t) => {
    const { cluster, opened } = await started(t, { replica: true, args: ['--cluster-require-full-coverage', 'no'] });
    const { store, health } = opened;
    const [here, elsewhere] = await Promise.all([sessionOf(cluster, 0), sessionOf(cluster, 1)]);
    const first = await create(store, here, content(1, 'one'));
    const second = await create(store, elsewhere, content(1, 'one'));
    // Not before it is asked whether the others go on.
    await cluster.replica!.execute('CONFIG', 'SET', 'cluster-replica-no-failover', 'yes');
    const states: string[] = [];
    health.onChange((state) => states.push(state));
    await cluster.masters[0]!.kill();
    await assert.rejects(store.put(here, ownerP, first, content(2, 'two'), ttlMs));
    assert.equal((await store.put(elsewhere, ownerP, second, content(2, 'two'), ttlMs)).kind, 'stored');
    for (let call = 0; call < 5; call++) {
      await assert.rejects(store.confirm(here, { epoch: first, uid: ownerP.uid }, undefined));
    }
    assert.equal(health.state, 'up', 'one node is not the store');
    await cluster.replica!.execute('CONFIG', 'SET', 'cluster-replica-no-failover', 'no');
    await until(
      'its replica has taken over',
      async () => (await store.put(here, ownerP, first, content(3, 'three'), ttlMs)).kind === 'stored',
      longer,
    );
    assert.deepEqual(states, []);
  });

  test('a cluster that misses slots takes no writes and is down, until it is whole again', async (t) => {
    const { cluster, opened } = await started(t, {});
    const { store, health } = opened;
    const name = await sessionOf(cluster, 1);
    const epoch = await create(store, name, content(1, 'one'));
    cluster.masters[0]!.freeze();
    const put = () => store.put(name, ownerP, epoch, content(2, 'two'), ttlMs);
    await until(
      'the store is down',
      async () => {
        await put().catch(() => undefined);
        return health.state === 'down' && health.why?.message.includes('CLUSTERDOWN');
      },
      longer,
    );
    cluster.masters[0]!.thaw();
    await until('it is up again', () => health.state === 'up', longer);
    // Up as soon as one master takes writes; the others follow.
    const third = () => store.put(name, ownerP, epoch, content(3, 'three'), ttlMs);
    await until('a put is stored', async () => (await third()).kind === 'stored', longer);
  });

  test('all nodes are killed: down at once, and up when they are back', async (t) => {
    const { cluster, opened } = await started(t, { args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const { store, health } = opened;
    const name = await sessionOf(cluster, 2);
    const epoch = await create(store, name, content(1, 'one'));
    await Promise.all(cluster.masters.map((node) => node.kill()));
    await until('the loss was noticed', () => health.state === 'down');
    await Promise.all(cluster.masters.map((node) => node.run()));
    await until('it is up again', () => health.state === 'up', longer);
    await until(
      'the session is there',
      async () => (await store.confirm(name, { epoch, uid: ownerP.uid }, undefined)).kind === 'stored',
      longer,
    );
  });

  test('the slot of a key is the one that Redis computes', async (t) => {
    const { cluster } = await started(t, {});
    for (const key of ['', 'a', '123456789', 'hf:shop:AbC_-9', 'é€😀']) {
      assert.equal(slotOf(key), (await cluster.placeOf(key)).slot, key);
    }
  });
});

async function started(
  t: TestContext,
  options: ClusterOptions,
  storeMs = 1000,
): Promise<{ cluster: RedisCluster; opened: OpenedStore }> {
  const cluster = await RedisCluster.start(options);
  t.after(() => cluster.stop());
  const opened = openedStore(cluster.url(), { timeouts: { storeMs, connectMs: 1000 } });
  t.after(() => opened.store.close());
  await until('the store is up', () => opened.health.state === 'up', longer);
  // Up with one master; these tests begin with all of them.
  await until(
    'every master answers',
    async () => {
      for (const master of [0, 1, 2]) await opened.store.ownerOf(await sessionOf(cluster, master));
      return true;
    },
    longer,
  );
  return { cluster, opened };
}

/** A fresh name that falls to a master. */
async function sessionOf(cluster: RedisCluster, master: number): Promise<StoreName> {
  for (;;) {
    const name = freshName();
    if ((await cluster.placeOf(`hf:shop:${name}`)).master === master) return name;
  }
}

/** Two names of one slot: what one slot holds is moved one key after another. */
async function namesOfOneSlot(cluster: RedisCluster): Promise<readonly [StoreName, StoreName]> {
  const seen = new Map<number, StoreName>();
  for (;;) {
    const name = freshName();
    const slot = slotOf(`hf:shop:${name}`);
    const other = seen.get(slot);
    if (other !== undefined && (await cluster.placeOf(`hf:shop:${name}`)).slot === slot) return [other, name];
    seen.set(slot, name);
  }
}
