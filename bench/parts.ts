/** The parts of a run, in their order; which of them a run has is for its command to say. */

import type { Contender } from './contender.ts';
import { measureBodies } from './parts/bodies.ts';
import { measureConnectionGrowth, measurePodGrowth, measureSessionGrowth } from './parts/growth.ts';
import { measureInProcess } from './parts/in-process.ts';
import { measureLatency } from './parts/latency.ts';
import { measureMemory } from './parts/memory.ts';
import { measureProcessorTime, warmUp } from './parts/processor-time.ts';
import { measureTls } from './parts/tls.ts';
import { measureWorkers } from './parts/workers.ts';
import type { Results } from './results.ts';
import { interleave, interleaveAble } from './rounds.ts';
import type { Running, Stage } from './stage.ts';
import type { Traffic } from './traffic.ts';

export const partNames = [
  'processor-time',
  'latency',
  'bodies',
  'new-connections',
  'memory',
  'tls',
  'workers',
  'growth',
  'in-process',
] as const;

export type PartName = (typeof partNames)[number];

/** Those that start contenders of their own. */
export const freshParts: readonly PartName[] = ['memory', 'tls', 'workers', 'growth', 'in-process'];

export type Measured = Partial<Omit<Results, 'machine' | 'settings' | 'contenders' | 'absent'>>;

export interface PartOptions {
  readonly stage: Stage;
  /** Of the processor time; the other parts have about half as many. */
  readonly rounds: number;
  readonly seconds: number;
  readonly field: readonly { readonly contender: Contender; readonly traffic: Traffic }[];
  readonly running: readonly Running[];
  readonly say: (line: string) => void;
  /** Told what there is after each part, so that a part that fails does not take the others with it. */
  readonly keep: (measured: Measured) => Promise<void>;
}

/** Runs the parts that are wanted. The latency's rate comes from the processor time's rounds, so it brings them. */
export async function measure(wanted: readonly PartName[], options: PartOptions): Promise<Measured> {
  const { stage, rounds, seconds, field, running, say, keep } = options;
  const fewer = { stage, rounds: Math.ceil(rounds / 2), seconds };
  const least = { stage, rounds: Math.ceil(rounds / 3), seconds: 1 };
  const plain = running.filter(({ traffic }) => traffic.suffix === '');
  const measured: { -readonly [Part in keyof Measured]: Measured[Part] } = {};
  const peaksNeeded = wanted.includes('processor-time') || wanted.includes('latency');
  if (running.length > 0) say('warming up');
  for (const one of running) await warmUp(one, stage);
  if (peaksNeeded) {
    say('processor time of a request');
    measured.processorTime = await interleave(running, rounds, (one) => measureProcessorTime(one, { stage, seconds }));
    await keep(measured);
  }
  if (wanted.includes('latency')) {
    say('latency');
    measured.latency = await measureLatency(running, { ...fewer, peaks: measured.processorTime! });
    await keep(measured);
  }
  if (wanted.includes('bodies')) {
    say('bodies');
    measured.bodies = await measureBodies(plain, least);
    await keep(measured);
  }
  if (wanted.includes('new-connections')) {
    say('new connections');
    const close = { stage, seconds: least.seconds, close: true };
    measured.newConnections = await interleaveAble(plain, fewer.rounds, (one) => measureProcessorTime(one, close));
    await keep(measured);
  }
  // From here on each contender is started anew.
  for (const one of running) await one.stop();
  if (wanted.includes('memory')) {
    say('memory of connections');
    measured.memory = await measureMemory(
      field.filter(({ traffic }) => traffic.suffix === ''),
      stage,
    );
    await keep(measured);
  }
  const contenders = [...new Set(field.map(({ contender }) => contender))];
  if (wanted.includes('tls')) {
    say('TLS');
    measured.tls = await measureTls(contenders, least);
    await keep(measured);
  }
  if (wanted.includes('workers')) {
    say('workers');
    measured.workers = await measureWorkers(contenders, least);
    await keep(measured);
  }
  if (wanted.includes('growth')) {
    say('growth');
    const growth = { ...least, contenders: contenders.filter((one) => one.cookieFor !== undefined) };
    measured.growth = [
      await measurePodGrowth(growth),
      await measureSessionGrowth(growth),
      await measureConnectionGrowth({ ...growth, seconds }),
    ];
    await keep(measured);
  }
  if (wanted.includes('in-process')) {
    say('in process');
    measured.inProcess = await measureInProcess(stage);
    await keep(measured);
  }
  return measured;
}
