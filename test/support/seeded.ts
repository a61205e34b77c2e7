/**
 * Chance that repeats itself: the same seed gives the same numbers, on every machine.
 */

export interface Chance {
  /** In [0, 1). */
  (): number;
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number from 0 to below `bound`. */
export function below(chance: Chance, bound: number): number {
  return Math.floor(chance() * bound);
}

/** One of them, each as often as its weight says. @throws Error where there is none. */
export function weighted<T extends { readonly weight: number }>(chance: Chance, entries: readonly T[]): T {
  let left = chance() * entries.reduce((sum, { weight }) => sum + weight, 0);
  for (const entry of entries) {
    left -= entry.weight;
    if (left < 0) return entry;
  }
  const last = entries.at(-1);
  if (last === undefined) throw new Error('nothing to choose from');
  return last;
}
