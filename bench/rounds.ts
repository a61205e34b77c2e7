/** Rounds in which each contender has its turn, so that a minute in which the machine was slow was slow for all. */

import type { Row } from './results.ts';
import type { Running } from './stage.ts';

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
