import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../../src/base/backoff.ts';

test('each failure doubles the wait, up to a bound; chance takes up to half of it away', () => {
  const waits = (random: number) =>
    [0, 1, 2, 3, 4, 1000].map((failures) => backoffMs(failures, { firstMs: 100, maxMs: 500, random: () => random }));
  assert.deepEqual(waits(0), [0, 100, 200, 400, 500, 500]);
  assert.deepEqual(waits(0.5), [0, 75, 150, 300, 375, 375]);
});
