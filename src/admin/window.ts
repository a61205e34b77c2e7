/**
 * What a running process shows of itself. The roles implement it; the admin server asks.
 *
 * Must not know how it is shown.
 */

import type { LogLevel } from '../base/log.ts';

export interface Condition {
  readonly ok: boolean;
  /** In words, also where it is ok: `degraded: the store is down`. */
  readonly reason: string;
}

/** One row of `/pods`. A sidecar shows itself. */
export interface PodView {
  readonly name: string;
  readonly state: string;
  readonly why: string;
  readonly inFlight: number;
  readonly [more: string]: unknown;
}

/** Where the rows of `/pods` come from. */
export interface SourceState {
  /** `Service shop/app`; as words behind "the pods of". */
  readonly name: string;
  /** Why the pods may be others by now, or why there are none; null: all is well. */
  readonly problem: string | null;
  /** When it last said anything, and when its list last changed (ISO 8601); null: never. */
  readonly heardAt: string | null;
  readonly changedAt: string | null;
}

/** Where a session is, and why. */
export interface SessionView {
  /** Its keyed digest, as in the log. */
  readonly session: string;
  readonly pod: string | null;
  readonly reason: string;
  readonly epoch: number | null;
  readonly version: number | null;
  /** When the store got its newest version (ISO 8601). */
  readonly storedAt: string | null;
  readonly [more: string]: unknown;
}

/** How a drain is meant. */
export interface DrainRequest {
  /** By hand, to take the process out of service: not ready from now on, whatever it still serves (rules 34). */
  readonly unready: boolean;
}

/** What became of a reload. */
export interface ReloadView {
  readonly result: 'applied' | 'refused' | 'none yet';
  /** When (ISO 8601). */
  readonly at: string | null;
  /** Everything that was wrong. */
  readonly problems: readonly string[];
  /** Keys that differ by now, and will until the process is started again. */
  readonly needRestart: readonly string[];
  /** When it is tried again by itself, where it was refused (ISO 8601). */
  readonly againAt: string | null;
}

export interface Window {
  /** Brings what is shown up to date, where that is told by other processes. Bounded. */
  refresh?(): Promise<void>;
  /** The process in a word or two: `gateway`, `sidecar of shop-1`. */
  readonly title: string;
  /** For the startup probe. */
  started(): Condition;
  /** For the readiness probe. */
  ready(): Condition;
  pods(): readonly PodView[];
  /** Undefined: there is none, or not yet. */
  source?(): SourceState | undefined;
  /**
   * @param id what a client's cookie holds or the decoded id, as somebody pasted it: to be validated.
   * @returns undefined where it is no session id, or nobody knows it.
   */
  session(id: string): Promise<SessionView | undefined>;
  /** Starts a drain; resolves when everything that can be stored or handed off is, bounded by `timeouts.drain`. */
  drain(request: DrainRequest): Promise<void>;
  /** The log's level was changed here: also for others. */
  setLevel?(level: LogLevel): void;
  /** Reads the configuration again, as a SIGHUP does; resolves when that is done. Undefined: there is none (`dev`). */
  readonly reload?: { readonly last: () => ReloadView; readonly now: () => Promise<ReloadView> } | undefined;
  /** A few numbers for the status page: [what, value]. */
  figures(): readonly (readonly [words: string, value: string])[];
}
