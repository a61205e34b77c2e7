/**
 * Does an address still take connections? Asked about an application that has ended an answer (rules 12): a killed
 * one closes its connections, and frees its locks, like one that has finished, but leaves no listener behind.
 *
 * The kernel closes what a dying process has open one after the other, the listener late, and may take milliseconds
 * for a file before it. So the connection stays open until the answer is needed: then it tells whether it was reset,
 * and, where that is worth the wait, whether somebody takes it who is alive.
 *
 * Must not know what the answer decides.
 */

import { connect, type Socket } from 'node:net';

import type { Address } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';

/** A living application may be busy with another request; a dying one has long closed its listener by then. */
const provedWithinMs = 100;

export class Dial {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #done: (accepts: boolean) => void;
  #state: 'asking' | 'open' | 'ended' | 'closed' = 'asking';
  #proof: Promise<boolean> | undefined;
  #tell: () => void = () => undefined;

  /** Calls `done` once, never during this call; false also where nothing answered within `timeoutMs`. */
  constructor(
    address: Address,
    options: { readonly timeoutMs: number; readonly clock: Clock; readonly done: (accepts: boolean) => void },
  ) {
    this.#clock = options.clock;
    this.#done = options.done;
    this.#socket = connect({ host: address.host, port: address.port, allowHalfOpen: true });
    const timer = options.clock.after(options.timeoutMs, () => this.#closed());
    this.#socket.on('connect', () => {
      timer.cancel();
      this.#told('open');
    });
    // Its FIN. After ours it is the answer of one who has taken the connection; before, the end of one who had.
    this.#socket.on('end', () => (this.#socket.writableEnded ? this.#told('ended') : this.#closed()));
    // Whoever closes it, and whatever it says: this connection was never used.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      timer.cancel();
      this.#closed();
    });
    this.#socket.resume();
  }

  /** Whether the connection that was made was not reset, as far as the sockets have told by now. */
  async isOpen(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.#state !== 'closed';
  }

  /**
   * Whether somebody alive has taken the connection: ends our half of it, which a living application answers by
   * ending its own and a dying one's kernel by a reset. True too where neither came in time, or nobody wants to know any more.
   */
  proved(): Promise<boolean> {
    this.#proof ??= this.#prove();
    return this.#proof;
  }

  /** Ends it; what is asked afterwards is no evidence of a death. */
  close(): void {
    if (this.#state !== 'closed') this.#state = 'ended';
    this.#tell();
    this.#socket.destroy();
  }

  async #prove(): Promise<boolean> {
    if (this.#state === 'open') {
      this.#socket.end();
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const timer = this.#clock.after(provedWithinMs, () => resolve(undefined));
      this.#tell = () => resolve(undefined);
      await promise;
      timer.cancel();
    }
    return this.isOpen();
  }

  #closed(): void {
    this.#socket.destroy();
    this.#told('closed');
  }

  #told(state: 'open' | 'ended' | 'closed'): void {
    const wasAsking = this.#state === 'asking';
    // What it ended itself is not reset by being closed afterwards.
    if (this.#state !== 'ended') this.#state = state;
    this.#tell();
    if (wasAsking) this.#done(state === 'open');
  }
}
