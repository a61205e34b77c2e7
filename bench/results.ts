/**
 * What a run leaves behind: docs/benchmarks/results.json, from which the page and its plots are written without
 * measuring again.
 *
 * Must not know how anything was measured, nor how it is shown.
 */

export interface Results {
  readonly machine: Machine;
  readonly settings: {
    readonly rounds: number;
    readonly seconds: number;
    readonly minutes: number;
    readonly quick: boolean;
  };
  /** Those who took part, in the order of the tables. */
  readonly contenders: readonly Participant[];
  readonly absent: readonly { readonly name: string; readonly why: string }[];
  /** Undefined: this part was not run. */
  readonly processorTime?: readonly Row<ProcessorTimeRound>[];
  readonly latency?: Latency;
  readonly memory?: Memory;
  readonly bodies?: Bodies;
  /** Each request on a connection of its own. */
  readonly newConnections?: NewConnections;
  readonly tls?: Tls;
  readonly workers?: Workers;
  readonly growth?: readonly Growth[];
  readonly inProcess?: InProcess;
}

export interface Machine {
  readonly date: string;
  readonly commit: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
}

export interface Participant {
  readonly name: string;
  readonly how: string;
  readonly version: string;
}

/** One contender's rounds, in order; in one table every contender has as many. */
export interface Row<Round> {
  readonly name: string;
  readonly rounds: readonly Round[];
}

export interface ProcessorTimeRound {
  readonly userUs: number;
  readonly kernelUs: number;
  /** Of a store beside it. */
  readonly besideUs: number;
  readonly requestsPerSecond: number;
  /** How much of its core the contender had: 1 is all of it, and less says that the load was the limit. */
  readonly busy: number;
  readonly residentBytes: number;
}

export interface Latency {
  readonly requestsPerSecond: number;
  /** Whose peak the rate is taken from. */
  readonly slowest: string;
  /** Those whose own peak is too near to that rate, or below it. */
  readonly unable: readonly string[];
  readonly rows: readonly Row<LatencyRound>[];
}

export interface LatencyRound {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** How long after their planned moments the load itself sent its requests. */
  readonly latenessP50Us: number;
  readonly latenessP99Us: number;
}

export interface Memory {
  readonly idleConnections: number;
  readonly activeConnections: number;
  readonly rows: readonly Row<MemoryRound>[];
}

/** Resident memory, in the order in which it was looked at. */
export interface MemoryRound {
  readonly freshBytes: number;
  readonly idleBytes: number;
  readonly beforeBytes: number;
  readonly activeBytes: number;
}

export interface Bodies {
  readonly small: readonly { readonly bytes: number; readonly rows: readonly Row<ProcessorTimeRound>[] }[];
  readonly large: { readonly bytes: number; readonly rows: readonly Row<LargeBodyRound>[] };
}

export interface LargeBodyRound {
  readonly bytesPerSecond: number;
  /** The most resident memory while the body passed, beyond that before it. */
  readonly grownBytes: number;
}

export interface NewConnections {
  readonly rows: readonly Row<ProcessorTimeRound>[];
  readonly absent: Results['absent'];
}

export interface Tls {
  readonly kept: readonly Row<ProcessorTimeRound>[];
  readonly handshakes: readonly Row<ProcessorTimeRound>[];
  readonly absent: Results['absent'];
}

export interface Workers {
  readonly workers: number;
  readonly rows: readonly Row<ProcessorTimeRound>[];
  readonly absent: Results['absent'];
}

export interface Growth {
  readonly of: 'pods' | 'sessions' | 'connections';
  readonly points: readonly number[];
  /** For each point the processor time of a request, for each round. */
  readonly lines: readonly { readonly name: string; readonly cpuUs: readonly (readonly number[])[] }[];
}

/** Of Holdfast alone. */
export interface InProcess {
  readonly pins: number;
  readonly bytesPerPin: number;
  readonly pods: number;
  /** The choice of a pod for an unknown session, for each round. */
  readonly pickUs: readonly number[];
}

const digitsKept = 5;

/** As JSON, with as many digits as were measured. */
export function writeResults(results: Results): string {
  const rounded = (_key: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(digitsKept)) : value;
  return `${JSON.stringify(results, rounded)}\n`;
}

/** User and kernel time of a request, for each round. */
export function cpuUs(row: Row<{ readonly userUs: number; readonly kernelUs: number }>): readonly number[] {
  return row.rounds.map(({ userUs, kernelUs }) => userUs + kernelUs);
}
