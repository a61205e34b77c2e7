/**
 * A crew whose workers are real processes that follow a script (scripted-worker.ts), and whose clock is moved by hand.
 *
 * Must not know what is tested.
 */

import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import { Crew, type CrewPlan } from '../../src/workers/crew.ts';
import { ManualClock } from './manual-clock.ts';
import type { WorkerScript } from './scripted-worker.ts';

// Workers are started as this same program.
process.argv[1] = join(import.meta.dirname, 'scripted-worker.ts');

export interface CrewUnderTest {
  readonly crew: Crew;
  readonly clock: ManualClock;
  readonly plan: (script: WorkerScript) => CrewPlan;
  readonly ends: ('in-order' | 'died')[];
}

/** Its workers are killed when the test ends. */
export function crewUnderTest(t: TestContext): CrewUnderTest {
  const clock = new ManualClock();
  const log = createLog({ level: 'error', access: false, query: false, destination: { write: () => undefined } });
  const ends: ('in-order' | 'died')[] = [];
  const crew = new Crew({ clock, log, gaveUp: () => undefined, ended: (_, how) => void ends.push(how) });
  t.after(() => crew.all.forEach((each) => each.kill()));
  const plan = (config: WorkerScript): CrewPlan => ({
    workers: 1,
    config,
    descriptorsOf: () => [],
    endBoundMs: 5000,
  });
  return { crew, clock, plan, ends };
}
