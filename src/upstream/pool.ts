/**
 * Idle connections to pods, last in first out by address, so that the freshest is used and the others run into
 * their idle deadline. Only what ended cleanly on both sides is given back; a connection that speaks or closes
 * while idle is dropped.
 *
 * Must not know HTTP, pods or sessions.
 */

import type { Address } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { UpstreamConnection, type ConnectionOwner, type UpstreamUser } from './connection.ts';

export interface PoolOptions {
  readonly clock: Clock;
  /** Connections idle for longer are closed. */
  readonly idleMs: number;
  /** Idle connections kept for one address. */
  readonly idlePerAddressMax?: number;
  /** Idle connections kept in all. */
  readonly idleMax?: number;
}

/** As many as a busy gateway has in flight to one pod, and to all; each costs a descriptor and some kilobytes. */
const defaultIdlePerAddressMax = 512;
const defaultIdleMax = 4096;

export class UpstreamPool implements ConnectionOwner {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #idlePerAddressMax: number;
  readonly #idleMax: number;
  readonly #idle = new Map<string, UpstreamConnection[]>();
  readonly #open = new Set<UpstreamConnection>();
  #idleCount = 0;

  constructor(options: PoolOptions) {
    this.#clock = options.clock;
    this.#idleMs = options.idleMs;
    this.#idlePerAddressMax = options.idlePerAddressMax ?? defaultIdlePerAddressMax;
    this.#idleMax = options.idleMax ?? defaultIdleMax;
  }

  get idleCount(): number {
    return this.#idleCount;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /**
   * The freshest idle connection to an address, handed to `user`.
   * @returns undefined where none was idle for less than `idleMsMax`.
   */
  take(address: Address, user: UpstreamUser, idleMsMax: number): UpstreamConnection | undefined {
    const idle = this.#idle.get(keyOf(address));
    const freshest = idle?.at(-1);
    if (idle === undefined || freshest === undefined) return undefined;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - freshest.idleSinceMs >= Math.min(idleMsMax, this.#idleMs)) return undefined;
    idle.pop();
    freshest.takenAtMs = nowMs;
    this.#idleCount--;
    freshest.deadline.clear();
    freshest.setUser(user);
    return freshest;
  }

  /** A new connection; see UpstreamConnection for what the user hears. */
  dial(address: Address, user: UpstreamUser, connectTimeoutMs: number): UpstreamConnection {
    const options = { key: keyOf(address), connectTimeoutMs, clock: this.#clock, owner: this };
    const connection = new UpstreamConnection(address, user, options);
    this.#open.add(connection);
    return connection;
  }

  /** Takes a connection back whose request and answer are both over, nothing more having been read or sent. */
  give(connection: UpstreamConnection): void {
    if (connection.closed) return;
    let idle = this.#idle.get(connection.key);
    if (this.#idleCount >= this.#idleMax || (idle?.length ?? 0) >= this.#idlePerAddressMax) {
      connection.destroy();
      return;
    }
    if (idle === undefined) {
      idle = [];
      this.#idle.set(connection.key, idle);
    }
    connection.setUser(undefined);
    connection.reused = true;
    const nowMs = this.#clock.monotonicMs();
    connection.idleSinceMs = nowMs;
    connection.deadline.set(this.#idleMs, nowMs);
    idle.push(connection);
    this.#idleCount++;
  }

  /**
   * The pod at an address is frozen or cut off: it says nothing, and no kernel resets its connections. Idle ones close;
   * who has waited there since `beforeMs` (monotonic) or longer is told.
   */
  foundSilent(address: Address, beforeMs: number): void {
    const key = keyOf(address);
    for (const connection of [...this.#open]) if (connection.key === key) connection.foundSilent(beforeMs);
  }

  /** Called by each connection at its end. */
  closed(connection: UpstreamConnection): void {
    this.#open.delete(connection);
    const idle = this.#idle.get(connection.key);
    if (idle === undefined) return;
    const index = idle.lastIndexOf(connection);
    if (index >= 0) {
      idle.splice(index, 1);
      this.#idleCount--;
    }
    // Pods come and go: an address is forgotten with its last connection.
    if (idle.length === 0) this.#idle.delete(connection.key);
  }

  /** Closes every connection, in use or not. Users are not told. */
  destroy(): void {
    for (const connection of [...this.#open]) connection.destroy();
  }
}

function keyOf(address: Address): string {
  return `${address.host}|${address.port}`;
}
