/**
 * What a proxy must offer to be measured: a process on a port in front of three backends, one CPU core's worth of
 * workers, sticky by session cookie, access log off.
 */

import type { Processes, RunningProcess } from '../test/support/processes.ts';

export interface Backend {
  /** What its answers say in X-Backend. */
  readonly name: string;
  readonly port: number;
}

export type Command = readonly [program: string, ...args: string[]];

export interface Place {
  readonly processes: Processes;
  /** A folder of its own for configuration files. */
  readonly folder: string;
  readonly port: number;
  /** A second port for an admin listener. */
  readonly adminPort: number;
  readonly backends: readonly Backend[];
  /** Puts a command on the core that proxies run on. */
  readonly pinned: (command: Command) => Command;
}

export interface Contender {
  readonly name: string;
  /** How it is made sticky, for the table. */
  readonly how: string;
  /** Undefined, or why it can't take part here. */
  unavailable?(): string | undefined;
  /** Starts it; whether it is ready is asked over HTTP afterwards. */
  start(place: Place): Promise<RunningProcess>;
}
