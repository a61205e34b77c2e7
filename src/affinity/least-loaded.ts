/**
 * Where an exchange without a session goes: power of two choices on requests in flight, with bounded load
 * (rules 27). Two pods are drawn, the less busy one is taken; if even that one has more than its bounded share,
 * the least busy of all is. A pod that warms up has a smaller share: it is drawn more rarely, each exchange in flight
 * counts for more there, and its bound is lower.
 *
 * Must not know sessions.
 */

import type { Pod } from '../pods/pod.ts';

/**
 * The pod to take, from those that are eligible; undefined: none is. Where `inFlight` is known it costs no memory, and
 * hardly ever looks at more pods than two.
 */
export function leastLoaded(
  pods: readonly Pod[],
  options: {
    readonly isEligible: (pod: Pod) => boolean;
    /** A pod's share is this factor of the average, rounded up. */
    readonly boundedLoad: number;
    /** [0, 1) */
    readonly random: () => number;
    /** A pod's part of a usual share, (0, 1]; undefined: all are alike, which is decided faster. */
    readonly shareOf?: ((pod: Pod) => number) | undefined;
    /** Exchanges in flight at all the pods; undefined: nobody has counted. */
    readonly inFlight?: number | undefined;
  },
): Pod | undefined {
  const { isEligible, shareOf, inFlight } = options;
  if (shareOf !== undefined) return leastLoadedByShare(pods, { ...options, shareOf });
  // As if all were eligible: what is not counts in the average, so that the bound may be a little off meanwhile.
  const soon = inFlight === undefined ? undefined : leastLoadedOfTwo(pods, { ...options, inFlight });
  if (soon !== undefined) return soon;
  const eligible = pods.filter(isEligible);
  return leastLoadedOfTwo(eligible, {
    ...options,
    inFlight: eligible.reduce((sum, { load }) => sum + load.inFlight, 0),
  });
}

/** @returns undefined where one that is not eligible was drawn, or there is none to draw. */
function leastLoadedOfTwo(
  pods: readonly Pod[],
  options: {
    readonly isEligible: (pod: Pod) => boolean;
    readonly boundedLoad: number;
    readonly random: () => number;
    readonly inFlight: number;
  },
): Pod | undefined {
  const { isEligible, boundedLoad, random, inFlight } = options;
  const count = pods.length;
  const first = Math.floor(random() * count);
  // The second draw is among the others.
  const second = count === 1 ? first : (first + 1 + Math.floor(random() * (count - 1))) % count;
  const one = pods[first];
  const other = pods[second];
  if (one === undefined || other === undefined || !isEligible(one) || !isEligible(other)) return undefined;
  // Where both are as busy the first draw decides, else an idle application would prefer the first names.
  const drawn = other.load.inFlight < one.load.inFlight ? other : one;
  if (drawn.load.inFlight < Math.ceil(boundedLoad * ((inFlight + 1) / count))) return drawn;
  // From a place by chance, so that the first idle one will do.
  let least = drawn;
  for (let step = 1; step < count && least.load.inFlight > 0; step++) {
    const pod = pods[(second + step) % count]!;
    if (pod.load.inFlight < least.load.inFlight && isEligible(pod)) least = pod;
  }
  return least;
}

interface Weighed {
  readonly pod: Pod;
  readonly share: number;
  /** Exchanges in flight as if its share were a whole one. */
  readonly busy: number;
}

/** The same where some pods have smaller shares. Only while some pod warms up, so it may cost a list. */
function leastLoadedByShare(
  pods: readonly Pod[],
  options: {
    readonly isEligible: (pod: Pod) => boolean;
    readonly boundedLoad: number;
    readonly random: () => number;
    readonly shareOf: (pod: Pod) => number;
  },
): Pod | undefined {
  const { isEligible, boundedLoad, random, shareOf } = options;
  const all: Weighed[] = [];
  let shares = 0;
  let total = 0;
  for (const pod of pods) {
    if (!isEligible(pod)) continue;
    const share = shareOf(pod);
    shares += share;
    total += pod.load.inFlight;
    all.push({ pod, share, busy: pod.load.inFlight / share });
  }
  const one = drawn(all, random() * shares, undefined);
  if (one === undefined) return undefined;
  const other = drawn(all, random() * (shares - one.share), one) ?? one;
  const taken = other.busy < one.busy ? other : one;
  const bound = Math.ceil((boundedLoad * (total + 1) * taken.share) / shares);
  if (taken.pod.load.inFlight < bound) return taken.pod;
  return all.reduce((least, each) => (each.busy < least.busy ? each : least)).pod;
}

/** The entry at this point of all shares laid end to end, `but` left out; undefined: there is none. */
function drawn(all: readonly Weighed[], point: number, but: Weighed | undefined): Weighed | undefined {
  let left = point;
  let last: Weighed | undefined;
  for (const each of all) {
    if (each === but) continue;
    last = each;
    left -= each.share;
    if (left < 0) return each;
  }
  // Sums of fractions may miss the end by a hair.
  return last;
}
