/** The statistics of the benchmarks. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { estimate, estimateRatio, formatEstimate, quantile } from '../../bench/statistics.ts';

test('a median lies between the ends of its interval, and the same rounds always give the same interval', () => {
  const rounds = [20.1, 19.7, 23.9, 20.4, 20, 19.9, 21.2];
  const { median, low, high } = estimate(rounds);
  assert.equal(median, 20.1);
  assert.ok(low >= 19.7 && low <= median && high >= median && high <= 23.9, `${low} to ${high}`);
  assert.deepEqual(estimate(rounds), { median, low, high });
});

test('rounds that are all alike have an interval of one point', () => {
  assert.deepEqual(estimate([5, 5, 5]), { median: 5, low: 5, high: 5 });
});

test('a ratio is taken within each round: what slows both down together does not change it', () => {
  assert.deepEqual(estimateRatio([20, 40, 10], [10, 20, 5]), { median: 2, low: 2, high: 2 });
  assert.throws(() => estimateRatio([1], [1, 2]), /same rounds/);
});

test('quantiles lie between the two nearest values', () => {
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.equal(quantile([1, 2, 3], 1), 3);
  assert.equal(quantile([7], 0.999), 7);
});

test('an estimate is written with its interval in parentheses', () => {
  assert.equal(formatEstimate({ median: 1.005, low: 0.9, high: 1.25 }, 1), '1.0 (0.9-1.3)');
});
