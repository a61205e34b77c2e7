/**
 * Several pods around one store, for the tests of the keeper: each has a session directory, notes, a keeper and a
 * line of its own to the store, and an "application" that counts in its session file. No HTTP.
 */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import type { Preset, SessionId } from '../../src/affinity/session-codec.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createLog, type Log } from '../../src/base/log.ts';
import { Keeper } from '../../src/sessions/keeper.ts';
import type { KeeperOptions } from '../../src/sessions/keeper-context.ts';
import { Notes } from '../../src/sessions/notes.ts';
import type { Peers, ReleaseAsk } from '../../src/sessions/peers.ts';
import { SessionDirectory } from '../../src/sessions/session-directory.ts';
import { fileNameOf } from '../../src/sessions/session-name.ts';
import type { AdmitAsk, Stay, Verdict } from '../../src/sessions/stay.ts';
import type { Owner, Store, StoreRecord } from '../../src/store/contract.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { WatchedStore } from '../../src/store/store-health.ts';
import { StoreNames } from '../../src/store/store-names.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { until } from '../support/until.ts';
import { temporaryDirectory } from './session-sandbox.ts';

/** Short, so that what has to pass passes soon; no test asserts how long anything took. */
export const timeouts = { connectMs: 200, syncMs: 400, handoffMs: 800, lockMs: 300 };

const silent = createLog({ level: 'silent' });

export type PodOptions = Partial<
  Pick<
    KeeperOptions,
    | 'replicate'
    | 'onStoreDown'
    | 'elsewhere'
    | 'rebalance'
    | 'limits'
    | 'knownMax'
    | 'scanPauseMs'
    | 'lifetimeMs'
    | 'timeouts'
  >
> & {
  readonly preset?: Preset;
  readonly maxBytes?: number;
  /** Silent where none is given. */
  readonly log?: Log;
  /** What stands before the path in PHP's notation: `2;0600;`. */
  readonly levels?: string;
};

/** The pods of one test, and who can reach whom. */
export class Pods {
  readonly store: Store;
  readonly names = new StoreNames(Buffer.from('a name secret of some length'), 'test');
  readonly #t: TestContext;
  readonly #clock: Clock;
  readonly #pods = new Map<string, Pod>();

  constructor(t: TestContext, options: { readonly store?: Store; readonly clock?: Clock } = {}) {
    this.#t = t;
    this.#clock = options.clock ?? systemClock;
    this.store = options.store ?? new MemoryStore({ clock: this.#clock });
  }

  /** A pod with an empty directory, started. */
  async add(uid: string, options: PodOptions = {}): Promise<Pod> {
    const directory = temporaryDirectory(this.#t);
    const pod = new Pod(this, { uid, directory, clock: this.#clock, options });
    this.#t.after(() => pod.kill());
    this.#pods.set(uid, pod);
    await pod.start();
    return pod;
  }

  /** How keepers ask each other here: directly, unless the line or the pod is cut. */
  peersOf(from: Pod): Peers {
    return {
      serves: (owner: Owner) => {
        const pod = this.#pods.get(owner.uid);
        from.looked++;
        return from.looksTake.then(() => pod !== undefined && pod.serves);
      },
      ask: async (owner: Owner, ask: ReleaseAsk) => {
        const pod = this.#pods.get(owner.uid);
        if (pod === undefined || !pod.reachable || !from.reachable) {
          from.unanswered++;
          return from.silence(from.unanswered);
        }
        from.asked.push(ask);
        return pod.keeper.releaseAsked(ask);
      },
    };
  }

  record(session: SessionId): Promise<StoreRecord | undefined> {
    return this.store.ownerOf(this.names.of(session));
  }

  /** The uid in the record; 'free', 'tombstone' or 'none' else. */
  async ownerOf(session: SessionId): Promise<string> {
    const record = await this.record(session);
    if (record === undefined) return 'none';
    return record.owner?.uid ?? (record.tombstone ? 'tombstone' : 'free');
  }
}

export class Pod {
  readonly uid: string;
  readonly directory: SessionDirectory;
  readonly notes: Notes;
  readonly me: Owner;
  /** What this pod asked of others. */
  readonly asked: ReleaseAsk[] = [];
  /** How many of its questions came to nothing. */
  unanswered = 0;
  /** How often it looked whether an owner serves. */
  looked = 0;
  /** Each of its looks ends when this does. */
  looksTake: Promise<unknown> = Promise.resolve();
  /** False: neither asks nor answers other keepers. */
  reachable = true;
  /** What others see at its data address. */
  serves = true;
  line: FaultyStore;
  health!: WatchedStore;
  keeper!: Keeper;
  #frozen: PromiseWithResolvers<'unreachable'> | undefined;
  readonly #pods: Pods;
  readonly #clock: Clock;
  readonly #options: PodOptions;
  readonly #preset: Preset;

  constructor(
    pods: Pods,
    given: { readonly uid: string; readonly directory: string; readonly clock: Clock; readonly options: PodOptions },
  ) {
    const { uid, clock, options } = given;
    this.#pods = pods;
    this.#clock = clock;
    this.#options = options;
    this.#preset = options.preset ?? 'laravel';
    this.uid = uid;
    this.me = { uid, name: `pod-${uid}`, peer: `${uid}:9902`, data: `${uid}:8080` };
    this.line = new FaultyStore(pods.store);
    this.directory = new SessionDirectory({
      directory: `${options.levels ?? ''}${given.directory}`,
      preset: this.#preset,
      maxBytes: options.maxBytes ?? 1_048_576,
      lockMs: (options.timeouts ?? timeouts).lockMs,
      lifetimeMs: options.lifetimeMs ?? 7_200_000,
      clock: systemClock,
    });
    this.notes = new Notes({ directory: this.directory.privatePath });
  }

  /** Starts a keeper on the directory: the first one, or one after kill(). */
  async start(unwatchedSinceMs?: number): Promise<void> {
    this.directory.check();
    this.notes.check();
    this.health = new WatchedStore(this.line, this.#clock);
    const options = this.#options;
    this.keeper = new Keeper({
      me: this.me,
      store: this.health,
      health: this.health,
      directory: this.directory,
      notes: this.notes,
      nameOf: (session) => this.#pods.names.of(session),
      digestOf: () => 'digest',
      peers: this.#pods.peersOf(this),
      clock: this.#clock,
      log: options.log ?? silent,
      timeouts: options.timeouts ?? timeouts,
      limits: options.limits ?? { adopts: 256, unsynced: 1000 },
      lifetimeMs: options.lifetimeMs ?? 7_200_000,
      replicate: options.replicate ?? 'sync',
      onStoreDown: options.onStoreDown ?? 'serve',
      elsewhere: options.elsewhere ?? 'forward',
      rebalance: options.rebalance ?? false,
      ...(options.knownMax === undefined ? {} : { knownMax: options.knownMax }),
      ...(options.scanPauseMs === undefined ? {} : { scanPauseMs: options.scanPauseMs }),
    });
    await this.keeper.start(unwatchedSinceMs);
  }

  /** kill -9: the keeper is gone without a word; what it still has on its line comes to nothing. */
  kill(): void {
    this.keeper.unwatch();
    this.reachable = false;
    this.line.cut = true;
    this.health.connectionChanged(false);
    void this.health.close();
  }

  /** From now on questions that nobody hears are not refused, they stay without an answer: the first one's is given. */
  freeze(): PromiseWithResolvers<'unreachable'> {
    this.#frozen = Promise.withResolvers<'unreachable'>();
    return this.#frozen;
  }

  /** What becomes of the n-th question that nobody hears. */
  silence(n: number): Promise<'unreachable'> {
    if (this.#frozen === undefined) return Promise.resolve('unreachable');
    return n === 1 ? this.#frozen.promise : new Promise(() => undefined);
  }

  /** A new keeper on the same directory. */
  async restart(unwatchedSinceMs?: number): Promise<void> {
    this.kill();
    this.line = new FaultyStore(this.#pods.store);
    this.reachable = true;
    await this.start(unwatchedSinceMs);
  }

  /** The same, while the store can't be reached; it goes on waiting for the store, and serves meanwhile. */
  restartCut(): void {
    this.kill();
    this.line = new FaultyStore(this.#pods.store);
    this.line.cut = true;
    this.reachable = true;
    void this.start();
  }

  /** The line to the store breaks, and the pod notices. */
  cut(): void {
    this.line.cut = true;
    this.health.connectionChanged(false);
  }

  /** The line is back, and the pod has noticed. */
  async mend(): Promise<void> {
    this.line.cut = false;
    this.health.connectionChanged(true);
    await until('the store is up again', () => this.health.state === 'up');
  }

  /** Admits a request; fails the test if it is not served here. */
  async enter(session: SessionId, ask: Partial<AdmitAsk> = {}): Promise<Stay> {
    const admission = await this.keeper.admit({ session, move: undefined, hopped: false, ...ask });
    assert.ok(admission.kind === 'here', JSON.stringify(admission));
    return admission.stay;
  }

  /** How a request fares that is not served here. */
  async turnedAway(session: SessionId, ask: Partial<AdmitAsk> = {}): Promise<string> {
    const admission = await this.keeper.admit({ session, move: undefined, hopped: false, ...ask });
    if (admission.kind === 'here') return 'here';
    return admission.kind === 'elsewhere' ? `elsewhere ${admission.owner.uid}` : `refused ${admission.reason}`;
  }

  /** One whole request that counts; the number it answers, once the answer may leave. */
  async count(session: SessionId, ask: Partial<AdmitAsk> = {}): Promise<number> {
    const stay = await this.enter(session, ask);
    const number = this.increment(session);
    const verdict = await stay.settle();
    assert.deepEqual(verdict, { kind: 'leave' });
    return number;
  }

  /** One whole request that only reads. */
  async look(session: SessionId, ask: Partial<AdmitAsk> = {}): Promise<{ number: number; verdict: Verdict }> {
    const stay = await this.enter(session, ask);
    const number = this.read(session);
    return { number, verdict: await stay.settle() };
  }

  /** The first request of a browser: no session, the answer makes one. */
  async create(session: SessionId, attributes = ''): Promise<number> {
    const stay = this.keeper.visit();
    const number = this.increment(session);
    stay.answered({ kind: 'set', session, attributes, lifetimeSeconds: undefined });
    assert.deepEqual(await stay.settle(), { kind: 'leave' });
    return number;
  }

  /** The application's own work. */
  increment(session: SessionId): number {
    const number = this.read(session) + 1;
    this.write(session, String(number));
    return number;
  }

  /** The number in the session file; 0 where there is none. */
  read(session: SessionId): number {
    return existsSync(this.path(session)) ? Number(readFileSync(this.path(session), 'utf8')) : 0;
  }

  write(session: SessionId, text: string): void {
    writeFileSync(this.path(session), text);
  }

  /** Sets the file's times, as PHP does for an unchanged session; seconds since 1970. */
  touch(session: SessionId, seconds: number): void {
    utimesSync(this.path(session), seconds, seconds);
  }

  unlink(session: SessionId): void {
    unlinkSync(this.path(session));
  }

  hasFile(session: SessionId): boolean {
    return existsSync(this.path(session));
  }

  path(session: SessionId): string {
    return join(this.directory.path, fileNameOf(this.#preset, session)!);
  }
}

let made = 0;

/** A session id of preset laravel that no other test uses. */
export function freshSession(): SessionId {
  return String(++made).padStart(40, 'x') as SessionId;
}

export const refusedPut: Verdict = { kind: 'refuse', reason: 'put-refused' };
