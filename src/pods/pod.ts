/**
 * One replica of the application, as the gateway sees it.
 *
 * Must not know sessions or requests.
 */

import type { Address } from '../base/address.ts';

export type PodState = 'ready' | 'draining' | 'unhealthy' | 'gone';

/** The state of a pod that is there, and why, in words for /pods. */
export interface PodVerdict {
  readonly state: Exclude<PodState, 'gone'>;
  readonly why: string;
}

/**
 * What a source says of a pod. terminating: it is going away, and still passes its readiness probe, so that it may
 * serve; ending: it is going away, and does not.
 */
export type PodCondition = 'ready' | 'not-ready' | 'terminating' | 'ending';

/** Exchanges in flight at all pods of some set. */
export interface LoadSum {
  inFlight: number;
}

/** Shared by all snapshots of one pod; the only part that changes in place, by enterPod() and leavePod(). */
export interface PodLoad {
  inFlight: number;
  /** What it counts in: the sum of the newest set's ready pods. Undefined: it is not one of them. */
  sum?: LoadSum | undefined;
  /** Monotonic time of the last refused connection; such a pod comes last for a second (rules 31). */
  refusedAtMs?: number;
}

export interface Pod {
  /** The source's name for it; what rendezvous hashes. */
  readonly name: string;
  /** '' until known, and for bare applications. Same name and another uid is another pod. */
  readonly uid: string;
  /** What its source calls it; undefined: the source knows no uids. A sidecar may call itself otherwise (`uid`). */
  readonly listedUid: string | undefined;
  readonly address: Address;
  readonly condition: PodCondition;
  /** Where it runs, for /pods; undefined: the source does not say. */
  readonly zone: string | undefined;
  readonly state: PodState;
  /** Why it is in this state, in words for /pods. */
  readonly why: string;
  /** Monotonic; since when it is in this state. */
  readonly sinceMs: number;
  /** Monotonic; when it came into service while others served already. Undefined: it was there before, or is not ready. */
  readonly warmingSinceMs: number | undefined;
  readonly load: PodLoad;
}

/** Its source says that it is going away: it drains until it is gone, whatever else is known of it. */
export function isTerminating({ condition }: Pod): boolean {
  return condition === 'terminating' || condition === 'ending';
}

/** What a pod that has just become ready gets: its caches are cold, and something had made it unhealthy. */
const shareAtFirst = 0.1;

/**
 * The part of a usual share of exchanges without a session that a ready pod gets, (0, 1]: it rises in a straight line
 * from a tenth over `slowStartMs`. Only time counts, so that all gateways see much the same.
 */
export function shareOf(
  pod: Pod,
  { slowStartMs, nowMs }: { readonly slowStartMs: number; readonly nowMs: number },
): number {
  if (pod.warmingSinceMs === undefined || slowStartMs === 0) return 1;
  const part = (nowMs - pod.warmingSinceMs) / slowStartMs;
  return part >= 1 ? 1 : Math.max(shareAtFirst, part);
}

/** An exchange goes to the pod; each is followed by one leavePod(). */
export function enterPod({ load }: Pod): void {
  load.inFlight++;
  if (load.sum !== undefined) load.sum.inFlight++;
}

export function leavePod({ load }: Pod): void {
  load.inFlight--;
  if (load.sum !== undefined) load.sum.inFlight--;
}
