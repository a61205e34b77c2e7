/**
 * The way from a key to the server that has it: what redis.ts asks, and what a single server (or the primary that
 * sentinels know) and a cluster each answer in their own way.
 */

import type { Argument, ConnectionTimes, WaitFor } from './redis-connection.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisScript } from './redis-scripts.ts';
import { HoldfastError } from '../base/errors.ts';
import type { RedisOptions } from 'ioredis';

/** What is done at the server of a key. */
export type Deed =
  | { readonly kind: 'script'; readonly script: RedisScript; readonly args: readonly Argument[] }
  /** The fields of a hash. */
  | { readonly kind: 'read'; readonly fields: readonly string[] };

export interface RedisRoute {
  /** One deed on one key within the bound of a call; `wait`: replicas must have it if `isWrite` says so of the reply. */
  perform(key: string, deed: Deed, isWrite?: (reply: unknown) => boolean): Promise<unknown>;
  /** A write under a key of its own, at any server that takes one. */
  probe(prefix: string, deed: Deed): Promise<unknown>;
  /** One listener: whether any server is connected. */
  onConnection(listener: (connected: boolean) => void): void;
  /** What the servers tell of themselves; as far as they do. */
  policies(): Promise<readonly string[]>;
  close(): void;
}

export interface RouteOptions extends ConnectionTimes {
  readonly wait: WaitFor | undefined;
  /** A write that too few replicas had in time. */
  readonly onShort: () => void;
}

/** One server by its address, or whichever the sentinels call the primary. */
export class OneServerRoute implements RedisRoute {
  readonly #connection: RedisConnection;
  readonly #options: RouteOptions;
  readonly #watch: { close(): void } | undefined;
  #listener: (connected: boolean) => void = () => undefined;

  /** @param watch made with the way to leave the server at once: a primary that is none any more. */
  constructor(client: Readonly<RedisOptions>, options: RouteOptions, watch?: (leave: () => void) => { close(): void }) {
    this.#options = options;
    const onChange = (connected: boolean): void => this.#listener(connected);
    this.#connection = new RedisConnection({ ...options, client, prove: false, reconnect: true, onChange });
    this.#watch = watch?.(() => this.#connection.renew());
  }

  perform(key: string, deed: Deed, isWrite?: (reply: unknown) => boolean): Promise<unknown> {
    const dueMs = this.#options.clock.monotonicMs() + this.#options.storeMs;
    const reply = sendDeed(this.#connection, key, deed, { dueMs });
    return isWrite === undefined ? reply : confirmed(this.#connection, reply, { dueMs, isWrite, ...this.#options });
  }

  probe(prefix: string, deed: Deed): Promise<unknown> {
    return this.perform(`${prefix}probe`, deed, () => true);
  }

  onConnection(listener: (connected: boolean) => void): void {
    this.#listener = listener;
  }

  policies(): Promise<readonly string[]> {
    return readPolicy(this.#connection, this.#options).then((policy) => (policy === undefined ? [] : [policy]));
  }

  close(): void {
    this.#watch?.close();
    this.#connection.close();
  }
}

export function sendDeed(
  connection: RedisConnection,
  key: string,
  deed: Deed,
  options: { readonly dueMs: number; readonly asking?: boolean },
): Promise<unknown> {
  if (deed.kind === 'script') return connection.script(deed.script, key, deed.args, options);
  return connection.command('hmget', [key, ...deed.fields], options);
}

/**
 * A write's reply once enough replicas have the write; without `wait` the reply as it is.
 * @throws HoldfastError 'store-unavailable' where they do not: the write is there, but does not count as confirmed.
 */
export async function confirmed(
  connection: RedisConnection,
  reply: Promise<unknown>,
  options: Pick<RouteOptions, 'wait' | 'onShort'> & {
    readonly dueMs: number;
    readonly isWrite: (reply: unknown) => boolean;
  },
): Promise<unknown> {
  const value = await reply;
  const { wait, dueMs, isWrite, onShort } = options;
  if (wait === undefined || !isWrite(value)) return value;
  const reached = await connection.replicated({ dueMs });
  if (typeof reached === 'number' && reached >= wait.replicas) return value;
  onShort();
  const words = `${Number(reached)} of ${wait.replicas} replicas had the write within ${wait.timeoutMs} ms (store.wait).`;
  throw new HoldfastError('store-unavailable', `Only ${words}`);
}

/** maxmemory-policy as INFO tells it; undefined where we may not ask: then there is nothing to warn about. */
export async function readPolicy(connection: RedisConnection, times: ConnectionTimes): Promise<string | undefined> {
  const dueMs = times.clock.monotonicMs() + times.storeMs;
  const info = await connection.command('info', ['memory'], { dueMs }).catch(() => undefined);
  return Buffer.isBuffer(info) ? /^maxmemory_policy:(\S+)/m.exec(info.toString('latin1'))?.[1] : undefined;
}
