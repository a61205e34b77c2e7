/**
 * Where an exchange without a session goes: power of two choices on requests in flight, with bounded load
 * (rules 27). Two pods are drawn, the less busy one is taken; if even that one has more than its bounded share,
 * the least busy of all is.
 *
 * Must not know sessions.
 */

import type { Pod } from '../pods/pod.ts';

/** The pod to take, from those that are eligible; undefined: none is. Costs no memory. */
export function leastLoaded(
  pods: readonly Pod[],
  options: {
    readonly isEligible: (pod: Pod) => boolean;
    /** A pod's share is this factor of the average, rounded up. */
    readonly boundedLoad: number;
    /** [0, 1) */
    readonly random: () => number;
  },
): Pod | undefined {
  const { isEligible, boundedLoad, random } = options;
  let count = 0;
  let total = 0;
  for (const pod of pods) {
    if (!isEligible(pod)) continue;
    count++;
    total += pod.load.inFlight;
  }
  if (count === 0) return undefined;

  const first = Math.floor(random() * count);
  // The second draw is among the others.
  const second = count === 1 ? first : (first + 1 + Math.floor(random() * (count - 1))) % count;
  let one: Pod | undefined;
  let other: Pod | undefined;
  let least: Pod | undefined;
  let index = 0;
  for (const pod of pods) {
    if (!isEligible(pod)) continue;
    if (least === undefined || pod.load.inFlight < least.load.inFlight) least = pod;
    if (index === first) one = pod;
    if (index === second) other = pod;
    index++;
  }
  // Where both are as busy the first draw decides, else an idle application would prefer the first names.
  const drawn = one !== undefined && other !== undefined && other.load.inFlight < one.load.inFlight ? other : one;
  const share = Math.ceil(boundedLoad * ((total + 1) / count));
  return drawn !== undefined && drawn.load.inFlight < share ? drawn : least;
}
