/**
 * Waiting for a file's lock: an attempt that comes back empty-handed is made again after 1, 2, 3 ... 10 ms, until a
 * bound passes. Bounded in time and in number (protocol rule 10); holds no file and no thread while it waits.
 *
 * Must not know what is attempted.
 */

import type { Clock } from '../base/clock.ts';

/** A try that costs a few microseconds every 10 ms: this many at once still leave the loop idle. */
const waitersMax = 1024;
const delayMsMax = 10;

export class LockWait {
  readonly #clock: Clock;
  #waiting = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs `attempt` now and again until it answers something, at most for `withinMs`.
   * @returns what it answered, synchronously where the first attempt did; undefined when the bound passed.
   * @throws what `attempt` throws, then as a rejection when it was not the first.
   */
  run<Result>(attempt: () => Result | undefined, withinMs: number): Result | undefined | Promise<Result | undefined> {
    const first = attempt();
    if (first !== undefined || withinMs <= 0 || this.#waiting >= waitersMax) return first;
    return this.#poll(attempt, this.#clock.monotonicMs() + withinMs);
  }

  #poll<Result>(attempt: () => Result | undefined, deadlineMs: number): Promise<Result | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Result | undefined>();
    let delayMs = 1;
    this.#waiting += 1;

    const again = (): void => {
      try {
        const result = attempt();
        const leftMs = deadlineMs - this.#clock.monotonicMs();
        if (result === undefined && leftMs > 0) {
          delayMs = Math.min(delayMs + 1, delayMsMax);
          this.#clock.after(Math.min(delayMs, leftMs), again);
          return;
        }
        resolve(result);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
      this.#waiting -= 1;
    };

    this.#clock.after(delayMs, again);
    return promise;
  }
}
