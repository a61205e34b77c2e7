/** A run's figures as tables for a terminal. */

import { outcomes } from './goals.ts';
import { cpuUs } from './results.ts';
import type { ProcessorTimeRound, Results, Row } from './results.ts';
import { estimate, estimateRatio, formatEstimate, median } from './statistics.ts';

/** Every part that was run, one after another. */
export function formatResults(results: Results): string {
  const { machine, processorTime } = results;
  const lines = [
    `${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, commit ${machine.commit}`,
  ];
  if (processorTime !== undefined) lines.push('', formatTable(processorTimeTable(processorTime)));
  lines.push('', ...outcomes(results).map(formatOutcome));
  return lines.join('\n');
}

/** A head and rows of cells. */
export type Table = readonly (readonly string[])[];

/** The first column is a name, the others are numbers. */
export function formatTable([head, ...rows]: Table): string {
  const widths = head!.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const format = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ');
  return [format(head!), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(format)].join('\n');
}

export function processorTimeTable(rows: readonly Row<ProcessorTimeRound>[]): Table {
  const base = rows.find(({ name }) => name === 'HAProxy')!;
  const middle = (row: Row<ProcessorTimeRound>, of: keyof ProcessorTimeRound) =>
    median(row.rounds.map((round) => round[of]));
  return [
    ['proxy', 'CPU us/request', 'user', 'kernel', 'x HAProxy', 'requests/s', 'core', 'MB'],
    ...rows.map((row) => [
      row.name,
      formatEstimate(estimate(cpuUs(row)), 1),
      middle(row, 'userUs').toFixed(1),
      middle(row, 'kernelUs').toFixed(1),
      formatEstimate(estimateRatio(cpuUs(row), cpuUs(base)), 2),
      Math.round(middle(row, 'requestsPerSecond')).toLocaleString('en'),
      `${Math.round(100 * middle(row, 'busy'))} %`,
      (middle(row, 'residentBytes') / 2 ** 20).toFixed(0),
    ]),
  ];
}

function formatOutcome({
  goal,
  most,
  least,
  measured,
  digits,
  unit,
  met,
}: ReturnType<typeof outcomes>[number]): string {
  const aim = most === undefined ? `at least ${least ?? 0}` : `at most ${most}`;
  return `${goal}: ${formatEstimate(measured, digits)}${unit}, aim ${aim}${unit}: ${met ? 'met' : 'missed'}`;
}
