/**
 * Does an address still take connections? A hint that an application which ended a close-delimited answer is
 * still alive (rules 12): a killed one leaves the same FIN behind, but no listener.
 *
 * The kernel may close a dying process's connections before its listener, so that the question can come a moment too
 * early. So the connection stays open until the answer is needed: then it tells once more whether it was reset.
 *
 * Must not know what the answer decides.
 */

import { connect, type Socket } from 'node:net';

import type { Address } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';

export class Dial {
  readonly #socket: Socket;
  readonly #done: (accepts: boolean) => void;
  #state: 'asking' | 'open' | 'closed' = 'asking';

  /** Calls `done` once, never during this call; false also where nothing answered within `timeoutMs`. */
  constructor(
    address: Address,
    options: { readonly timeoutMs: number; readonly clock: Clock; readonly done: (accepts: boolean) => void },
  ) {
    this.#done = options.done;
    this.#socket = connect({ host: address.host, port: address.port });
    const timer = options.clock.after(options.timeoutMs, () => this.#closed());
    this.#socket.on('connect', () => {
      timer.cancel();
      this.#told('open');
    });
    // Whoever closes it, and whatever it says: this connection was never used.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      timer.cancel();
      this.#closed();
    });
    this.#socket.resume();
  }

  /** Whether the connection that was made is still there. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Ends it. */
  close(): void {
    this.#socket.destroy();
  }

  #closed(): void {
    this.#socket.destroy();
    this.#told('closed');
  }

  #told(state: 'open' | 'closed'): void {
    const wasAsking = this.#state === 'asking';
    this.#state = state;
    if (wasAsking) this.#done(state === 'open');
  }
}
