/** What Holdfast holds itself to, and whether a run met it. A goal whose part was not run is not there. */

import { cpuUs } from './results.ts';
import type { Results, Row } from './results.ts';
import { estimateRatio } from './statistics.ts';
import type { Estimate } from './statistics.ts';

export interface Outcome {
  readonly goal: string;
  readonly most?: number;
  readonly least?: number;
  readonly measured: Estimate;
  /** Digits after the point. */
  readonly digits: number;
  readonly unit: string;
  readonly met: boolean;
}

export function outcomes(results: Results): readonly Outcome[] {
  return processorTimeGoals(results);
}

function processorTimeGoals({ processorTime = [] }: Results): readonly Outcome[] {
  const goals = [
    { of: 'Holdfast', over: 'HAProxy', most: 1.1 },
    { of: 'Holdfast, Laravel', over: 'HAProxy', most: 1.6 },
    { of: 'Holdfast', over: 'http-proxy-3', most: 0.25 },
    { of: 'Holdfast', over: 'Envoy', most: 0.6 },
    { of: 'Holdfast, with sidecars', over: 'Envoy', most: 1 },
  ];
  return goals.flatMap(({ of, over, most }): readonly Outcome[] => {
    const [row, base] = [find(processorTime, of), find(processorTime, over)];
    if (row === undefined || base === undefined) return [];
    const measured = estimateRatio(cpuUs(row), cpuUs(base));
    return [
      { goal: `CPU per request: ${of} / ${over}`, most, measured, digits: 2, unit: '', met: measured.median <= most },
    ];
  });
}

function find<Round>(rows: readonly Row<Round>[], name: string): Row<Round> | undefined {
  return rows.find((row) => row.name === name);
}
