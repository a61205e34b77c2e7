/** What Holdfast holds itself to, and whether a run met it. A goal whose part was not run is not there. */

import { cpuUs } from './results.ts';
import type { Results, Row } from './results.ts';
import { estimate, estimateRatio } from './statistics.ts';
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

/** A collector of garbage needs room to work; a body of 1 GB that is kept needs far more. */
const flatMiB = 64;

export function outcomes(results: Results): readonly Outcome[] {
  return [...processorTimeGoals(results), ...bodyGoals(results), ...memoryGoals(results), ...inProcessGoals(results)];
}

function bodyGoals({ bodies }: Results): readonly Outcome[] {
  const [row, base] = ['Holdfast', 'HAProxy'].map((name) => find(bodies?.large.rows ?? [], name));
  if (row === undefined || base === undefined) return [];
  const speed = (of: typeof row) => of.rounds.map(({ bytesPerSecond }) => bytesPerSecond);
  const faster = estimateRatio(speed(row), speed(base));
  const grown = estimate(row.rounds.map(({ grownBytes }) => grownBytes / 2 ** 20));
  return [
    {
      goal: "1 GB body: Holdfast's speed / HAProxy's",
      least: 0.8,
      measured: faster,
      digits: 2,
      unit: '',
      met: faster.median >= 0.8,
    },
    {
      goal: '1 GB body: memory of Holdfast grows by',
      most: flatMiB,
      measured: grown,
      digits: 0,
      unit: ' MB',
      met: grown.median <= flatMiB,
    },
  ];
}

/** Fewer connections than the goal names fit into the machine's limits, so the rest is reckoned at the same price. */
function memoryGoals({ memory }: Results): readonly Outcome[] {
  const row = find(memory?.rows ?? [], 'Holdfast');
  if (memory === undefined || row === undefined) return [];
  const most = 150;
  const measured = estimate(
    row.rounds.map(({ freshBytes, idleBytes }) => {
      const each = (idleBytes - freshBytes) / memory.idleConnections;
      return (freshBytes + each * 10_000) / 2 ** 20;
    }),
  );
  const goal = 'Memory of Holdfast with 10,000 idle connections';
  return [{ goal, most, measured, digits: 0, unit: ' MB', met: measured.median <= most }];
}

function inProcessGoals({ inProcess }: Results): readonly Outcome[] {
  if (inProcess === undefined) return [];
  const pin = estimate([inProcess.bytesPerPin]);
  const pick = estimate(inProcess.pickUs);
  const [pins, pods] = [inProcess.pins.toLocaleString('en'), inProcess.pods.toLocaleString('en')];
  return [
    {
      goal: `One of ${pins} pins in the table`,
      most: 200,
      measured: pin,
      digits: 0,
      unit: ' B',
      met: pin.median <= 200,
    },
    { goal: `A choice among ${pods} pods`, most: 10, measured: pick, digits: 1, unit: ' us', met: pick.median <= 10 },
  ];
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
