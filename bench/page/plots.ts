/** Which plots a run's results give, by the names of their files. */

import { cpuUs } from '../results.ts';
import type { Growth, ProcessorTimeRound, Results, Row } from '../results.ts';
import { estimate, median } from '../statistics.ts';
import { barChart } from './bars.ts';
import { dotChart } from './dots.ts';
import { panelChart } from './panels.ts';

export interface Plot {
  readonly file: string;
  readonly svg: string;
}

export function plots(results: Results): readonly Plot[] {
  const { processorTime, latency, memory, newConnections, growth } = results;
  const drawn: Plot[] = [];
  if (processorTime !== undefined) {
    drawn.push({ file: 'cpu-per-request.svg', svg: cpuChart('Processor time of a request', processorTime) });
  }
  if (latency !== undefined) {
    const rate = latency.requestsPerSecond.toLocaleString('en');
    const rows = latency.rows.map(({ name, rounds }) => {
      const ms = (of: 'p50Us' | 'p99Us' | 'p999Us') => median(rounds.map((round) => round[of])) / 1000;
      return { name, values: [ms('p50Us'), ms('p99Us'), ms('p999Us')] as const };
    });
    drawn.push({ file: 'latency.svg', svg: dotChart({ title: `Latency at ${rate} requests a second`, rows }) });
  }
  if (newConnections !== undefined) {
    const title = 'Processor time of a request on a connection of its own';
    drawn.push({ file: 'new-connections.svg', svg: cpuChart(title, newConnections.rows) });
  }
  if (memory !== undefined) {
    const bars = memory.rows.map(({ name, rounds }) => {
      const kib = (bytes: number) => bytes / 1024 / memory.idleConnections;
      const each = estimate(rounds.map(({ idleBytes, freshBytes }) => kib(idleBytes - freshBytes)));
      return { name, estimate: each, parts: [each.median] };
    });
    const unit = 'KiB of resident memory for each idle connection';
    const title = `Memory of ${memory.idleConnections.toLocaleString('en')} idle connections`;
    drawn.push({ file: 'memory.svg', svg: barChart({ title, unit, legend: [], bars, digits: 1 }) });
  }
  if (growth !== undefined) drawn.push({ file: 'growth.svg', svg: growthChart(growth) });
  return drawn;
}

function cpuChart(title: string, rows: readonly Row<ProcessorTimeRound>[]): string {
  const bars = rows.map((row) => {
    const whole = estimate(cpuUs(row));
    const user = median(row.rounds.map(({ userUs }) => userUs));
    return { name: row.name, estimate: whole, parts: [user, whole.median - user] };
  });
  const unit = 'microseconds of processor time for each request: median, and its 95 % interval';
  return barChart({ title, unit, legend: ['in the program', 'in the kernel'], bars, digits: 1 });
}

function growthChart(growth: readonly Growth[]): string {
  const titles = { pods: 'pods', sessions: 'sessions', connections: 'open connections' };
  const panels = growth.map(({ of, points, lines }) => ({
    title: titles[of],
    points,
    lines: lines.map(({ name, cpuUs }) => ({ name, estimates: cpuUs.map(estimate) })),
  }));
  const title = 'What a request costs where there is more of something';
  return panelChart({ title, unit: 'microseconds of processor time for each request', panels });
}
