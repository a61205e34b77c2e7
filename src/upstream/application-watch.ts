/**
 * Whether the sidecar's own application accepts connections: tried once a second (rules 33).
 *
 * Must not know sessions; it tells a listener when the answer changes.
 */

import type { Address } from '../base/address.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { probe } from './probe.ts';

export interface ApplicationWatchOptions {
  readonly application: Address;
  readonly clock: Clock;
  /** Called for each change, also for the first answer. */
  readonly onChange: (accepts: boolean) => void;
}

const intervalMs = 1000;

export class ApplicationWatch {
  readonly #options: ApplicationWatchOptions;
  #accepts: boolean | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: ApplicationWatchOptions) {
    this.#options = options;
  }

  /** False until it has accepted a connection once. */
  get accepts(): boolean {
    return this.#accepts === true;
  }

  /** Tries at once, then every second. Resolves with the first answer. */
  async start(): Promise<void> {
    await this.#try();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #try(): Promise<void> {
    const { application, clock } = this.#options;
    const result = await probe(application, { timeoutMs: intervalMs, signer: undefined, path: undefined });
    if (this.#isStopped()) return;
    this.#is(result.kind === 'passed');
    this.#timer = clock.after(intervalMs, () => void this.#try());
  }

  #is(accepts: boolean): void {
    if (this.#accepts === accepts) return;
    this.#accepts = accepts;
    this.#options.onChange(accepts);
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}
