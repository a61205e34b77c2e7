/**
 * A minute of fuzzing: every target with a seed that never changes, then with one of today's. What is found is printed with
 * the command that shows it again; it becomes a case of its own, and is mended.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import './coverage.ts';

// Not before the sources are counted.
const { fuzz, kept } = await import('./fuzzer.ts');
const { targets } = await import('./targets.ts');

const runsOfFixedSeed = 2000;
const cpuMsOfRandomSeed = 3000;

/** What is slow to run, for what little it reads from strangers. */
const lessOf: readonly string[] = ['configuration', 'notes', 'blobs', 'names'];

for (const target of targets) {
  test(`whatever ${target.name} is given, it keeps its promises`, (t) => {
    const seed = Date.now() % 1_000_000_000;
    const share = lessOf.includes(target.name) ? 0.3 : 1;
    const rounds = [
      { seed: 1, runs: Math.round(runsOfFixedSeed * share) },
      { seed, cpuMs: cpuMsOfRandomSeed * share },
    ];
    for (const bounds of rounds) {
      const { runs, ways, branches, findings } = fuzz(target, bounds);
      t.diagnostic(`${target.name}, seed ${bounds.seed}: ${runs} inputs, ${ways} ways through ${branches} branches`);
      assert.equal(findings.length, 0, findings.map((finding) => kept(target, finding)).join('\n'));
      assert(runs > 50 && branches > 5, 'hardly anything was run');
    }
  });
}
