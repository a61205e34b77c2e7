/** Rounds in which each contender has its turn, so that a minute in which the machine was slow was slow for all. */

import type { Results, Row } from './results.ts';
import type { Running } from './stage.ts';

/** Who could not do what all others could is left out, and it is said why. */
export interface AbleRows<Round> {
  readonly rows: readonly Row<Round>[];
  readonly absent: Results['absent'];
}

/** As interleave(), for work that not every contender can do: one that fails has no further turn and no row. */
export async function interleaveAble<Round>(
  field: readonly Running[],
  rounds: number,
  measure: (running: Running) => Promise<Round>,
): Promise<AbleRows<Round>> {
  const absent = new Map<string, string>();
  const rows = await interleave(field, rounds, async (running): Promise<Round | undefined> => {
    if (absent.has(running.name)) return undefined;
    try {
      return await measure(running);
    } catch (error) {
      absent.set(running.name, (error as Error).message.split('\n')[0]!);
      return undefined;
    }
  });
  const able = rows.filter((row): row is Row<Round> => !absent.has(row.name));
  return { rows: able, absent: [...absent].map(([name, why]) => ({ name, why })) };
}

export async function interleave<Round>(
  field: readonly Running[],
  rounds: number,
  measure: (running: Running) => Promise<Round>,
): Promise<readonly Row<Round>[]> {
  const rows = field.map(({ name }) => ({ name, rounds: new Array<Round>() }));
  for (let round = 0; round < rounds; round++) {
    for (const [index, running] of field.entries()) rows[index]!.rounds.push(await measure(running));
  }
  return rows;
}
