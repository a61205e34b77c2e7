/**
 * The state of a pod that is there, from everybody's word: its source's, its own, and what was seen of it.
 *
 * Must not know how any of these came here.
 */

import { type PodHealth, verdictOf } from './health.ts';
import type { Pod, PodVerdict } from './pod.ts';

/** The state that follows from what the source says of a pod; undefined: it says that it is ready. */
export function conditionVerdict({ condition }: Pod): PodVerdict | undefined {
  switch (condition) {
    case 'ready':
      return undefined;
    case 'not-ready':
      return { state: 'unhealthy', why: 'not ready, by its readiness probe' };
    case 'terminating':
      return { state: 'draining', why: 'terminating' };
    case 'ending':
      return { state: 'draining', why: 'terminating, and no longer ready by its readiness probe' };
  }
}

/**
 * The source's word that a pod is going away is final; that it is not ready counts beside its health.
 * @param needsUid a pod that has not said who it is can't be signed to, and its pins can't be read: it comes last (rules 28)
 * @param nowMs monotonic
 */
export function podVerdict(
  pod: Pod,
  health: PodHealth,
  { needsUid, nowMs }: { readonly needsUid: boolean; readonly nowMs: number },
): PodVerdict {
  const listed = conditionVerdict(pod);
  if (listed?.state === 'draining') return listed;
  const verdict = verdictOf(health, nowMs);
  if (verdict.state !== 'ready') return verdict;
  if (needsUid && pod.uid === '') {
    const why = health.probeWhy === '' ? 'it was not asked yet' : health.probeWhy;
    return { state: 'unhealthy', why: `has not said who it is: ${why}` };
  }
  return listed ?? verdict;
}
