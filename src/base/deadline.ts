/**
 * A deadline that is moved far more often than it passes: each exchange sets several, hardly one ever passes.
 *
 * Moving it only writes down a number. The timer behind it is left where it is; when it goes off too early it is
 * set again for the rest. Only a deadline nearer than the timer touches the timer.
 *
 * Must not know what it guards.
 */

import type { Clock, Timer } from './clock.ts';

/** Node's timers overflow above this and would run at once. */
const timerDelayMsMax = 2 ** 31 - 1;

export class Deadline {
  readonly #clock: Clock;
  readonly #passed: () => void;
  #atMs = Infinity;
  #setAtMs = 0;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;

  /** @param passed runs each time a set deadline passes; it must not throw. */
  constructor(clock: Clock, passed: () => void) {
    this.#clock = clock;
    this.#passed = passed;
  }

  /** When it was set, in the clock's monotonic milliseconds; Infinity: it is not. */
  get sinceMs(): number {
    return this.#atMs === Infinity ? Infinity : this.#setAtMs;
  }

  /** Moves the deadline to `afterMs` from now, whatever was set before. `nowMs`: for a caller that has just looked. */
  set(afterMs: number, nowMs = this.#clock.monotonicMs()): void {
    const atMs = nowMs + afterMs;
    this.#setAtMs = nowMs;
    this.#atMs = atMs;
    if (atMs < this.#timerAtMs) this.#arm(atMs, afterMs);
  }

  /** No deadline until the next set(). The timer may stay armed; it then finds nothing to do. */
  clear(): void {
    this.#atMs = Infinity;
  }

  /** For the end of its owner's life: leaves no timer behind. */
  dispose(): void {
    this.#atMs = Infinity;
    this.#timerAtMs = Infinity;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(atMs: number, afterMs: number): void {
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.after(Math.min(afterMs, timerDelayMsMax), () => this.#timerRan());
  }

  #timerRan(): void {
    this.#timer = undefined;
    this.#timerAtMs = Infinity;
    if (this.#atMs === Infinity) return;
    const leftMs = this.#atMs - this.#clock.monotonicMs();
    if (leftMs > 0) {
      this.#arm(this.#atMs, Math.ceil(leftMs));
      return;
    }
    this.#atMs = Infinity;
    this.#passed();
  }
}
