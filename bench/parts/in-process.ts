/** What has no other proxy beside it: the memory of pins in a table, and the time of a choice among many pods. */

import { join } from 'node:path';
import { nodeProgram } from '../../test/support/processes.ts';
import type { InProcess } from '../results.ts';
import type { Stage } from '../stage.ts';

/** @throws Error with what the program said where it did not come to its end. */
export async function measureInProcess({ processes }: Stage): Promise<InProcess> {
  const program = join(import.meta.dirname, 'in-process-program.ts');
  const running = processes.start('in process', [nodeProgram, '--expose-gc', program]);
  await running.ended;
  const [result] = running.logLines;
  if (result === undefined) throw new Error(running.output);
  return result as unknown as InProcess;
}
