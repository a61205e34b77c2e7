/**
 * Does an address still take a connection? A hint that an application which ended a close-delimited answer is
 * still alive (rules 12): a killed one leaves the same FIN behind, but no listener.
 *
 * Must not know what the answer decides.
 */

import { connect } from 'node:net';

import type { Address } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';

/** Calls `done` once, never during this call; false also where nothing answered within `timeoutMs`. */
export function acceptsConnection(
  address: Address,
  options: { readonly timeoutMs: number; readonly clock: Clock; readonly done: (accepts: boolean) => void },
): void {
  const socket = connect({ host: address.host, port: address.port });
  let told = false;
  const tell = (accepts: boolean): void => {
    if (told) return;
    told = true;
    timer.cancel();
    socket.destroy();
    options.done(accepts);
  };
  const timer = options.clock.after(options.timeoutMs, () => tell(false));
  socket.on('connect', () => tell(true));
  socket.on('error', () => tell(false));
  socket.on('close', () => tell(false));
}
