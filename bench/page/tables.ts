/** A run's figures as tables: a head and rows of cells, the first of which is a name. */

import { cpuUs } from '../results.ts';
import type { Bodies, Growth, Latency, Memory, Participant, ProcessorTimeRound, Row } from '../results.ts';
import { estimate, estimateRatio, formatEstimate, median } from '../statistics.ts';

export type Table = readonly (readonly string[])[];

const base = 'HAProxy';

export function contenderTable(contenders: readonly Participant[]): Table {
  return [['proxy', 'version', 'sticky by'], ...contenders.map(({ name, version, how }) => [name, version, how])];
}

export function processorTimeTable(rows: readonly Row<ProcessorTimeRound>[]): Table {
  return [
    ['proxy', 'CPU us/request', 'program', 'kernel', `x ${base}`, 'requests/s', 'of its core', 'MB'],
    ...rows.map((row) => [
      row.name,
      formatEstimate(estimate(cpuUs(row)), 1),
      middle(row, 'userUs').toFixed(1),
      middle(row, 'kernelUs').toFixed(1),
      ratioToBase(row, rows),
      formatCount(middle(row, 'requestsPerSecond')),
      `${Math.round(100 * middle(row, 'busy'))} %`,
      (middle(row, 'residentBytes') / 2 ** 20).toFixed(0),
    ]),
  ];
}

export function latencyTable({ rows }: Latency): Table {
  return [
    ['proxy', 'p50 ms', 'p99 ms', 'p99.9 ms', 'load late, p50 ms', 'load late, p99 ms'],
    ...rows.map((row) => [
      row.name,
      ...(['p50Us', 'p99Us', 'p999Us'] as const).map((of) =>
        formatEstimate(estimate(row.rounds.map((round) => round[of] / 1000)), 2),
      ),
      (middle(row, 'latenessP50Us') / 1000).toFixed(2),
      (middle(row, 'latenessP99Us') / 1000).toFixed(2),
    ]),
  ];
}

export function memoryTable({ rows, idleConnections, activeConnections }: Memory): Table {
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
  const kib = (bytes: number) => (bytes / 1024).toFixed(1);
  return [
    ['proxy', 'fresh, MB', `with ${formatCount(idleConnections)} idle, MB`, 'each idle, KiB', 'each active, KiB'],
    ...rows.map((row) => {
      const [fresh, idle] = [middle(row, 'freshBytes'), middle(row, 'idleBytes')];
      const active = middle(row, 'activeBytes') - middle(row, 'beforeBytes');
      return [row.name, mib(fresh), mib(idle), kib((idle - fresh) / idleConnections), kib(active / activeConnections)];
    }),
  ];
}

export function bodiesTable({ small, large }: Bodies): Table {
  return [
    [
      'proxy',
      ...small.map(({ bytes }) => `${formatBytes(bytes)}: us/request`),
      '1 GB: MB/s',
      `x ${base}`,
      'memory more, MB',
    ],
    ...large.rows.map((row) => {
      const speed = (of: Row<{ readonly bytesPerSecond: number }>) => of.rounds.map((round) => round.bytesPerSecond);
      return [
        row.name,
        ...small.map(({ rows }) => median(cpuUs(rows.find(({ name }) => name === row.name)!)).toFixed(1)),
        formatCount(middle(row, 'bytesPerSecond') / 1e6),
        formatEstimate(estimateRatio(speed(row), speed(large.rows.find(({ name }) => name === base)!)), 2),
        (middle(row, 'grownBytes') / 2 ** 20).toFixed(0),
      ];
    }),
  ];
}

export function growthTable({ of, points, lines }: Growth): Table {
  return [
    [of, ...points.map(formatCount)],
    ...lines.map(({ name, cpuUs }) => [name, ...cpuUs.map((rounds) => formatEstimate(estimate(rounds), 1))]),
  ];
}

/** The middle of the rounds. */
function middle<Key extends string>(row: Row<{ readonly [key in Key]: number }>, of: Key): number {
  return median(row.rounds.map((round) => round[of]));
}

function ratioToBase(row: Row<ProcessorTimeRound>, rows: readonly Row<ProcessorTimeRound>[]): string {
  return formatEstimate(estimateRatio(cpuUs(row), cpuUs(rows.find(({ name }) => name === base)!)), 2);
}

function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function formatBytes(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KB`;
}
