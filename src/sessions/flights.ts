/**
 * What may be under way for a session, and how each ends: an adopt, captures, a confirm, a release. Types only, so
 * that a session's entry can hold what the flows (adopt.ts, capture.ts, confirm.ts, hand-off.ts) are doing for it.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import type { Owner } from '../store/contract.ts';
import type { CaptureCause, Lives } from './capture-plan.ts';
import type { Stay } from './stay.ts';

export type AdoptEnd =
  | { readonly kind: 'here'; readonly outcome: Stay['outcome'] }
  | { readonly kind: 'elsewhere'; readonly owner: Owner; readonly epoch: number }
  | { readonly kind: 'refused'; readonly reason: CloseReason }
  /** Only what was done has ended, nothing is decided for a request: look again. */
  | { readonly kind: 'again' };

export interface AdoptFlight {
  readonly end: Promise<AdoptEnd>;
  /** Whose request its end answers: everyone's, only theirs who would not take from a live owner, or nobody's. */
  readonly decidesFor: 'all' | 'non-takers' | 'nobody';
  /** Requests that wait for this end: they are in flight the moment it is 'here' (protocol rule 21). */
  claims: number;
}

export type CaptureEnd =
  /** The store has what the file says, under this term; whether the term still holds, a confirm tells. `stored`: it was new. */
  | { readonly kind: 'safe'; readonly epoch: number; readonly stored?: boolean }
  /** There is no session: no record, no file worth one. */
  | { readonly kind: 'none' }
  | { readonly kind: 'buried' }
  /** It can't be stored; the answer must not look complete. */
  | { readonly kind: 'refused'; readonly reason: CloseReason }
  /** The store gave no answer; nothing is known (rule 3). `burial`: the term in which the file was found gone. */
  | { readonly kind: 'unsynced'; readonly burial: number | undefined };

/** A capture that runs or waits; who waits for it may add why. */
export interface CaptureFlight {
  cause: CaptureCause;
  /** The application of one of those who wait, which is the same for all. */
  lives: Lives | undefined;
  readonly end: Promise<CaptureEnd>;
}

export type ConfirmEnd =
  | 'holds'
  /** Another term has the session; it is forgotten here. */
  | 'refused'
  /** The store has lost the record: the next capture stores it again. */
  | 'lost'
  /** No answer: nothing is known. */
  | 'unknown';

export interface ConfirmFlight {
  readonly sentTick: number;
  readonly end: Promise<ConfirmEnd>;
}

export type ReleaseEnd = 'released' | 'kept' | 'busy';
