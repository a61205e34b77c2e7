/** `holdfast run`: the proxy, as a gateway or as a sidecar. */

import type { ConfigOptions } from './load-or-complain.ts';
import { loadOrComplain } from './load-or-complain.ts';

/** Exit code 0: stopped as asked. 1: bad configuration. 2: failed while running. */
export async function run(options: ConfigOptions): Promise<number> {
  const config = loadOrComplain(options);
  if (config === undefined) return 1;
  return Promise.resolve(2);
}
