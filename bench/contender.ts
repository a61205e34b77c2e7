/**
 * What a proxy must offer to be measured: processes on a port in front of the backends, one CPU core's worth of
 * workers, sticky by session cookie, access log off.
 */

import type { Processes, RunningProcess } from '../test/support/processes.ts';
import type { Traffic } from './traffic.ts';

export interface Backend {
  /** What its answers say in X-Backend. */
  readonly name: string;
  /** A loopback address. */
  readonly host: string;
  readonly port: number;
}

export type Command = readonly [program: string, ...args: string[]];

/** Certificate and key in PEM, in files of their own and together in one. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  readonly both: string;
}

export interface Place {
  readonly processes: Processes;
  /** A folder of its own for configuration files. */
  readonly folder: string;
  readonly port: number;
  readonly traffic: Traffic;
  readonly backends: readonly Backend[];
  /** Where its clients speak TLS: what it shows them. */
  readonly tls?: TlsFiles;
  /** How many cores' worth of workers or threads; 1 where nothing is said. */
  readonly workers?: number;
  /** Puts a command on the core that proxies run on. */
  readonly pinned: (command: Command) => Command;
  /** Puts a command on the other core, where load and backends are. */
  readonly pinnedBeside: (command: Command) => Command;
}

/** A visitor of a contender: its cookies, and the backend that all its requests went to. */
export interface Visitor {
  readonly cookie: string;
  readonly backend: string;
}

export interface Started {
  /** The process that clients connect to. */
  readonly front: RunningProcess;
  /** Those behind it that belong to it: their processor time and memory count as its own. */
  readonly behind?: readonly RunningProcess[];
  /** Those whose processor time is shown beside: a store. */
  readonly beside?: readonly RunningProcess[];
  /** Told of the visitors once they are known. */
  readonly prepare?: (visitors: readonly Visitor[]) => Promise<void>;
}

export interface Contender {
  readonly name: string;
  /** How it is made sticky, for the table. */
  readonly how: string;
  /** Speaks TLS to its clients where it is told to. */
  readonly tls?: boolean;
  /** Takes several cores where it is told to. */
  readonly workers?: boolean;
  /** What is measured, as its program says it; whatever has to be installed first is installed here.
   * @throws Error saying why it can't take part. */
  version(): string;
  /** Makes Cookie values as a client has them whose session is on a backend, for sessions by the thousand. */
  readonly cookieFor?: () => (session: string, backend: string) => string;
  /** Starts it; whether it is ready is asked over HTTP afterwards. */
  start(place: Place): Promise<Started>;
}
