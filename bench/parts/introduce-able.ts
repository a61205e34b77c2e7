/** For parts that not every contender can do: those that can are started, of the others it is said why they can't. */

import type { Contender, Place } from '../contender.ts';
import type { Results } from '../results.ts';
import type { Running, Stage } from '../stage.ts';
import type { Traffic } from '../traffic.ts';

export async function introduceAble(
  contenders: readonly Contender[],
  given: { readonly stage: Stage; readonly traffic: Traffic; readonly special: Partial<Place> },
): Promise<{ readonly running: readonly Running[]; readonly absent: Results['absent'] }> {
  const running: Running[] = [];
  const absent: { name: string; why: string }[] = [];
  for (const contender of contenders) {
    try {
      running.push(await given.stage.introduce(contender, given.traffic, given.special));
    } catch (error) {
      absent.push({ name: contender.name, why: lastWords((error as Error).message) });
    }
  }
  return { running, absent };
}

/** What a program said last is why it ended. */
function lastWords(message: string): string {
  return message.trim().split('\n').at(-1)!.trim();
}
