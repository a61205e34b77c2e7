/**
 * Rounds into a table: medians with their spread, and ratios taken within each round, since both sides of a ratio
 * then saw the same minute of the machine.
 *
 * Must not know how anything was measured.
 */

export interface Round {
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p99Us: number;
}

export interface Row {
  readonly name: string;
  readonly how: string;
  readonly residentBytes: number;
  /** One for each round, in order; every row has as many. */
  readonly rounds: readonly Round[];
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** CPU per request of one row over another's, round by round. */
export function ratio(row: Row, base: Row): Spread {
  return spread(row.rounds.map((round, index) => round.cpuUsPerRequest / base.rounds[index]!.cpuUsPerRequest));
}

/** A table for people. `base`: what the ratios are over. */
export function formatTable(rows: readonly Row[], base: Row): string {
  const cells = rows.map((row) => [
    row.name,
    row.how,
    formatSpread(spread(row.rounds.map((round) => round.cpuUsPerRequest)), 1),
    formatSpread(ratio(row, base), 2),
    Math.round(spread(row.rounds.map((round) => round.requestsPerSecond)).median).toLocaleString('en'),
    (spread(row.rounds.map((round) => round.p99Us)).median / 1000).toFixed(1),
    (row.residentBytes / 1024 / 1024).toFixed(0),
  ]);
  const head = ['proxy', 'sticky by', 'CPU us/request', `x ${base.name}`, 'requests/s', 'p99 ms', 'MB'];
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((line) => line[column]!.length)));
  const format = (line: readonly string[]) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [format(head), widths.map((width) => '-'.repeat(width)).join('  '), ...cells.map(format)].join('\n');
}

/** `1.23 (1.10-1.40)`: the median and, in parentheses, the least and the most. */
export function formatSpread(value: Spread, digits: number): string {
  return `${value.median.toFixed(digits)} (${value.min.toFixed(digits)}-${value.max.toFixed(digits)})`;
}
