/**
 * Whether the store is there, and a Store that does not let anyone wait for one that is not (rules 17).
 *
 * Down: the connection is lost, or three calls in a row got no reply they could use (silence, or a server that
 * loads, is full or is a replica). From then every call fails at once, until a ping succeeds; the ping writes, so
 * a server that only reads stays down. Starting: not asked successfully yet; calls are tried. An answer that waiting
 * does not cure (a password, a right, a certificate) ends the start at once.
 *
 * Must not know what the calls are for, nor what is done while the store is down.
 */

import type { Clock, Timer } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type {
  CreateResult,
  ForceResult,
  ImportedContent,
  Owner,
  PlantResult,
  PutContent,
  Store,
  StoreName,
  StoreRecord,
  TakeResult,
  Term,
  WriteResult,
} from './contract.ts';

export type StoreState = 'starting' | 'up' | 'down';

/** What others may know and hear about the store's health. */
export interface StoreHealth {
  readonly state: StoreState;
  /** Why it is not up, in words; the last failure. Undefined while it is up. */
  readonly why: HoldfastError | undefined;
  /** Calls `listener` at each change, after the state has changed. Returns the way to stop that. */
  onChange(listener: (state: StoreState) => void): () => void;
  /** Resolves at the end of 'starting'. It ends at the first ping, or as 'down' after `startMs`. */
  started(): Promise<'up' | 'down'>;
}

const failuresToDown = 3;
const pingEveryMs = 250;
/** How long a store may take to be there at the start before it counts as down (rules 33). */
const startMs = 5000;

/** A Store that fails at once while `inner` is down. Pings it until it is up. */
export class WatchedStore implements Store, StoreHealth {
  readonly #inner: Store;
  readonly #clock: Clock;
  readonly #listeners = new Set<(state: StoreState) => void>();
  /** How each call under way is given up; bounded by the calls that are made. */
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #started = Promise.withResolvers<'up' | 'down'>();
  readonly #startDeadline: Timer;
  #state: StoreState = 'starting';
  #why: HoldfastError | undefined;
  #failures = 0;
  #pinging = false;
  #nextPing: Timer | undefined;
  #closed = false;

  constructor(inner: Store, clock: Clock) {
    this.#inner = inner;
    this.#clock = clock;
    this.#startDeadline = clock.after(startMs, () => this.#become(this.#state === 'starting' ? 'down' : this.#state));
    this.#ping();
  }

  get state(): StoreState {
    return this.#state;
  }

  get why(): HoldfastError | undefined {
    return this.#why;
  }

  onChange(listener: (state: StoreState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  started(): Promise<'up' | 'down'> {
    return this.#started.promise;
  }

  /** For the connection's owner to call: a loss counts at once, a new connection is asked at once. */
  connectionChanged(connected: boolean): void {
    if (this.#closed) return;
    if (connected) {
      if (this.#state !== 'up') this.#ping();
    } else if (this.#state === 'up') {
      this.#why = new HoldfastError('store-unavailable', 'The connection was lost.');
      this.#become('down');
    }
  }

  take(name: StoreName, me: Owner, ttlMs: number): Promise<TakeResult> {
    return this.#refusal() ?? this.#heard(this.#inner.take(name, me, ttlMs));
  }

  force(name: StoreName, me: Owner, seen: Term, ttlMs: number): Promise<ForceResult> {
    return this.#refusal() ?? this.#heard(this.#inner.force(name, me, seen, ttlMs));
  }

  create(name: StoreName, me: Owner, content: PutContent, ttlMs: number): Promise<CreateResult> {
    return this.#refusal() ?? this.#heard(this.#inner.create(name, me, content, ttlMs));
  }

  put(name: StoreName, me: Owner, epoch: number, content: PutContent, ttlMs: number): Promise<WriteResult> {
    return this.#refusal() ?? this.#heard(this.#inner.put(name, me, epoch, content, ttlMs));
  }

  confirm(name: StoreName, term: Term, touch: { ttlMs: number } | undefined): Promise<WriteResult> {
    return this.#refusal() ?? this.#heard(this.#inner.confirm(name, term, touch));
  }

  release(name: StoreName, term: Term): Promise<WriteResult> {
    return this.#refusal() ?? this.#heard(this.#inner.release(name, term));
  }

  bury(name: StoreName, term: Term, ttlMs: number): Promise<WriteResult> {
    return this.#refusal() ?? this.#heard(this.#inner.bury(name, term, ttlMs));
  }

  plant(name: StoreName, content: ImportedContent, ttlMs: number): Promise<PlantResult> {
    return this.#refusal() ?? this.#heard(this.#inner.plant(name, content, ttlMs));
  }

  mark(expected: string, next: string): Promise<string> {
    return this.#refusal() ?? this.#heard(this.#inner.mark(expected, next));
  }

  ownerOf(name: StoreName): Promise<StoreRecord | undefined> {
    return this.#refusal() ?? this.#heard(this.#inner.ownerOf(name));
  }

  ping(): Promise<number> {
    return this.#refusal() ?? this.#heard(this.#inner.ping());
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#nextPing?.cancel();
    this.#startDeadline.cancel();
    this.#why = new HoldfastError('store-unavailable', 'The store is closed.');
    // An end that was asked for is no outage: nobody is told.
    this.#listeners.clear();
    this.#become('down');
    return this.#inner.close();
  }

  #refusal(): Promise<never> | undefined {
    if (this.#state !== 'down') return undefined;
    return Promise.reject(this.#why ?? new HoldfastError('store-unavailable', 'The store is down.'));
  }

  /** Passes a call's end on, and counts it. Nobody waits for a call longer than until the store is down. */
  #heard<Result>(call: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      call.then(
        (result) => {
          this.#waiting.delete(reject);
          this.#failures = 0;
          resolve(result);
        },
        (error: unknown) => {
          // What was given up with the rest says nothing about the store that is back by now.
          if (this.#waiting.delete(reject)) this.#failed(error);
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }

  #failed(error: unknown): void {
    if (!(error instanceof HoldfastError) || this.#closed) return;
    // One node of a cluster is not the store: the calls of the other nodes go on.
    if (error.kind === 'store-part-unavailable') return;
    if (this.#state !== 'up') this.#why = error;
    if (++this.#failures < failuresToDown || this.#state !== 'up') return;
    this.#why = error;
    this.#become('down');
  }

  #become(state: StoreState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#failures = 0;
    if (state !== 'starting') this.#started.resolve(state);
    if (state === 'up') this.#why = undefined;
    else if (!this.#closed) this.#pingSoon();
    for (const listener of this.#listeners) listener(state);
    if (state === 'down') this.#giveUpWaiting();
  }

  /** Calls under way have no answer yet, and now nobody waits for one: unknown, as after their own bound. */
  #giveUpWaiting(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const giveUp of waiting) giveUp(this.#why ?? new HoldfastError('store-unavailable', 'The store is down.'));
  }

  /** One ping at a time. In 'starting' and 'down' the next one follows; while up, calls tell enough. */
  #ping(): void {
    if (this.#pinging || this.#closed) return;
    this.#pinging = true;
    this.#nextPing?.cancel();
    this.#inner.ping().then(
      () => this.#pinged(undefined),
      (error: unknown) => this.#pinged(error),
    );
  }

  #pinged(error: unknown): void {
    this.#pinging = false;
    if (this.#closed) return;
    if (error === undefined) {
      this.#startDeadline.cancel();
      this.#become('up');
      return;
    }
    if (error instanceof HoldfastError) {
      this.#why = error;
      if (error.kind === 'store-misconfigured') this.#become('down');
    }
    this.#pingSoon();
  }

  #pingSoon(): void {
    this.#nextPing?.cancel();
    this.#nextPing = this.#clock.after(pingEveryMs, () => this.#ping());
  }
}
