/**
 * Where pods come from: what a source of them does, and what it shows of itself.
 *
 * Must not know any one source, nor what becomes of its lists.
 */

import type { ListedPod } from './pod-set.ts';

export interface PodSource {
  /** In words, behind "the pods of": `Service shop/app`. */
  readonly what: string;
  readonly view: SourceView;
  /**
   * Begins. `listed` gets each list that differs from the one before: all pods, each name once. The first one may come
   * during this call. To be called once.
   */
  start(listed: (pods: readonly ListedPod[]) => void): void;
  stop(): void;
}

/** Why a source does not say who is there; what metrics call it. */
export const sourceErrors = [
  /** Nobody answered, or the connection ended. */
  'unreachable',
  /** A connection over which nothing came for too long. */
  'silent',
  /** It does not know who we are. */
  'unauthenticated',
  /** It knows who we are, and we may not ask. */
  'denied',
  /** It answered that it can't answer. */
  'refused',
  /** What we knew is too old to go on from. */
  'expired',
  /** What it answered can't be understood. */
  'bad-answer',
  /** There is no such name. */
  'no-name',
] as const;
export type SourceError = (typeof sourceErrors)[number];

/** What a source shows of itself. */
export interface SourceView {
  /** It has listed pods since the start, if only none. */
  readonly isSeen: boolean;
  /** Why its last list may be old, or lacks pods; undefined: all is well. */
  readonly problem: string | undefined;
  /** It does not answer now, or not usably. */
  readonly isFailing: boolean;
  /** When it last said anything; milliseconds since 1970. Undefined: never. */
  readonly heardAtMs: number | undefined;
  /** When its list last changed. */
  readonly changedAtMs: number | undefined;
  readonly pods: readonly ListedPod[];
  readonly errors: ReadonlyMap<SourceError, number>;
  /** What it listed and could not be used, by reason. */
  readonly skipped: ReadonlyMap<string, number>;
}

/** A failure of a source, converted where it is seen. */
export class SourceFailure extends Error {
  readonly kind: SourceError;
  /** The source's own word, when to ask again. */
  readonly retryAfterMs: number;

  constructor(kind: SourceError, words: string, retryAfterMs = 0) {
    super(words);
    this.name = 'SourceFailure';
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}
