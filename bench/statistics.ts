/**
 * Medians with an interval of confidence, and ratios taken within each round, since both sides of a ratio then saw
 * the same minute of the machine. The interval is a percentile bootstrap of the median with a fixed seed, so that
 * the same rounds always give the same page.
 *
 * Must not know what the numbers mean.
 */

export interface Estimate {
  readonly median: number;
  /** The ends of the 95 % confidence interval of the median. */
  readonly low: number;
  readonly high: number;
}

const resamples = 2_000;
const seed = 0x486f6c64;

/** @throws Error where there is no value at all. */
export function estimate(values: readonly number[]): Estimate {
  if (values.length === 0) throw new Error('no rounds to take a median of');
  const random = mulberry32(seed);
  const medians: number[] = [];
  for (let sample = 0; sample < resamples; sample++) {
    medians.push(median(values.map(() => values[Math.floor(random() * values.length)]!)));
  }
  return { median: median(values), low: quantile(medians, 0.025), high: quantile(medians, 0.975) };
}

/** Of one list over another, round by round. @throws Error where they have different lengths. */
export function estimateRatio(values: readonly number[], base: readonly number[]): Estimate {
  if (values.length !== base.length) throw new Error('a ratio needs the same rounds on both sides');
  return estimate(values.map((value, round) => value / base[round]!));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between the two nearest values; `share` from 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const lower = sorted[below]!;
  return lower + (place - below) * ((sorted[below + 1] ?? lower) - lower);
}

/** `1.23 (1.10-1.40)`: the median and its interval. */
export function formatEstimate(value: Estimate, digits: number): string {
  return `${value.median.toFixed(digits)} (${value.low.toFixed(digits)}-${value.high.toFixed(digits)})`;
}

/** A small generator of good enough randomness, for resampling: 0 to below 1. */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
