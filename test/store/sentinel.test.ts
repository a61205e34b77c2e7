/**
 * Redis behind real sentinels: failovers under load, sentinels that are away, and a primary that was demoted.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { openedStore, SessionWriter } from '../support/opened-store.ts';
import { RedisSentinels } from '../support/redis-sentinels.ts';
import { content, create, freshName, ownerP, ttlMs } from '../support/store-subjects.ts';
import { until } from '../support/until.ts';

const failoverMs = { deadlineMs: 90_000 };

describe('behind sentinels', { concurrency: true }, () => {
  test('the primary is killed under load: writes go on at the promoted replica, and nothing older covers newer', async (t) => {
    const group = await started(t);
    const { store, health } = openedStore(group.url());
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up', failoverMs);
    const writers = Array.from({ length: 8 }, () => new SessionWriter(store));
    for (const writer of writers) await writer.start();
    await until('they write', () => writers.every(({ acknowledged }) => acknowledged > 20), failoverMs);
    const before = await group.primary();
    await before.kill();
    const at = writers.map(({ sent }) => sent);
    await until('they write again', () => writers.every((w, i) => w.acknowledged > at[i]! + 20), failoverMs);
    await Promise.all(writers.map((writer) => writer.stop()));
    assert.notEqual((await group.primary()).port, before.port);
    for (const writer of writers) {
      // The primary that acknowledged more is dead: what counts is everything since the promotion, and no term was
      // lost with it, because a term begins before its first put.
      assert.equal(writer.refused, 0);
      assert.ok((await writer.found()) >= writer.acknowledged);
    }
    const gaps = writers.map(({ longestGapMs }) => Math.round(longestGapMs));
    t.diagnostic(`longest time without an acknowledged write: ${Math.max(...gaps)} ms (down-after 500 ms)`);
  });

  test('with a replica to wait for, a planned failover loses no acknowledged write', async (t) => {
    const group = await started(t);
    const timeouts = { storeMs: 1000, connectMs: 500 };
    const opened = openedStore(group.url(), { wait: { replicas: 1, timeoutMs: 200 }, timeouts });
    const { store, health } = opened;
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up', failoverMs);
    const writers = Array.from({ length: 4 }, () => new SessionWriter(store));
    for (const writer of writers) await writer.start();
    await until('they write', () => writers.every(({ acknowledged }) => acknowledged > 20), failoverMs);
    const before = await group.primary();
    // A sentinel that has not heard of the replica for a moment finds none to promote.
    await until(
      'a failover begins',
      () => group.sentinels[0]!.execute('SENTINEL', 'FAILOVER', 'main').then(() => true),
      failoverMs,
    );
    await until('there is a new primary', async () => (await group.primary()).port !== before.port, failoverMs);
    const at = writers.map(({ sent }) => sent);
    await until('they write again', () => writers.every((w, i) => w.acknowledged > at[i]! + 5), failoverMs);
    await Promise.all(writers.map((writer) => writer.stop()));
    for (const writer of writers) assert.ok((await until('it is found', () => writer.found())) >= writer.acknowledged);
    t.diagnostic(`${opened.counters.waitsShort} writes were not confirmed`);
  });

  test('a server that turns out to be a replica is left, and the sentinels are asked again', async (t) => {
    const group = await started(t);
    const { store, health } = openedStore(group.url());
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up', failoverMs);
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    const primary = await group.primary();
    // Demoted by hand, behind the sentinels' back: no connection is closed, nobody announces anything.
    await primary.command('REPLICAOF 127.0.0.1 1');
    const put = () => store.put(name, ownerP, epoch, content(2, 'two'), ttlMs);
    await assert.rejects(put(), { kind: 'store-unavailable', message: /READONLY/ });
    await until('it was left', () => health.state === 'down');
    await primary.command('REPLICAOF NO ONE');
    await until('whoever is primary is found', async () => (await put()).kind === 'stored', failoverMs);
  });

  test('a sentinel that is dead and one that hangs cost time, not the store', async (t) => {
    const group = await started(t);
    const [dead, frozen] = group.sentinels;
    await dead!.kill();
    frozen!.freeze();
    const { store, health } = openedStore(group.url());
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up', failoverMs);
    await create(store, freshName(), content(1, 'one'));
  });

  test('users of Redis and users of sentinels are two things, and a wrong one is named', async (t) => {
    const args = ['--requirepass', 'data', '--masterauth', 'data'];
    const sentinelLines = ['sentinel auth-pass main data'];
    const group = await RedisSentinels.start({ replicas: 0, sentinels: 1, args, sentinelLines });
    t.after(() => group.stop());
    await group.sentinels[0]!.execute('CONFIG', 'SET', 'requirepass', 'watch').catch(() => undefined);
    await group.sentinels[0]!.execute('ACL', 'SETUSER', 'default', 'on', 'resetpass', '>watch');
    const right = openedStore(group.url(':data@'), { sentinel: { password: 'watch' } });
    const noData = openedStore(group.url(), { sentinel: { password: 'watch' } });
    const noSentinel = openedStore(group.url(':data@'));
    const unknown = openedStore(group.url(':data@').replace('/main/', '/other/'), { sentinel: { password: 'watch' } });
    t.after(() => Promise.all([right, noData, noSentinel, unknown].map(({ store }) => store.close())));
    await until('the right one is up', () => right.health.state === 'up');
    await until('Redis wants a password', () => /NOAUTH: Redis wants/.test(noData.health.why?.message ?? ''));
    await until('a sentinel wants one', () => /sentinel answered NOAUTH/.test(noSentinel.health.why?.message ?? ''));
    await until('it is unknown', () => /not know the primary's name/.test(unknown.health.why?.message ?? ''));
    for (const { health } of [noData, noSentinel, unknown]) assert.equal(health.why?.kind, 'store-misconfigured');
  });
});

async function started(t: TestContext): Promise<RedisSentinels> {
  const group = await RedisSentinels.start();
  t.after(() => group.stop());
  return group;
}
