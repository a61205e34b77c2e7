/**
 * What a source has said and when, and why it did not: kept for everybody who shows it, told in the log, and passed on
 * where it changes something.
 *
 * Must not know how a source is asked.
 */

import { isDeepStrictEqual } from 'node:util';

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ListedPod } from './pod-set.ts';
import { type SourceError, sourceErrors, type SourceFailure, type SourceView } from './pod-source.ts';

export interface SourceLedgerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** @see PodSource.what */
  readonly what: string;
}

/** A trouble that goes on is told again so often. */
const tellAgainMs = 60_000;
/** Nobody waits these out: somebody has to mend something. */
const lasting: readonly SourceError[] = ['denied', 'unauthenticated', 'no-name'];

export class SourceLedger implements SourceView {
  readonly errors = new Map<SourceError, number>(sourceErrors.map((kind) => [kind, 0]));
  pods: readonly ListedPod[] = [];
  skipped: ReadonlyMap<string, number> = new Map();
  heardAtMs: number | undefined;
  changedAtMs: number | undefined;
  readonly #options: SourceLedgerOptions;
  #listed: (pods: readonly ListedPod[]) => void = () => undefined;
  #isSeen = false;
  #failure: string | undefined;
  /** What is wrong with the list itself. */
  #note: string | undefined;
  /** The last failure that was told, and whether its end was: one that comes and goes is told once a minute too. */
  #told: string | undefined;
  #toldAtMs = -Infinity;
  #isEndTold = true;

  constructor(options: SourceLedgerOptions) {
    this.#options = options;
  }

  get isSeen(): boolean {
    return this.#isSeen;
  }

  get isFailing(): boolean {
    return this.#failure !== undefined;
  }

  get problem(): string | undefined {
    return this.#failure ?? this.#note;
  }

  /** Who gets the lists from now on. */
  passTo(listed: (pods: readonly ListedPod[]) => void): void {
    this.#listed = listed;
  }

  /** The source said something, if only that nothing has changed. */
  heard(): void {
    const { clock, log, what } = this.#options;
    this.heardAtMs = clock.nowMs();
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    if (this.#isEndTold) return;
    this.#isEndTold = true;
    log.info({ source: what }, 'pods are listed again');
  }

  /**
   * The source's pods, as they are now; a list like the last one changes nothing.
   * @param note what is wrong with what was listed, in words
   */
  list(
    pods: readonly ListedPod[],
    { skipped, note }: { readonly skipped: ReadonlyMap<string, number>; readonly note: string | undefined },
  ): void {
    const { clock, log, what } = this.#options;
    this.skipped = skipped;
    if (note !== undefined && note !== this.#note) log.warn({ source: what, why: note }, 'not every pod can be used');
    this.#note = note;
    const isFirst = !this.#isSeen;
    this.#isSeen = true;
    if (!isFirst && isDeepStrictEqual(pods, this.pods)) return;
    this.pods = pods;
    this.changedAtMs = clock.nowMs();
    if (isFirst) log.info({ source: what, pods: pods.length }, 'pods are listed');
    this.#listed(pods);
  }

  /**
   * It did not answer, or not usably. What it said before stays.
   * @param isMended it is asked again at once, and nothing was missed: only counted
   */
  failed({ kind, message }: SourceFailure, isMended = false): void {
    const { clock, log, what } = this.#options;
    this.errors.set(kind, (this.errors.get(kind) ?? 0) + 1);
    if (isMended) return;
    const nowMs = clock.monotonicMs();
    const isOld = message === this.#told && nowMs - this.#toldAtMs < tellAgainMs;
    this.#failure = message;
    if (isOld) return;
    this.#told = message;
    this.#toldAtMs = nowMs;
    this.#isEndTold = false;
    const facts = { source: what, kind, why: message, pods: this.pods.length };
    const words = this.#isSeen
      ? 'pods can not be listed: those that were known last stay'
      : 'pods can not be listed, and none are known yet';
    if (lasting.includes(kind)) log.error(facts, words);
    else log.warn(facts, words);
  }
}
