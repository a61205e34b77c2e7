/**
 * Every implementation of the store, bare and sealed, ready for the tests that hold for all of them.
 */

import assert from 'node:assert/strict';
import { systemClock } from '../../src/base/clock.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { Owner, PutContent, Store, StoreName, TakeResult } from '../../src/store/contract.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { keyPrefix, openRoute } from '../../src/store/open-store.ts';
import { parseRedisUrl } from '../../src/store/redis-url.ts';
import { RedisStore } from '../../src/store/redis.ts';
import { Sealer } from '../../src/store/seal.ts';
import { SealedStore } from '../../src/store/sealed-store.ts';
import { RedisCluster } from './redis-cluster.ts';
import { RedisSentinels } from './redis-sentinels.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

export interface StoreSubject {
  readonly store: Store;
  /** Loses all data, as a server does that restarts without persistence. */
  lose(): Promise<void>;
  close(): Promise<void>;
}

/** The life of records where it does not matter. */
export const ttlMs = 60_000;

let names = 0;

export const ownerP: Owner = { uid: 'uid-p', name: 'pod-p', peer: '10.0.0.1:9902', data: '10.0.0.1:8080' };
export const ownerQ: Owner = { uid: 'uid-q', name: 'pod "q" é', peer: '[::1]:9902', data: '[::1]:8080' };

export const storeSubjects: Readonly<Record<string, () => Promise<StoreSubject>>> = {
  'memory, bare': () => memorySubject((store) => store),
  'memory, sealed': () => memorySubject(sealed),
  'redis, bare': () => redisSubject((store) => store),
  'redis, sealed': () => redisSubject(sealed),
  'redis behind sentinels': sentinelSubject,
  'redis cluster': clusterSubject,
};

/** A name no other test of this process uses. */
export function freshName(): StoreName {
  return `name-${++names}` as StoreName;
}

export function content(version: number, text: string, mtimeMs = 1_700_000_000_000): PutContent {
  return { version, bytes: Buffer.from(text), mtimeMs };
}

/** A session of ownerP's; its epoch. */
export async function create(store: Store, name: StoreName, what: PutContent, lifeMs = ttlMs): Promise<number> {
  const result = await store.create(name, ownerP, what, lifeMs);
  assert.ok(result.kind === 'created');
  return result.epoch;
}

export async function take(store: Store, name: StoreName, me: Owner): Promise<TakeResult & { kind: 'taken' }> {
  const result = await store.take(name, me, ttlMs);
  assert.ok(result.kind === 'taken', `take answered ${result.kind}`);
  return result;
}

function sealed(inner: Store): Store {
  return new SealedStore(inner, new Sealer([Buffer.alloc(32, 7)], 'shop'));
}

/** Memory has no server to lose its data behind its back, so the loss is a new store behind the same face. */
function memorySubject(wrap: (store: Store) => Store): Promise<StoreSubject> {
  // The store's time must go on from one store to the next, as a server's does; Date.now() has only whole ms.
  const clock: Clock = { ...systemClock, nowMs: () => performance.timeOrigin + performance.now() };
  const make = (): Store => wrap(new MemoryStore({ clock }));
  let inner = make();
  const store: Store = {
    take: (...args) => inner.take(...args),
    force: (...args) => inner.force(...args),
    create: (...args) => inner.create(...args),
    put: (...args) => inner.put(...args),
    confirm: (...args) => inner.confirm(...args),
    release: (...args) => inner.release(...args),
    bury: (...args) => inner.bury(...args),
    plant: (...args) => inner.plant(...args),
    mark: (...args) => inner.mark(...args),
    ownerOf: (...args) => inner.ownerOf(...args),
    ping: () => inner.ping(),
    close: () => inner.close(),
  };
  const lose = (): Promise<void> => {
    inner = make();
    return Promise.resolve();
  };
  return Promise.resolve({ store, lose, close: () => inner.close() });
}

async function redisSubject(wrap: (store: Store) => Store): Promise<StoreSubject> {
  const server = await RedisServer.start();
  return connectedSubject(wrap(connectedStore(server.url)), [server], () => server.stop());
}

async function sentinelSubject(): Promise<StoreSubject> {
  // A primary that is only slow for a moment stays the primary: what these tests hold is true of one.
  const sentinelLines = ['sentinel down-after-milliseconds main 60000'];
  const group = await RedisSentinels.start({ sentinels: 1, sentinelLines });
  const [primary] = group.servers;
  return connectedSubject(connectedStore(group.url()), [primary!], () => group.stop());
}

async function clusterSubject(): Promise<StoreSubject> {
  // A node that is only slow for a moment has not failed.
  const cluster = await RedisCluster.start({ args: ['--cluster-node-timeout', '15000'] });
  return connectedSubject(connectedStore(cluster.url()), cluster.masters, () => cluster.stop());
}

/** A bare store at a URL, with a bound that a loaded machine keeps. */
export function connectedStore(url: string, storeMs = 5000): Store {
  const times = { storeMs, connectMs: 1000, clock: systemClock };
  return new RedisStore(
    openRoute(parseRedisUrl(url), {}, { ...times, wait: undefined, onShort: () => undefined }),
    keyPrefix('shop'),
  );
}

async function connectedSubject(
  store: Store,
  servers: readonly RedisServer[],
  stop: () => Promise<void>,
): Promise<StoreSubject> {
  await until('redis is connected', () => store.ping());
  return {
    store,
    lose: async () => {
      for (const server of servers) await server.command('FLUSHALL');
    },
    close: async () => {
      await store.close();
      await stop();
    },
  };
}
