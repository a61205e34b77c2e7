/**
 * From the configuration to a working store, put together in the order in which a call meets the parts:
 * watched (fails at once while the store is down), sealed, and Redis or this process's memory.
 */

import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { Secrets } from '../base/keyring.ts';
import type { Timeouts } from '../base/limits.ts';
import type { Store } from './contract.ts';
import { MemoryStore } from './memory.ts';
import { parseRedisUrl } from './redis-url.ts';
import { RedisStore } from './redis.ts';
import { Sealer } from './seal.ts';
import { SealedStore } from './sealed-store.ts';
import { WatchedStore } from './store-health.ts';
import type { StoreHealth } from './store-health.ts';
import { StoreNames } from './store-names.ts';

export interface OpenStoreOptions {
  /** `memory:`, `redis://` or `rediss://`. */
  readonly url: string;
  /** `store.key`: the first seals, all open. */
  readonly secrets: Secrets;
  /** `store.nameKey`, by default the single `store.key`. */
  readonly nameSecret: Buffer;
  /** `store.prefix`: the application. */
  readonly prefix: string;
  readonly timeouts: Pick<Timeouts, 'storeMs' | 'connectMs'>;
  readonly clock: Clock;
  /** For `rediss://`: CA, certificate and key, server name. */
  readonly tls?: ConnectionOptions;
  /** For `memory:`. */
  readonly memoryBytesMax?: number;
}

export interface OpenedStore {
  readonly store: Store;
  readonly health: StoreHealth;
  readonly names: StoreNames;
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
  if (options.url === 'memory:') {
    const bytesMax = options.memoryBytesMax;
    const memory = new MemoryStore({ clock, ...(bytesMax === undefined ? {} : { bytesMax }) });
    const watched = new WatchedStore(new SealedStore(memory, sealer), clock);
    return { store: watched, health: watched, names };
  }
  const redis = openRedis(options);
  const watched = new WatchedStore(new SealedStore(redis, sealer), clock);
  redis.onConnection((connected) => watched.connectionChanged(connected));
  return { store: watched, health: watched, names };
}

function openRedis(options: OpenStoreOptions): RedisStore {
  const { secure, ...address } = parseRedisUrl(options.url);
  return new RedisStore({
    connection: { ...address, ...(secure ? { tls: { ...options.tls } } : {}) },
    keyPrefix: `hf:${options.prefix}:`,
    storeMs: options.timeouts.storeMs,
    connectMs: options.timeouts.connectMs,
    clock: options.clock,
  });
}
