/**
 * The ACL lines of docs/store.md on a real Redis: with exactly these rights everything works, and each one that is
 * missing is named.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { HoldfastError } from '../../src/base/errors.ts';
import type { Store } from '../../src/store/contract.ts';
import type { OpenedStore } from '../../src/store/open-store.ts';
import { openedStore } from '../support/opened-store.ts';
import { repositoryRoot } from '../support/processes.ts';
import { RedisCluster } from '../support/redis-cluster.ts';
import { RedisSentinels } from '../support/redis-sentinels.ts';
import { RedisServer } from '../support/redis-server.ts';
import { content, create, freshName, ownerP, ownerQ, take, ttlMs } from '../support/store-subjects.ts';
import { until } from '../support/until.ts';

/** A line of the page: `ACL SETUSER <user> ...`, as the words after the user's name. */
async function documented(user: string): Promise<readonly string[]> {
  const page = await readFile(join(repositoryRoot, 'docs/store.md'), 'utf8');
  const line = page.split('\n').find((text) => text.startsWith(`ACL SETUSER ${user} `));
  assert.ok(line !== undefined, `docs/store.md has a line for ${user}`);
  return line.split(' ').slice(3);
}

/** Everything that a keeper, a gateway and an import ask of a store. */
async function useEverything(store: Store): Promise<void> {
  const name = freshName();
  const epoch = await create(store, name, content(1, 'one'));
  const term = { epoch, uid: ownerP.uid };
  assert.equal((await store.put(name, ownerP, epoch, content(2, 'two'), ttlMs)).kind, 'stored');
  assert.equal((await store.confirm(name, term, { ttlMs: 2 * ttlMs })).kind, 'stored');
  assert.equal((await store.ownerOf(name))?.version, 2);
  const forced = await store.force(name, ownerQ, term, ttlMs);
  assert.ok(forced.kind === 'taken');
  assert.equal((await store.release(name, { epoch: forced.epoch, uid: ownerQ.uid })).kind, 'stored');
  const taken = await take(store, name, ownerP);
  assert.equal((await store.bury(name, { epoch: taken.epoch, uid: ownerP.uid }, ttlMs)).kind, 'stored');
  assert.equal(await store.plant(freshName(), { bytes: Buffer.from('x'), mtimeMs: 1 }, ttlMs), 'planted');
  await store.mark('', 'mark');
  assert.ok((await store.ping()) > 0);
}

function opened(t: TestContext, url: string, wait = false): OpenedStore {
  const timeouts = { storeMs: 5000, connectMs: 2000 };
  const store = openedStore(url, { timeouts, ...(wait ? { wait: { replicas: 1, timeoutMs: 2400 } } : {}) });
  t.after(() => store.store.close());
  return store;
}

describe('the ACL lines of docs/store.md', { concurrency: true }, () => {
  test('one server: the line is enough, and each command that is missing is named', async (t) => {
    const server = await RedisServer.start();
    t.after(() => server.stop());
    const rights = await documented('holdfast');
    await server.execute('ACL', 'SETUSER', 'holdfast', ...rights);
    const { store, health } = opened(t, `redis://holdfast:SECRET@127.0.0.1:${server.port}`);
    await until('the store is up', () => health.state === 'up');
    await useEverything(store);

    const commands = rights.filter((right) => right.startsWith('+')).map((right) => right.slice(1));
    for (const command of commands.filter((name) => !['eval', 'wait', 'info'].includes(name))) {
      await server.execute('ACL', 'SETUSER', 'holdfast', `-${command}`);
      const other = opened(t, `redis://holdfast:SECRET@127.0.0.1:${server.port}`);
      const failure = async (): Promise<unknown> => {
        if (other.health.state !== 'up') return other.health.why;
        return useEverything(other.store).then(
          () => undefined,
          (error: unknown) => error,
        );
      };
      const named = new RegExp(`NOPERM.*\\b'?${command}\\b`);
      await until(`${command} is missed`, async () => {
        const why = await failure();
        return why instanceof HoldfastError && why.kind === 'store-misconfigured' && named.test(why.message);
      });
      await server.execute('ACL', 'SETUSER', 'holdfast', `+${command}`);
    }

    await server.execute('ACL', 'SETUSER', 'holdfast', '-eval');
    await server.execute('SCRIPT', 'FLUSH');
    await assert.rejects(store.ping(), { kind: 'store-misconfigured', message: /NOPERM.*'eval'/ });
    await server.execute('ACL', 'SETUSER', 'holdfast', '+eval', 'resetkeys', '~hf:other:*');
    await until('the key pattern is missed', () =>
      store.take(freshName(), ownerP, ttlMs).then(
        () => false,
        (error: unknown) => /NOPERM.*keys/.test(String(error)),
      ),
    );
  });

  test('without info nothing is warned of, and nothing else is missed', async (t) => {
    const server = await RedisServer.start({ args: ['--maxmemory-policy', 'allkeys-lru', '--maxmemory', '100mb'] });
    t.after(() => server.stop());
    await server.execute('ACL', 'SETUSER', 'holdfast', ...(await documented('holdfast')));
    const url = `redis://holdfast:SECRET@127.0.0.1:${server.port}`;
    const asking = opened(t, url);
    await until('the store is up', () => asking.health.state === 'up');
    assert.deepEqual(await asking.policies(), ['allkeys-lru']);
    await server.execute('ACL', 'SETUSER', 'holdfast', '-info');
    assert.deepEqual(await asking.policies(), []);
    assert.equal(asking.health.state, 'up');
  });

  test('store.wait: the line is enough, and wait is named where it is missing', async (t) => {
    const server = await RedisServer.start({ args: ['--repl-diskless-sync-delay', '0'] });
    t.after(() => server.stop());
    const replica = await RedisServer.start({ args: ['--replicaof', `127.0.0.1 ${server.port}`] });
    t.after(() => replica.stop());
    await server.execute('ACL', 'SETUSER', 'holdfast', ...(await documented('holdfast')));
    const { store, health } = opened(t, `redis://holdfast:SECRET@127.0.0.1:${server.port}`, true);
    await until('the store is up', () => health.state === 'up');
    await useEverything(store);
    await server.execute('ACL', 'SETUSER', 'holdfast', '-wait');
    await assert.rejects(store.ping(), { kind: 'store-misconfigured', message: /NOPERM.*'wait'/ });
  });

  test('a cluster: its line is enough, and each command that is missing is named', async (t) => {
    const cluster = await RedisCluster.start();
    t.after(() => cluster.stop());
    const rights = await documented('holdfast-cluster');
    const everywhere = async (...words: string[]): Promise<void> => {
      for (const node of cluster.masters) await node.execute('ACL', 'SETUSER', 'holdfast-cluster', ...words);
    };
    await everywhere(...rights);
    const url = cluster.url('holdfast-cluster:SECRET@');
    const { store, health } = opened(t, url);
    await until('the store is up', () => health.state === 'up');
    await until('everything works', () => useEverything(store).then(() => true));
    for (const [right, named] of [
      ['ping', 'ping'],
      ['cluster|slots', 'cluster'],
    ] as const) {
      await everywhere(`-${right}`);
      const other = opened(t, url);
      await until(`${right} is missed`, () => new RegExp(`NOPERM.*'${named}`).test(other.health.why?.message ?? ''));
      assert.equal(other.health.why?.kind, 'store-misconfigured');
      await everywhere(`+${right}`);
    }

    const name = freshName();
    const { slot, master } = await cluster.placeOf(`hf:shop:${name}`);
    const [from, to] = [cluster.masters[master]!, cluster.masters[(master + 1) % 3]!];
    await to.execute('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await cluster.id(from));
    await from.execute('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await cluster.id(to));
    await create(store, name, content(1, 'one'));
    await everywhere('-asking');
    await assert.rejects(store.ownerOf(name), { kind: 'store-misconfigured', message: /NOPERM.*'asking'/ });
  });

  test('sentinels: the line for their own users is enough', async (t) => {
    const group = await RedisSentinels.start({ replicas: 0, sentinels: 1 });
    t.after(() => group.stop());
    const [sentinel] = group.sentinels;
    await sentinel!.execute('ACL', 'SETUSER', 'holdfast-sentinel', ...(await documented('holdfast-sentinel')));
    const user = { username: 'holdfast-sentinel', password: 'SECRET' };
    const { store, health } = openedStore(group.url(), { sentinel: user });
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up');
    await sentinel!.execute('ACL', 'SETUSER', 'holdfast-sentinel', '-sentinel');
    const other = openedStore(group.url(), { sentinel: user });
    t.after(() => other.store.close());
    await until('the right is missed', () => /sentinel answered NOPERM/.test(other.health.why?.message ?? ''));
  });
});
