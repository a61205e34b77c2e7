/**
 * Memory that connections cost: a contender started anew, its resident memory before and while clients hold
 * connections, first idle ones (one answer, then silence), then active ones (an answer under way, slowly).
 */

import { residentBytes } from '../cpu-time.ts';
import { hold } from '../open-loop/open-loop.ts';
import type { Memory, MemoryRound, Row } from '../results.ts';
import type { Contender } from '../contender.ts';
import { quick } from '../settings.ts';
import type { Running, Stage } from '../stage.ts';
import type { Traffic } from '../traffic.ts';

/** 20,000 descriptors are what many machines allow a process, and HAProxy reserves two for each connection. */
const idleConnections = quick ? 1_000 : 9_800;
const activeConnections = 1_000;

/** Once for each: memory differs little from round to round. */
export async function measureMemory(
  field: readonly { readonly contender: Contender; readonly traffic: Traffic }[],
  stage: Stage,
): Promise<Memory> {
  const rows: Row<MemoryRound>[] = [];
  for (const { contender, traffic } of field) {
    const running = await stage.introduce(contender, traffic);
    rows.push({ name: running.name, rounds: [await holdConnections(running, stage)] });
    await running.stop();
  }
  return { idleConnections, activeConnections, rows };
}

/** @throws Error where the connections could not be had. */
async function holdConnections(running: Running, stage: Stage): Promise<MemoryRound> {
  const freshBytes = residentBytes(running.own);
  const idle = await hold(running, { stage, path: '/orders/1', connections: idleConnections, mode: 'idle' });
  const idleBytes = residentBytes(running.own);
  await idle.kill('SIGKILL');
  const beforeBytes = residentBytes(running.own);
  const active = await hold(running, { stage, path: '/slow/64k', connections: activeConnections, mode: 'active' });
  const activeBytes = residentBytes(running.own);
  await active.kill('SIGKILL');
  return { freshBytes, idleBytes, beforeBytes, activeBytes };
}
