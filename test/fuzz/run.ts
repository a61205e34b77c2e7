/**
 * Fuzzes for as long as it may: `node run.ts [--target NAME] [--seconds N] [--seed N] [--input FILE]`. Every target in turn,
 * half a minute of CPU time each, over and over; what was found is kept under tmp/fuzz, and a single input is run by --input.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import './coverage.ts';

const { fuzz, kept, tryInput } = await import('./fuzzer.ts');
const { branchCount } = await import('./coverage.ts');
const { targets } = await import('./targets.ts');

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string' },
    input: { type: 'string' },
  },
});
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0) throw new Error(`targets: ${targets.map(({ name }) => name).join(' ')}`);

if (values.input === undefined) all();
else {
  const input = readFileSync(values.input);
  for (const target of chosen) {
    const error = tryInput(target, input);
    console.log(error === undefined ? `${target.name}: holds` : kept(target, { input, error }));
    if (error !== undefined) process.exitCode = 1;
  }
}

function all(): void {
  const untilMs = performance.now() + Number(values.seconds) * 1000;
  const roundMs = Math.min(30_000, (Number(values.seconds) * 1000) / chosen.length);
  let seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
  const ended = new Set<string>();
  const executions = new Map<string, number>();
  for (; performance.now() < untilMs && ended.size < chosen.length; seed++) {
    for (const target of chosen) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || ended.has(target.name)) continue;
      const result = fuzz(target, { seed, cpuMs: Math.min(roundMs, leftMs) });
      const { runs, ways, branches, slowestMs, findings } = result;
      executions.set(target.name, (executions.get(target.name) ?? 0) + runs);
      console.log(
        `${target.name} seed ${seed}: ${runs} inputs (${executions.get(target.name)} in all), ${ways} ways, ${branches} branches, slowest ${slowestMs.toFixed(1)} ms, ${findings.length} findings`,
      );
      for (const finding of findings) console.log(kept(target, finding));
      if (findings.length === 0) continue;
      // The same would be found again and again.
      ended.add(target.name);
      process.exitCode = 1;
    }
  }
  console.log(`${branchCount()} branches in the files that were loaded`);
}
