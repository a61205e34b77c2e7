/**
 * How long to wait before something that failed is tried again: twice as long each time, up to a bound, and by chance
 * up to half of it less, so that many who failed together don't come back together.
 *
 * Must not know what failed.
 */

export interface BackoffRules {
  readonly firstMs: number;
  readonly maxMs: number;
  /** [0, 1) */
  readonly random: () => number;
}

/** Milliseconds after `failures` in a row; none after 0. */
export function backoffMs(failures: number, { firstMs, maxMs, random }: BackoffRules): number {
  if (failures <= 0) return 0;
  const longestMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return longestMs * (1 - random() / 2);
}
