/** A run's figures as tables for a terminal. */

import { outcomes } from './goals.ts';
import type { Outcome } from './goals.ts';
import { bodiesTable, growthTable, latencyTable, memoryTable, processorTimeTable } from './page/tables.ts';
import type { Table } from './page/tables.ts';
import type { Results } from './results.ts';
import { formatEstimate } from './statistics.ts';

/** Every part that was run, one after another. */
export function formatResults(results: Results): string {
  const { machine, processorTime, latency, bodies, newConnections, memory, tls, workers, growth = [] } = results;
  const blocks = [
    `${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, commit ${machine.commit}`,
  ];
  const add = (title: string, table: Table | undefined) => {
    if (table !== undefined) blocks.push(`${title}\n\n${formatTable(table)}`);
  };
  add('Processor time of a request', processorTime && processorTimeTable(processorTime));
  add(`Latency at ${latency?.requestsPerSecond ?? 0} requests a second`, latency && latencyTable(latency));
  add('Bodies', bodies && bodiesTable(bodies));
  add('New connections', newConnections && processorTimeTable(newConnections.rows));
  add('Memory', memory && memoryTable(memory));
  add('TLS, connections kept', tls && processorTimeTable(tls.kept));
  add('TLS, a handshake for each request', tls && processorTimeTable(tls.handshakes));
  add('Two workers on one core', workers && processorTimeTable(workers.rows));
  for (const one of growth) add(`Growth in ${one.of}: CPU us/request`, growthTable(one));
  for (const { name, why } of [...(newConnections?.absent ?? []), ...(tls?.absent ?? []), ...(workers?.absent ?? [])]) {
    blocks.push(`${name} was not measured in all parts: ${why}`);
  }
  blocks.push(outcomes(results).map(formatOutcome).join('\n'));
  return blocks.join('\n\n');
}

export function formatAim({ most, least, unit }: Outcome): string {
  return most === undefined ? `at least ${least ?? 0}${unit}` : `at most ${most}${unit}`;
}

export function formatMeasured({ measured, digits, unit }: Outcome): string {
  return `${formatEstimate(measured, digits)}${unit}`;
}

/** The first column is a name, the others are numbers. */
function formatTable([head, ...rows]: Table): string {
  const widths = head!.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const format = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ');
  return [format(head!), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(format)].join('\n');
}

function formatOutcome(outcome: Outcome): string {
  const { goal, met } = outcome;
  return `${goal}: ${formatMeasured(outcome)}, aim ${formatAim(outcome)}: ${met ? 'met' : 'missed'}`;
}
