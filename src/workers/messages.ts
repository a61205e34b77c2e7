/**
 * What the parent and its workers say to each other. Both are this program, of the same version, over a channel that
 * nobody else has: what arrives is believed.
 *
 * Must not know how messages travel.
 */

import type { Condition, PodView, SessionView, SourceState } from '../admin/window.ts';
import type { LogLevel } from '../base/log.ts';
import type { MetricsReading } from '../base/metrics.ts';

/** The parent's first word to a worker. */
export interface WorkerStart {
  readonly kind: 'start';
  /** 1 for the first; a replacement has the number of the one that it replaces. */
  readonly number: number;
  /** The configuration as the parent has read it, secrets included: all workers have the same, whatever the file says by now. */
  readonly config: unknown;
  /** For each of `listen` the descriptor of its socket in the worker. */
  readonly descriptors: readonly number[];
  /** The log's level by now. */
  readonly level: LogLevel;
}

/** drain: as at SIGTERM. replaced: another worker accepts at the same addresses already. now: without waiting. */
export type StopManner = 'drain' | 'replaced' | 'now';

export type Question =
  | { readonly about: 'state' }
  | { readonly about: 'metrics' }
  /** @see Window.session */
  | { readonly about: 'session'; readonly given: string }
  /** To take over what it can of this configuration. @see WorkerStart.config */
  | { readonly about: 'configuration'; readonly config: unknown };

export type ToWorker =
  | WorkerStart
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  | { readonly kind: 'level'; readonly level: LogLevel }
  /** By hand: not ready any more. */
  | { readonly kind: 'unready' }
  | { readonly kind: 'stop'; readonly manner: StopManner };

/** What a worker's own window shows. */
export interface WorkerState {
  readonly ready: Condition;
  readonly pods: readonly PodView[];
  readonly source?: SourceState | undefined;
  readonly figures: readonly (readonly [words: string, value: string])[];
}

export type Answer = WorkerState | MetricsReading | SessionView | 'taken' | undefined;

export type FromWorker =
  | { readonly kind: 'serving' }
  /** It could not be started, and ends. */
  | { readonly kind: 'failed'; readonly exitCode: number; readonly why: string }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  /** It ends in order: everything that it has counted. */
  | { readonly kind: 'last'; readonly reading: MetricsReading };
