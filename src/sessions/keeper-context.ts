/**
 * What all parts of a keeper share: the options, the table of sessions, the tick, the counters; and the one place
 * where a state changes and its effects are run.
 *
 * Must not know requests or the order in which things are done.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import { type Clock, delay } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Limits, Timeouts } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Owner, Store, StoreName } from '../store/contract.ts';
import type { StoreHealth } from '../store/store-health.ts';
import { newKeeperCounters } from './keeper-counters.ts';
import { KnownSessions } from './known-sessions.ts';
import type { Notes } from './notes.ts';
import { type Effect, type OwnershipEvent, step } from './ownership.ts';
import type { Peers } from './peers.ts';
import type { SessionDirectory } from './session-directory.ts';
import { isOwned, SessionCounts } from './session-counts.ts';
import type { SessionEntry } from './session-entry.ts';

export interface KeeperOptions {
  /** Who we are in the store's records, and how others reach us. */
  readonly me: Owner;
  readonly store: Store;
  readonly health: StoreHealth;
  readonly directory: SessionDirectory;
  readonly notes: Notes;
  readonly nameOf: (session: SessionId) => StoreName;
  /** The keyed digest under which a session stands in logs. */
  readonly digestOf: (session: SessionId) => string;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly log: Log;
  readonly timeouts: Pick<Timeouts, 'connectMs' | 'syncMs' | 'handoffMs' | 'lockMs'>;
  readonly limits: Pick<Limits, 'adopts' | 'unsynced'>;
  /** `session.lifetime`. */
  readonly lifetimeMs: number;
  readonly replicate: 'sync' | 'async';
  readonly onStoreDown: 'serve' | 'refuse';
  readonly elsewhere: 'forward' | 'adopt';
  /** Idle sessions are given to other pods when a gateway evens out their numbers; false by default. */
  readonly rebalance?: boolean;
  /** Sessions in memory; 100,000 by default, some 100 MB with everything. */
  readonly knownMax?: number;
  /** Between two scans of the session files that are ours; 10 s by default. */
  readonly scanPauseMs?: number;
}

const knownMaxDefault = 100_000;
/** Lives are renewed, and notes with them, once in this share of a lifetime (rule 5). */
const renewalsPerLifetime = 10;
const pauseMs = 50;
/** After these a file of the session is of an older state, until another term begins. */
const termEnds: ReadonlySet<OwnershipEvent['on']> = new Set(['released', 'refused', 'buried', 'buried-locally']);
/** A cookie may ask for a longer life than the configuration, up to this (rules 32). */
const lifetimeMaxMs = 30 * 24 * 3600 * 1000;

export class KeeperContext {
  readonly options: KeeperOptions;
  readonly known: KnownSessions;
  readonly counters = newKeeperCounters();
  readonly counts = new SessionCounts();
  readonly renewalMs: number;
  /** Going away: nothing new is taken from those who live (rules 2). */
  draining = false;
  /** The application accepts no connections at the moment: nothing is taken either. */
  applicationRefuses = false;
  /** It has ended: as draining, until it accepts again. */
  applicationEnded = false;
  #tick = 0;
  #longLifeTold = false;

  constructor(options: KeeperOptions) {
    this.options = options;
    this.renewalMs = options.lifetimeMs / renewalsPerLifetime;
    this.known = new KnownSessions({
      max: options.knownMax ?? knownMaxDefault,
      ttlMs: this.#lifeMs(options.lifetimeMs),
      nameOf: options.nameOf,
      forgotten: (entry) => this.counts.forget(entry),
    });
  }

  /** The next moment of this process: rises with every request and every call that confirms. */
  tick(): number {
    return ++this.#tick;
  }

  /** Whether calls of the store are worth making. */
  get storeUp(): boolean {
    return this.options.health.state !== 'down';
  }

  /** No session comes to this pod from elsewhere (rules 2). */
  get takesNothing(): boolean {
    return this.draining || this.applicationRefuses;
  }

  /** Nor does any stay. */
  get goingAway(): boolean {
    return this.draining || this.applicationEnded;
  }

  /** Rule 5: an ownership that the store has not confirmed for a session's lifetime. */
  isVoid(entry: SessionEntry): boolean {
    return this.nowMs() - entry.confirmedAtMs > this.options.lifetimeMs;
  }

  nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  /** Changes the session's state and runs what follows from it. @throws TypeError for an impossible event. */
  apply(entry: SessionEntry, event: OwnershipEvent): void {
    const { state, effects } = step(entry.state, event);
    const wasOurs = isOwned(entry);
    entry.state = state;
    this.counts.change(entry, wasOurs);
    if (state.at === 'elsewhere') entry.termEnded ||= termEnds.has(event.on);
    else entry.termEnded = false;
    for (const effect of effects) this.#run(entry, effect);
    entry.changed();
  }

  /** The store has confirmed the term and renewed the record's life: now and then the note is renewed too. */
  renewed(entry: SessionEntry, epoch: number, storeTimeMs: number): void {
    const now = this.nowMs();
    entry.touchedAtMs = now;
    if (now - entry.notedAtMs >= this.renewalMs) this.apply(entry, { on: 'touched', epoch, storeTimeMs });
  }

  /** Raises the life of a session whose cookie lives longer than `session.lifetime` (rules 32). */
  livesFor(entry: SessionEntry, cookieSeconds: number | undefined): void {
    const { lifetimeMs, log } = this.options;
    if (cookieSeconds === undefined || cookieSeconds * 1000 <= lifetimeMs) return;
    entry.ttlMs = this.#lifeMs(Math.min(cookieSeconds * 1000, lifetimeMaxMs));
    if (this.#longLifeTold) return;
    this.#longLifeTold = true;
    log.warn({ cookieSeconds }, 'the session cookie lives longer than session.lifetime; sessions are kept as long');
  }

  /** Between two tries of a store that did not answer. */
  pause(): Promise<void> {
    return delay(this.options.clock, pauseMs);
  }

  /** Logs a store's failure once it has been handled. */
  storeFailed(doing: string, error: unknown): void {
    this.options.log.debug({ doing, error }, 'the store did not answer');
  }

  /** A file that can't be read refuses its session's requests: most often the sidecar runs as another user. */
  fileUnusable(entry: SessionEntry, error: HoldfastError): void {
    const { log, digestOf } = this.options;
    log.warn({ session: digestOf(entry.id), error }, "a session's file can not be read");
  }

  /** A life and what is added because renewals are rare. */
  #lifeMs(lifetimeMs: number): number {
    return Math.ceil(lifetimeMs + lifetimeMs / renewalsPerLifetime + 60_000);
  }

  #run(entry: SessionEntry, effect: Effect): void {
    const { notes, directory, log, digestOf } = this.options;
    try {
      switch (effect.do) {
        case 'write-note':
          notes.write(entry.id, { epoch: effect.epoch, confirmedAtMs: effect.confirmedAtMs });
          entry.noted = true;
          entry.notedAtMs = this.nowMs();
          break;
        case 'remove-note':
          notes.remove(entry.id);
          entry.noted = false;
          break;
        case 'remove-file':
          directory.remove(entry.id);
          break;
      }
    } catch (error) {
      // Without its note the store's copy wins, and a file that is left is overwritten by it: nothing wrong follows.
      this.counters.fileFaults++;
      log.warn({ session: digestOf(entry.id), doing: effect.do, error: asError(error) }, 'a session file or note');
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new HoldfastError('session-file-unusable', String(error));
}
