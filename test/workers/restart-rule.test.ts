/** When a worker that died is started again. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterDeath, deathsAtStartMax, noDeaths } from '../../src/workers/restart-rule.ts';

/** The delays after a row of deaths; 'give-up' ends it. */
function delays(lives: readonly (number | undefined)[]): readonly (number | 'give-up')[] {
  let deaths = noDeaths;
  const seen: (number | 'give-up')[] = [];
  for (const servedMs of lives) {
    const after = afterDeath(deaths, servedMs);
    if (after.kind === 'give-up') return [...seen, 'give-up'];
    seen.push(after.afterMs);
    deaths = after.deaths;
  }
  return seen;
}

test('a worker that had served for long is started again at once', () => {
  assert.deepEqual(delays([60_000, 60_000]), [0, 0]);
});

test('one that dies soon again and again waits longer each time, up to a bound, and is never given up', () => {
  assert.deepEqual(delays([1, 1, 1, 1, 1, 1, 1, 60_000]), [100, 200, 400, 800, 1600, 2000, 2000, 0]);
});

test('one that never serves is given up', () => {
  assert.equal(deathsAtStartMax, 5);
  assert.deepEqual(delays(Array(5).fill(undefined)), [100, 200, 400, 800, 'give-up']);
  assert.deepEqual(delays([undefined, undefined, undefined, undefined, 1, undefined]).at(-1), 2000);
});
