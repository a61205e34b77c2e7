/** `holdfast dev`: replicas of a command on this machine, with everything around them in one process. */

import type { ConfigOptions } from './load-or-complain.ts';

export interface DevOptions extends ConfigOptions {
  readonly replicas: number;
  /** 0: any free port. */
  readonly port: number;
  readonly preset: string | undefined;
  /** argv of a replica; `{port}` and `{sessions}` are replaced. */
  readonly command: readonly string[];
}

/** Exit code 0: stopped as asked. 1: bad arguments. 2: failed while running. */
export function dev(options: DevOptions): Promise<number> {
  return Promise.resolve(options.command.length === 0 ? 1 : 2);
}
