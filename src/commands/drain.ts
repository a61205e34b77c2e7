/**
 * `holdfast drain`: tells the running process to let its sessions go, and waits until it has, over the admin socket.
 * Without more it is made for a preStop hook: the pod stays ready until its application ends. `--unready` is for
 * people who take a process out of service: not ready at once. A gateway has no sessions, so it is always the latter.
 */

import { askAdmin, errorOf } from './admin-client.ts';
import type { ConfigOptions } from './load-or-complain.ts';
import { loadOrComplain } from './load-or-complain.ts';

const marginMs = 5_000;

/** Exit code 0: drained. 1: bad configuration. 2: nobody there, or it did not work. */
export async function drain(options: ConfigOptions & { readonly unready: boolean }): Promise<number> {
  const config = loadOrComplain(options);
  if (config === undefined) return 1;
  const reply = await askAdmin(config, {
    method: 'POST',
    path: '/drain',
    body: { unready: options.unready },
    timeoutMs: config.timeouts.drainMs + marginMs,
  });
  if (reply.kind === 'answer' && reply.status === 200) {
    process.stdout.write('drained\n');
    return 0;
  }
  process.stderr.write(`holdfast drain: ${reply.kind === 'nobody' ? reply.why : errorOf(reply)}\n`);
  return 2;
}
