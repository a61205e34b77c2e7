/**
 * `make chaos`: rounds of faults until so many processes were killed, or so many minutes are over, and the figures at
 * the end. A round that fails says its seed; `make chaos SEED=n` does that round again.
 *
 * Must not know what a round does.
 */

import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { applications } from '../support/applications.ts';
import type { ApplicationName } from '../support/applications.ts';
import { repositoryRoot } from '../support/processes.ts';
import { ChaosFigures } from './chaos-figures.ts';
import { runRound } from './chaos-round.ts';
import { faultNames } from './faults.ts';
import type { FaultName } from './faults.ts';
import { describeRound, planRound } from './schedule.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    kills: { type: 'string', default: '1000' },
    minutes: { type: 'string', default: '600' },
    steps: { type: 'string', default: '30' },
    users: { type: 'string', default: '24' },
    think: { type: 'string', default: '300' },
    faults: { type: 'string' },
    application: { type: 'string' },
    front: { type: 'string' },
    'on-store-down': { type: 'string' },
  },
});

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}

function named<T extends string>(given: string, names: readonly T[]): T {
  const found = names.find((name) => name === given);
  if (found === undefined) throw new Error(`"${given}" is none of ${names.join(', ')}`);
  return found;
}

function roundOptions() {
  const { faults, application, front, 'on-store-down': onStoreDown } = values;
  return {
    steps: Number(values.steps),
    ...(faults === undefined ? {} : { faults: faults.split(',').map((name): FaultName => named(name, faultNames)) }),
    ...(application === undefined
      ? {}
      : { application: named(application, Object.keys(applications) as ApplicationName[]) }),
    ...(front === undefined ? {} : { front: named(front, ['gateways', 'service'] as const) }),
    ...(onStoreDown === undefined ? {} : { onStoreDown: named(onStoreDown, ['serve', 'refuse'] as const) }),
  };
}

async function main(): Promise<void> {
  const isReplay = values.seed !== undefined;
  const options = roundOptions();
  const figures = new ChaosFigures();
  const endMs = performance.now() + Number(values.minutes) * 60_000;
  let isInterrupted = false;
  // Everything is ended in order, its file systems too.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (isInterrupted = true));
  const isOver = () => isInterrupted;
  let seed = isReplay ? Number(values.seed) : Date.now() % 1_000_000_000;
  do {
    const round = planRound(seed, options);
    for (const line of describeRound(round)) say(line);
    const result = await runRound(round, { users: Number(values.users), thinkMs: Number(values.think), say, isOver });
    figures.add(result);
    say(`seed ${seed}: ${result.failures.length === 0 ? 'nothing wrong' : `${result.failures.length} failures`}`);
    for (const line of figures.lines()) say(line);
    seed += 1;
  } while (!isReplay && !isOver() && figures.kills < Number(values.kills) && performance.now() < endMs);
  say(
    `${machine()}; commit ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: repositoryRoot }).toString().trim()}`,
  );
  for (const failed of figures.failedSeeds) say(`failed: make chaos SEED=${failed}`);
  process.exitCode = figures.failedSeeds.length === 0 ? 0 : 1;
}

function machine(): string {
  const all = cpus();
  return `${all.length} x ${all[0]?.model ?? 'unknown processor'}, Node ${process.version}`;
}

await main();
