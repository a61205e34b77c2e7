/** The programs of this folder as processes on the load's core. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeProgram } from '../../test/support/processes.ts';
import type { RunningProcess } from '../../test/support/processes.ts';
import type { Running, Stage } from '../stage.ts';
import type { GeneratorOptions, GeneratorResult } from './generator.ts';

const readyMs = 120_000;

/** A round of planned requests. @throws Error where a request failed or its answer never came. */
export async function openLoop(
  running: Running,
  options: { readonly stage: Stage } & Omit<GeneratorOptions, 'port' | 'cookies' | 'path'>,
): Promise<GeneratorResult> {
  const { stage, ...shape } = options;
  const cookies = await writeCookies(running, stage);
  const given: GeneratorOptions = { ...shape, port: running.port, path: '/orders/1', cookies };
  const program = join(import.meta.dirname, 'generator.ts');
  const generator = stage.processes.start(
    'open-loop generator',
    stage.onLoadCore([nodeProgram, program, JSON.stringify(given)]),
  );
  await generator.ended;
  const [result] = generator.logLines;
  if (result === undefined) throw new Error(`${running.name}: ${generator.output.slice(-2000)}`);
  return result as unknown as GeneratorResult;
}

/** Opens connections and keeps them until the returned process is killed. @throws Error where not all could be had. */
export async function hold(
  running: Running,
  options: {
    readonly stage: Stage;
    readonly path: string;
    readonly connections: number;
    readonly mode: 'idle' | 'active';
  },
): Promise<RunningProcess> {
  const { stage, path, connections, mode } = options;
  const cookies = await writeCookies(running, stage);
  const args = [String(running.port), path, String(connections), cookies, mode];
  const program = join(import.meta.dirname, 'hold.ts');
  const holder = stage.processes.start('held connections', stage.onLoadCore([nodeProgram, program, ...args]));
  await holder.ready('has its connections', () => holder.logLines.length > 0, { deadlineMs: readyMs });
  return holder;
}

async function writeCookies({ visitors }: Running, { folder }: Stage): Promise<string> {
  const file = join(folder, 'open-loop-cookies.txt');
  await writeFile(file, visitors.map(({ cookie }) => `${cookie}\n`).join(''));
  return file;
}
