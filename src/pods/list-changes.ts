/**
 * What differs between the pods before and after a source listed them. A pod is the same as long as it keeps its load
 * object, whatever else of it has changed.
 *
 * Must not know who wants to know it.
 */

import type { Pod } from './pod.ts';
import type { PodSet } from './pod-set.ts';

export interface ListChanges {
  readonly added: readonly Pod[];
  /** As they were before. */
  readonly removed: readonly Pod[];
  /** They were there before, at another address. */
  readonly moved: readonly Pod[];
  /** They were there before, in another state. */
  readonly turned: readonly Pod[];
}

export function changesBetween(before: PodSet, after: PodSet): ListChanges {
  const knownOf = (pod: Pod): Pod | undefined => {
    const known = before.byName.get(pod.name);
    return known !== undefined && isSamePod(known, pod) ? known : undefined;
  };
  const stayed = after.pods.flatMap((pod) => {
    const known = knownOf(pod);
    return known === undefined ? [] : [{ pod, known }];
  });
  return {
    added: after.pods.filter((pod) => knownOf(pod) === undefined),
    removed: before.pods.filter((pod) => {
      const present = after.byName.get(pod.name);
      return present === undefined || !isSamePod(present, pod);
    }),
    moved: stayed.flatMap(({ pod, known }) => (isSamePlace(known, pod) ? [] : pod)),
    turned: stayed.flatMap(({ pod, known }) => (known.state === pod.state ? [] : pod)),
  };
}

/** Two snapshots of one pod. */
export function isSamePod(one: Pod, other: Pod): boolean {
  return one.load === other.load;
}

export function isSamePlace({ address: one }: Pod, { address: other }: Pod): boolean {
  return one.host === other.host && one.port === other.port;
}
