/**
 * `make model`: explores every configuration to its end, and tells what it found.
 */

import { configurations, run } from './configurations.ts';

let all = 0;
const begunMs = performance.now();
const [, , only] = process.argv;
for (const configuration of configurations) {
  if (only !== undefined && !configuration.name.includes(only)) continue;
  const startMs = performance.now();
  const { states, violation, trace } = run(configuration);
  all += states;
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${configuration.name.padEnd(52)} ${String(states).padStart(9)} states ${seconds.padStart(7)} s`);
  if (violation === undefined) continue;
  console.log(`\n${violation}\n${trace.join('\n')}\n`);
  process.exitCode = 1;
}
const seconds = ((performance.now() - begunMs) / 1000).toFixed(0);
console.log(`${configurations.length} configurations, ${all} states, ${seconds} s`);
