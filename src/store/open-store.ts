/**
 * From the configuration to a working store, put together in the order in which a call meets the parts:
 * watched (fails at once while the store is down), sealed, and Redis or this process's memory.
 */

import type { RedisOptions } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { KeySource } from '../base/keyring.ts';
import type { Timeouts } from '../base/limits.ts';
import type { Store } from './contract.ts';
import { MemoryStore } from './memory.ts';
import { ClusterRoute } from './redis-cluster.ts';
import type { WaitFor } from './redis-connection.ts';
import { OneServerRoute } from './redis-route.ts';
import type { RedisRoute, RouteOptions } from './redis-route.ts';
import { PrimarySwitches } from './redis-switches.ts';
import { parseRedisUrl } from './redis-url.ts';
import type { RedisPlace } from './redis-url.ts';
import { RedisStore } from './redis.ts';
import { Sealer } from './seal.ts';
import { SealedStore } from './sealed-store.ts';
import { WatchedStore } from './store-health.ts';
import type { StoreHealth } from './store-health.ts';
import { StoreNames } from './store-names.ts';

export interface OpenStoreOptions {
  /** `memory:`, or what parseRedisUrl reads. */
  readonly url: string;
  /** `store.key`: the first seals, all open. */
  readonly secrets: KeySource;
  /** `store.nameKey`, by default the single `store.key`. */
  readonly nameSecret: Buffer;
  /** `store.prefix`: the application. */
  readonly prefix: string;
  readonly timeouts: Pick<Timeouts, 'storeMs' | 'connectMs'>;
  readonly clock: Clock;
  /** CA, certificate and key, server name. Its presence means TLS for sentinels and clusters, as `rediss` does. */
  readonly tls?: ConnectionOptions;
  /** Who we are to the sentinels, which have users of their own. */
  readonly sentinel?: { readonly username?: string | undefined; readonly password?: string | undefined };
  /** Replicas that must have a write before it counts; undefined: none. */
  readonly wait?: WaitFor | undefined;
  /** For `memory:`. */
  readonly memoryBytesMax?: number;
}

export interface OpenedStore {
  readonly store: Store;
  readonly health: StoreHealth;
  readonly names: StoreNames;
  readonly counters: StoreCounters;
  /** The servers' maxmemory-policy, each once, as far as they tell; of use once the store is up. */
  policies(): Promise<readonly string[]>;
}

export interface StoreCounters {
  /** Writes that fewer replicas than `store.wait.replicas` had in time. */
  waitsShort: number;
}

/**
 * Opens a store; it is 'starting' until it has answered, which health.started() waits for. End it with
 * store.close().
 * @throws HoldfastError 'bad-configuration' for a URL that can't be used.
 */
export function openStore(options: OpenStoreOptions): OpenedStore {
  const { clock, prefix } = options;
  const sealer = new Sealer(options.secrets, prefix);
  const names = new StoreNames(options.nameSecret, prefix);
  const counters: StoreCounters = { waitsShort: 0 };
  if (options.url === 'memory:') {
    const bytesMax = options.memoryBytesMax;
    const memory = new MemoryStore({ clock, ...(bytesMax === undefined ? {} : { bytesMax }) });
    const watched = new WatchedStore(new SealedStore(memory, sealer), clock);
    return { store: watched, health: watched, names, counters, policies: () => Promise.resolve([]) };
  }
  const route = openRoute(parseRedisUrl(options.url), options, {
    ...options.timeouts,
    clock,
    wait: options.wait,
    onShort: () => {
      counters.waitsShort++;
    },
  });
  const watched = new WatchedStore(new SealedStore(new RedisStore(route, keyPrefix(prefix)), sealer), clock);
  route.onConnection((connected) => watched.connectionChanged(connected));
  return {
    store: watched,
    health: watched,
    names,
    counters,
    policies: () => route.policies().then((policies) => [...new Set(policies)]),
  };
}

/** What every key of one application begins with. */
export function keyPrefix(prefix: string): string {
  return `hf:${prefix}:`;
}

/** The way to the servers of a URL. */
export function openRoute(
  place: RedisPlace,
  access: Pick<OpenStoreOptions, 'tls' | 'sentinel'>,
  options: RouteOptions,
): RedisRoute {
  const { username, password } = place;
  const user: RedisOptions = { ...(username && { username }), ...(password && { password }) };
  const tls = place.secure || (place.kind !== 'single' && access.tls !== undefined) ? { ...access.tls } : undefined;
  const client: RedisOptions = tls === undefined ? user : { ...user, tls };
  switch (place.kind) {
    case 'single':
      return new OneServerRoute({ ...client, ...place.address, db: place.db }, options);
    case 'sentinel':
      return openSentinelRoute(place, { client, tls, user: access.sentinel }, options);
    case 'cluster':
      return new ClusterRoute(place.seeds, client, options);
  }
}

function openSentinelRoute(
  place: RedisPlace & { readonly kind: 'sentinel' },
  access: {
    readonly client: RedisOptions;
    readonly tls: ConnectionOptions | undefined;
    readonly user: OpenStoreOptions['sentinel'];
  },
  options: RouteOptions,
): RedisRoute {
  const { client, tls, user } = access;
  const sentinels = [...place.sentinels];
  const { username, password } = user ?? {};
  const asked: RedisOptions = {
    ...client,
    db: place.db,
    sentinels,
    name: place.master,
    // The list of the URL is the list: what sentinels call each other may be addresses of another network.
    updateSentinels: false,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
    ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  };
  const watched: RedisOptions = {
    connectTimeout: options.connectMs,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls }),
  };
  return new OneServerRoute(
    asked,
    options,
    (leave) => new PrimarySwitches({ sentinels, client: watched, master: place.master, onSwitch: leave }),
  );
}
