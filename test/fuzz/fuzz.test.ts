/**
 * Half a minute of fuzzing, the same inputs in every run: what chance would find is found by `make fuzz`, and becomes a
 * case of its own. What is found here is printed with the command that shows it again.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import './coverage.ts';

// Not before the sources are counted.
const { fuzz, kept } = await import('./fuzzer.ts');
const { targets } = await import('./targets.ts');

const seeds = [1, 2];
const runsOfEach = 2500;

/** What is slow to run, for what little it reads from strangers. */
const lessOf: readonly string[] = ['configuration', 'notes', 'blobs', 'names'];

for (const target of targets) {
  test(`whatever ${target.name} is given, it keeps its promises`, (t) => {
    for (const seed of seeds) {
      const bounds = { seed, runs: lessOf.includes(target.name) ? runsOfEach / 5 : runsOfEach };
      const { runs, ways, branches, findings } = fuzz(target, bounds);
      t.diagnostic(`${target.name}, seed ${seed}: ${runs} inputs, ${ways} ways through ${branches} branches`);
      assert.equal(findings.length, 0, findings.map((finding) => kept(target, finding)).join('\n'));
      assert(runs > 50 && branches > 5, 'hardly anything was run');
    }
  });
}
