/**
 * The way to a key in a Redis Cluster: one connection for each master, a table from slot to master, and the
 * redirections that keep it right. ioredis's own cluster client sends again what a lost connection left unanswered,
 * and hides which connection a call took; here nothing is sent twice unless a server said that it did not do it.
 *
 * A node that is away fails only the calls for its slots ('store-part-unavailable', which does not count towards
 * "the store is down"); the table is asked for anew until every slot has a master that answers.
 *
 * Must not know the session operations.
 */

import type { RedisOptions } from 'ioredis';
import { formatAddress, parseAddress } from '../base/address.ts';
import type { Address } from '../base/address.ts';
import type { Timer } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { RedisConnection } from './redis-connection.ts';
import { replyCode, toStoreError } from './redis-errors.ts';
import { confirmed, readPolicy, sendDeed } from './redis-route.ts';
import type { Deed, RedisRoute, RouteOptions } from './redis-route.ts';
import { readRedirection, readSlots, slotOf } from './redis-slots.ts';
import type { SlotTable } from './redis-slots.ts';
import type { Addresses } from './redis-url.ts';

/** A slot that is moved twice during one call is rare; a circle of redirections is a broken cluster. */
const redirectionsMax = 5;
/** Between two questions for the table, also while something is missing. */
const refreshEveryMs = 100;
/** Masters that a probe writes to at once. */
const probedMax = 16;
/** Masters of one table; each is a connection. */
const nodesMax = 1000;
/** Names tried until one falls to a given master; with 1000 masters a miss is less than one in 10 ^ 40. */
const probeNamesMax = 100_000;

interface Node {
  readonly address: Address;
  readonly connection: RedisConnection;
}

/** Connects at once; close() ends it. */
export class ClusterRoute implements RedisRoute {
  readonly #client: Readonly<RedisOptions>;
  readonly #options: RouteOptions;
  readonly #seeds: Addresses;
  /** By `host:port`. */
  readonly #nodes = new Map<string, Node>();
  readonly #probeNames = new Map<string, string>();
  #slots: SlotTable = [];
  #listener: (connected: boolean) => void = () => undefined;
  #refreshing = false;
  #refreshAgain: Timer | undefined;
  #why: HoldfastError | undefined;
  #closed = false;

  /** @param client everything of a node's connection but its address. */
  constructor(seeds: Addresses, client: Readonly<RedisOptions>, options: RouteOptions) {
    this.#seeds = seeds;
    this.#client = client;
    this.#options = options;
    this.#refresh();
  }

  async perform(key: string, deed: Deed, isWrite?: (reply: unknown) => boolean): Promise<unknown> {
    const dueMs = this.#options.clock.monotonicMs() + this.#options.storeMs;
    const slot = slotOf(key);
    let node = this.#nodeOf(slot);
    let asking = false;
    for (let hop = 0; ; hop++) {
      const { connection } = node;
      if (!connection.connected) throw this.#unreachable(node);
      const sent = sendDeed(connection, key, deed, { dueMs, asking });
      try {
        return await (isWrite === undefined ? sent : confirmed(connection, sent, { dueMs, isWrite, ...this.#options }));
      } catch (error) {
        if (error instanceof HoldfastError) {
          // Whatever it was, the slot may have another master by now.
          this.#refresh();
          throw error;
        }
        node = await this.#redirected(node, error as Error, { dueMs, hop });
        asking = replyCode(error) === 'ASK';
      }
    }
  }

  async probe(prefix: string, deed: Deed): Promise<unknown> {
    const masters = this.#masters().filter(([, { connection }]) => connection.connected);
    if (masters.length === 0) {
      this.#refresh();
      throw this.#why ?? new HoldfastError('store-unavailable', 'No node of the Redis Cluster is connected yet.');
    }
    const probes = masters
      .slice(0, probedMax)
      .map(([address]) => this.perform(this.#probeName(prefix, address), deed, () => true));
    try {
      return await Promise.any(probes);
    } catch (error) {
      throw toStoreError(error instanceof AggregateError ? error.errors[0] : error);
    }
  }

  onConnection(listener: (connected: boolean) => void): void {
    this.#listener = listener;
  }

  async policies(): Promise<readonly string[]> {
    const asked = this.#masters().map(([, { connection }]) => readPolicy(connection, this.#options));
    return (await Promise.all(asked)).filter((policy) => policy !== undefined);
  }

  close(): void {
    this.#closed = true;
    this.#refreshAgain?.cancel();
    for (const { connection } of this.#nodes.values()) connection.close();
    this.#nodes.clear();
    this.#slots = [];
    this.#why = new HoldfastError('store-unavailable', 'The store is closed.');
  }

  /** @throws HoldfastError where nobody is known to have the slot. */
  #nodeOf(slot: number): Node {
    const address = this.#slots[slot];
    const node = address === undefined ? undefined : this.#nodes.get(address);
    if (node !== undefined) return node;
    this.#refresh();
    throw this.#why ?? new HoldfastError('store-unavailable', 'The Redis Cluster has not told its slots yet.');
  }

  #unreachable(node: Node): HoldfastError {
    this.#refresh();
    const { error } = node.connection;
    if (error.kind === 'store-misconfigured' || !this.#anyConnected()) return error;
    return new HoldfastError('store-part-unavailable', `${formatAddress(node.address)}: ${error.message}`);
  }

  /** The node that another one named; waits for its connection within the call's bound. */
  async #redirected(from: Node, error: Error, call: { dueMs: number; hop: number }): Promise<Node> {
    const redirection = readRedirection(error.message, from.address.host);
    if (redirection === undefined || call.hop >= redirectionsMax) {
      throw new HoldfastError('store-unavailable', 'The Redis Cluster sent a call from node to node.');
    }
    const node = this.#node(redirection.address);
    if (redirection.kind === 'moved') {
      this.#slots[redirection.slot] = formatAddress(redirection.address);
      this.#refreshSoon();
    }
    if (!node.connection.connected) {
      const late = Promise.withResolvers<undefined>();
      const timer = this.#options.clock.after(Math.max(1, call.dueMs - this.#options.clock.monotonicMs()), () =>
        late.resolve(undefined),
      );
      await Promise.race([node.connection.settled(), late.promise]);
      timer.cancel();
    }
    return node;
  }

  /** The node at an address, connected to from now on. */
  #node(address: Address): Node {
    const key = formatAddress(address);
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    if (this.#closed || this.#nodes.size >= nodesMax) throw new HoldfastError('store-unavailable', 'No more nodes.');
    const node: Node = { address, connection: this.#connect(address, true) };
    this.#nodes.set(key, node);
    return node;
  }

  #connect(address: Address, lasting: boolean): RedisConnection {
    return new RedisConnection({
      ...this.#options,
      client: { ...this.#client, host: address.host, port: address.port },
      prove: true,
      reconnect: lasting,
      onChange: (connected) => {
        if (lasting) this.#changed(connected);
      },
    });
  }

  #changed(connected: boolean): void {
    if (this.#closed) return;
    if (!connected) this.#refreshSoon();
    this.#listener(this.#anyConnected());
  }

  #anyConnected(): boolean {
    return this.#masters().some(([, { connection }]) => connection.connected);
  }

  /** The nodes that the table names, each once. */
  #masters(): [string, Node][] {
    return [...new Set(this.#slots)].flatMap((address): [string, Node][] => {
      const node = address === undefined ? undefined : this.#nodes.get(address);
      return address === undefined || node === undefined ? [] : [[address, node]];
    });
  }

  /** A key that falls to this master; looked for once. */
  #probeName(prefix: string, address: string): string {
    const known = this.#probeNames.get(address);
    if (known !== undefined && this.#slots[slotOf(known)] === address) return known;
    for (let number = 0; number < probeNamesMax; number++) {
      const name = `${prefix}probe-${number}`;
      if (this.#slots[slotOf(name)] !== address) continue;
      if (this.#probeNames.size >= nodesMax) this.#probeNames.clear();
      this.#probeNames.set(address, name);
      return name;
    }
    throw new HoldfastError('store-unavailable', 'A master of the Redis Cluster has no slot that could be found.');
  }

  #refreshSoon(): void {
    if (this.#closed) return;
    this.#refreshAgain ??= this.#options.clock.after(refreshEveryMs, () => {
      this.#refreshAgain = undefined;
      this.#refresh();
    });
  }

  /** One question at a time, and not more often than the interval says. */
  #refresh(): void {
    if (this.#refreshing || this.#refreshAgain !== undefined || this.#closed) return;
    this.#refreshing = true;
    void this.#readTable().then((complete) => {
      this.#refreshing = false;
      if (!complete) this.#refreshSoon();
    });
  }

  /** Asks nodes one after another until one has the table. False: something is missing still. Never rejects. */
  async #readTable(): Promise<boolean> {
    const connected = [...this.#nodes.values()].filter(({ connection }) => connection.connected);
    // Another one first each time: a node that is cut off from the others tells an old table.
    connected.sort(() => Math.random() - 0.5);
    for (const { address, connection } of connected) {
      const table = await this.#ask(address, connection);
      if (table !== undefined) return this.#use(table);
    }
    for (const address of this.#seeds) {
      const connection = this.#connect(address, false);
      try {
        await connection.settled();
        const table = connection.connected ? await this.#ask(address, connection) : undefined;
        if (table !== undefined) return this.#use(table);
        if (!connection.connected) this.#why = connection.error;
      } finally {
        connection.close();
      }
    }
    return false;
  }

  async #ask(address: Address, connection: RedisConnection): Promise<SlotTable | undefined> {
    const { clock, storeMs } = this.#options;
    try {
      const reply = await connection.command('cluster', ['SLOTS'], { dueMs: clock.monotonicMs() + storeMs });
      const table = readSlots(reply, address.host);
      if (table === undefined) this.#why = new HoldfastError('store-unavailable', 'CLUSTERDOWN: no slot has a master.');
      return table;
    } catch (error) {
      this.#why = toStoreError(error);
      return undefined;
    }
  }

  /** True: every slot has a master that is connected. */
  #use(table: SlotTable): boolean {
    if (this.#closed) return true;
    this.#why = undefined;
    this.#slots = table;
    const masters = new Set(table);
    for (const name of masters) {
      const address = name === undefined || this.#nodes.has(name) ? undefined : parseAddress(name);
      if (address !== undefined) this.#node(address);
    }
    for (const [name, { connection }] of this.#nodes) {
      if (masters.has(name)) continue;
      // No slot is its own any more: what it was asked, it has answered or redirected, or will not in time.
      this.#nodes.delete(name);
      this.#options.clock.after(this.#options.storeMs, () => connection.close());
    }
    return !masters.has(undefined) && this.#masters().every(([, { connection }]) => connection.connected);
  }
}
