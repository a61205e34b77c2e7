/**
 * `holdfast drain`: tells the running process to let its sessions go, and waits until it has. Made for a preStop
 * hook, over the admin socket.
 */

import { askAdmin, errorOf } from './admin-client.ts';
import type { ConfigOptions } from './load-or-complain.ts';
import { loadOrComplain } from './load-or-complain.ts';

const marginMs = 5_000;

/** Exit code 0: drained. 1: bad configuration. 2: nobody there, or it did not work. */
export async function drain(options: ConfigOptions): Promise<number> {
  const config = loadOrComplain(options);
  if (config === undefined) return 1;
  const reply = await askAdmin(config, {
    method: 'POST',
    path: '/drain',
    timeoutMs: config.timeouts.drainMs + marginMs,
  });
  if (reply.kind === 'answer' && reply.status === 200) {
    process.stdout.write('drained\n');
    return 0;
  }
  process.stderr.write(`holdfast drain: ${reply.kind === 'nobody' ? reply.why : errorOf(reply)}\n`);
  return 2;
}
