/**
 * Whether the sidecar's own application accepts connections: tried once a second (rules 33), and at once when a request
 * found that it does not: the pod is to be out of its Service as soon as its application is gone. One that refuses has
 * ended; one that stays silent may only be busy.
 *
 * Must not know sessions; it tells a listener when the answer changes.
 */

import type { Address } from '../base/address.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { probe } from './probe.ts';

export type ApplicationState = 'accepts' | 'refuses' | 'silent';

export interface ApplicationWatchOptions {
  readonly application: Address;
  readonly clock: Clock;
  /** Called for each change, also for the first answer (`before` undefined). */
  readonly onChange: (state: ApplicationState, before: ApplicationState | undefined) => void;
}

const intervalMs = 1000;

export class ApplicationWatch {
  readonly #options: ApplicationWatchOptions;
  #state: ApplicationState | undefined;
  #timer: Timer | undefined;
  #trying = false;
  #stopped = false;

  constructor(options: ApplicationWatchOptions) {
    this.#options = options;
  }

  /** False until it has accepted a connection once. */
  get accepts(): boolean {
    return this.#state === 'accepts';
  }

  /** Tries at once, then every second. Resolves with the first answer. */
  async start(): Promise<void> {
    await this.#try();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** A connection was refused just now. Many say so at once; what is known already needs no other try. */
  doubted(): void {
    if (!this.accepts || this.#trying || this.#stopped) return;
    this.#timer?.cancel();
    void this.#try();
  }

  async #try(): Promise<void> {
    const { application, clock } = this.#options;
    this.#trying = true;
    const result = await probe(application, { timeoutMs: intervalMs, signer: undefined, path: undefined });
    this.#trying = false;
    if (this.#isStopped()) return;
    this.#is(result.kind === 'passed' ? 'accepts' : result.refused ? 'refuses' : 'silent');
    this.#timer = clock.after(intervalMs, () => void this.#try());
  }

  #is(state: ApplicationState): void {
    const before = this.#state;
    if (before === state) return;
    this.#state = state;
    this.#options.onChange(state, before);
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}
