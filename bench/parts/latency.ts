/**
 * How long answers take at a load that everybody carries: 70 % of what the slowest of the good contenders carried in
 * this run. Open loop: requests leave when they are due, answered or not.
 */

import { openLoop } from '../open-loop/open-loop.ts';
import type { Latency, ProcessorTimeRound, Row } from '../results.ts';
import { interleave } from '../rounds.ts';
import type { Running, Stage } from '../stage.ts';
import { median } from '../statistics.ts';

const shareOfPeak = 0.7;
const connections = 128;

/** The libraries of npm carry a fraction of the others: at 70 % of theirs nobody else would be busy. */
const goodContenders = ['nginx', 'HAProxy', 'Envoy', 'Caddy', 'Holdfast', 'Holdfast, Laravel'];

/** @param peaks the processor time's rounds of the same run. */
export async function measureLatency(
  field: readonly Running[],
  options: {
    readonly stage: Stage;
    readonly rounds: number;
    readonly seconds: number;
    readonly peaks: readonly Row<ProcessorTimeRound>[];
  },
): Promise<Latency> {
  const { stage, rounds, seconds } = options;
  const peakOf = (name: string) =>
    median(options.peaks.find((row) => row.name === name)!.rounds.map((round) => round.requestsPerSecond));
  const good = field.filter(({ name }) => goodContenders.includes(name)).map(({ name }) => name);
  const slowest = good.reduce((least, name) => (peakOf(name) < peakOf(least) ? name : least));
  const requestsPerSecond = Math.floor(shareOfPeak * peakOf(slowest));
  // Beyond nine tenths of its own peak a queue grows for as long as the round lasts: no figure would mean anything.
  const able = field.filter(({ name }) => requestsPerSecond <= 0.9 * peakOf(name));
  const unable = field.filter((one) => !able.includes(one)).map(({ name }) => name);
  const rows = await interleave(able, rounds, (running) =>
    openLoop(running, { stage, connections, requestsPerSecond, seconds }),
  );
  return { requestsPerSecond, slowest, unable, rows };
}
