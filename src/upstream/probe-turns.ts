/**
 * When each pod is asked: at its time, and at most so many at once that a thousand pods are not asked in one tick, and
 * black holes do not keep the others waiting for long.
 *
 * Must not know how a pod is asked, nor what follows from it.
 */

import type { Clock, Timer } from '../base/clock.ts';

export interface ProbeTurnsOptions {
  readonly clock: Clock;
  /**
   * Asks a pod. Must not reject. `part` is what ask() was given.
   * @returns how long until it is asked again, in milliseconds; undefined: not at all
   */
  readonly turn: (name: string, part: number) => Promise<number | undefined>;
  /** Called when a time that was set has come, before the pod is asked or has to wait. */
  readonly due: (name: string) => void;
}

interface Waiting {
  readonly part: number;
  readonly over: () => void;
}

/** Pods asked at once. */
const turnsMax = 256;

export class ProbeTurns {
  readonly #options: ProbeTurnsOptions;
  readonly #asking = new Set<string>();
  /** Due, and waiting until fewer are asked. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #timers = new Map<string, Timer>();
  #stopped = false;

  constructor(options: ProbeTurnsOptions) {
    this.#options = options;
  }

  /**
   * Asks now, or as soon as fewer are asked; resolves when that is over, or will not be. One that is being asked is not
   * asked twice.
   */
  ask(name: string, part = 1): Promise<void> {
    if (this.#stopped || this.#asking.has(name) || this.#waiting.has(name)) return Promise.resolve();
    if (this.#asking.size < turnsMax) return this.#turn(name, part);
    return new Promise((resolve) => this.#waiting.set(name, { part, over: resolve }));
  }

  /** Asks after this time, instead of when it was to be asked until now. */
  askAfter(name: string, afterMs: number): void {
    if (this.#stopped) return;
    this.#timers.get(name)?.cancel();
    const timer = this.#options.clock.after(afterMs, () => {
      this.#timers.delete(name);
      this.#options.due(name);
      void this.ask(name);
    });
    this.#timers.set(name, timer);
  }

  /** The pod is not there any more. A question that is under way is not called back. */
  forget(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
    this.#waiting.get(name)?.over();
    this.#waiting.delete(name);
  }

  stop(): void {
    this.#stopped = true;
    for (const name of [...this.#timers.keys(), ...this.#waiting.keys()]) this.forget(name);
  }

  async #turn(name: string, part: number): Promise<void> {
    this.#asking.add(name);
    const afterMs = await this.#options.turn(name, part);
    this.#asking.delete(name);
    if (afterMs !== undefined) this.askAfter(name, afterMs);
    const [next] = this.#waiting;
    if (next === undefined || this.#stopped) return;
    const [other, { part: itsPart, over }] = next;
    this.#waiting.delete(other);
    void this.#turn(other, itsPart).then(over);
  }
}
