/** What it costs to share: two workers on the one core that a contender has here. */

import type { Contender } from '../contender.ts';
import type { Workers } from '../results.ts';
import { interleave } from '../rounds.ts';
import type { Stage } from '../stage.ts';
import { traffics } from '../traffic.ts';
import { introduceAble } from './introduce-able.ts';
import { measureProcessorTime, warmUp } from './processor-time.ts';

const workers = 2;

export async function measureWorkers(
  contenders: readonly Contender[],
  options: { readonly stage: Stage; readonly rounds: number; readonly seconds: number },
): Promise<Workers> {
  const { stage, rounds, seconds } = options;
  const able = contenders.filter((contender) => contender.workers === true);
  const { running, absent } = await introduceAble(able, { stage, traffic: traffics.plain(), special: { workers } });
  for (const one of running) await warmUp(one, stage);
  const rows = await interleave(running, rounds, (one) => measureProcessorTime(one, { stage, seconds }));
  for (const one of running) await one.stop();
  return { workers, rows, absent };
}
