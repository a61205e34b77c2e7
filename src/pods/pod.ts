/**
 * One replica of the application, as the gateway sees it.
 *
 * Must not know sessions or requests.
 */

import type { Address } from '../base/address.ts';

export type PodState = 'ready' | 'draining' | 'unhealthy' | 'gone';

/** Shared by all snapshots of one pod; the only part that changes in place. */
export interface PodLoad {
  inFlight: number;
  /** Monotonic time of the last refused connection; such a pod comes last for a second (rules 31). */
  refusedAtMs?: number;
}

export interface Pod {
  /** The source's name for it; what rendezvous hashes. */
  readonly name: string;
  /** '' until known, and for bare applications. Same name and another uid is another pod. */
  readonly uid: string;
  readonly address: Address;
  readonly state: PodState;
  /** Why it is in this state, in words for /pods. */
  readonly why: string;
  readonly load: PodLoad;
}
