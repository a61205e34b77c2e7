/**
 * A clock that stands still until a test moves it: timers run in the order of their times, ties in the order in
 * which they were set.
 */

import type { Clock, Timer } from '../../src/base/clock.ts';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
}

export class ManualClock implements Clock {
  readonly #epochMs: number;
  readonly #pending = new Set<Entry>();
  #elapsedMs = 0;
  #order = 0;

  /** @param startMs the wall-clock time at the start, in milliseconds since 1970. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#epochMs = startMs;
  }

  nowMs(): number {
    return this.#epochMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, action: () => void): Timer {
    let entry = this.#enter(delayMs, action);
    return {
      cancel: () => void this.#pending.delete(entry),
      refresh: () => {
        this.#pending.delete(entry);
        entry = this.#enter(delayMs, action);
      },
    };
  }

  /** How many timers wait: a test can hold that nothing is left behind. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Moves time on by `ms` and runs what falls due on the way, each timer at its own time. */
  advance(ms: number): void {
    const targetMs = this.#elapsedMs + ms;
    for (;;) {
      const next = this.#next(targetMs);
      if (next === undefined) break;
      this.#pending.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.action();
    }
    this.#elapsedMs = targetMs;
  }

  #enter(delayMs: number, action: () => void): Entry {
    const entry = { atMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, action };
    this.#pending.add(entry);
    return entry;
  }

  #next(untilMs: number): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#pending) {
      if (entry.atMs > untilMs) continue;
      if (first === undefined || entry.atMs < first.atMs || (entry.atMs === first.atMs && entry.order < first.order)) {
        first = entry;
      }
    }
    return first;
  }
}
