/**
 * Answers of several sizes: as many as one core passes on, and for 1 GB the bytes a second on one connection, with
 * the most memory that the contender had meanwhile.
 */

import { bodies, large } from '../bodies.ts';
import { residentBytes } from '../cpu-time.ts';
import type { Bodies, LargeBodyRound } from '../results.ts';
import { interleave } from '../rounds.ts';
import type { Running, Stage } from '../stage.ts';
import { measureProcessorTime } from './processor-time.ts';

const lookMs = 50;
const largeSecondsMax = 60;

export async function measureBodies(
  field: readonly Running[],
  options: { readonly stage: Stage; readonly rounds: number; readonly seconds: number },
): Promise<Bodies> {
  const { stage, rounds, seconds } = options;
  const small = [];
  for (const { name, bytes } of bodies) {
    const path = `/bodies/${name}`;
    const rows = await interleave(field, rounds, (running) => measureProcessorTime(running, { stage, seconds, path }));
    small.push({ bytes, rows });
  }
  const rows = await interleave(field, rounds, (running) => measureLargeBody(running, stage));
  return { small, large: { bytes: large.bytes, rows } };
}

/** @throws Error where the answer did not come whole. */
async function measureLargeBody(running: Running, stage: Stage): Promise<LargeBodyRound> {
  const { origin, own, visitors } = running;
  const before = residentBytes(own);
  let most = before;
  const look = setInterval(() => (most = Math.max(most, residentBytes(own))), lookMs);
  const write = '{"bytes":%{size_download},"seconds":%{time_total}}\\n';
  const asked = ['-H', `Cookie: ${visitors[0]!.cookie}`, `${origin}/bodies/${large.name}`];
  const limits = ['--max-time', String(largeSecondsMax)];
  try {
    const curl = stage.processes.start(
      'curl',
      stage.onLoadCore(['curl', '--silent', '--fail', ...limits, '-o', '/dev/null', '-w', write, ...asked]),
    );
    await curl.ended;
    const result = curl.logLines[0] as { readonly bytes: number; readonly seconds: number } | undefined;
    if (result?.bytes !== large.bytes) throw new Error(`${running.name}: 1 GB did not come whole: ${curl.output}`);
    return { bytesPerSecond: result.bytes / result.seconds, grownBytes: most - before };
  } finally {
    clearInterval(look);
  }
}
