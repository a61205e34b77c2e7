/**
 * `sessions.serialize`: requests of one session go to the application one at a time, in the order in which they came.
 * It is for frameworks that do not lock their session (Laravel, Express): two tabs that work at once then do not
 * overwrite each other's changes.
 *
 * A wait is bounded in time; how many wait is bounded by whoever counts the requests of a session
 * (`limits.perSession`). Must not know requests, nor where a session lives.
 */

import type { Clock, Timer } from '../base/clock.ts';

export interface SessionTurn {
  /** Synchronously true, or later; false: the wait took too long, or leave() came first. */
  readonly ready: true | Promise<boolean>;
  /** Ends the turn, or the wait for it; calling it again does nothing. */
  leave(): void;
}

export class SessionTurns {
  readonly #clock: Clock;
  readonly #waitMs: number;
  /** The one whose turn it is, and those that wait behind it. */
  readonly #queues = new Map<string, Waiter[]>();

  /** @param options `waitMs`: the longest wait for a turn. */
  constructor({ clock, waitMs }: { readonly clock: Clock; readonly waitMs: number }) {
    this.#clock = clock;
    this.#waitMs = waitMs;
  }

  /** Sessions that somebody has the turn of. */
  get size(): number {
    return this.#queues.size;
  }

  /** Takes a place in the session's queue; to be given back by leave(), whatever became of it. */
  enter(session: string): SessionTurn {
    const queue = this.#queues.get(session);
    const waiter = new Waiter((left) => this.#leave(session, left));
    if (queue === undefined) {
      this.#queues.set(session, [waiter]);
      return waiter;
    }
    queue.push(waiter);
    waiter.wait(this.#clock, this.#waitMs);
    return waiter;
  }

  #leave(session: string, waiter: Waiter): void {
    const queue = this.#queues.get(session);
    const place = queue?.indexOf(waiter) ?? -1;
    if (queue === undefined || place < 0) return;
    queue.splice(place, 1);
    if (queue.length === 0) this.#queues.delete(session);
    else if (place === 0) queue[0]!.begin();
  }
}

class Waiter implements SessionTurn {
  ready: true | Promise<boolean> = true;
  readonly #onLeave: (waiter: Waiter) => void;
  #timer: Timer | undefined;
  #resolve: ((ready: boolean) => void) | undefined;

  constructor(onLeave: (waiter: Waiter) => void) {
    this.#onLeave = onLeave;
  }

  wait(clock: Clock, waitMs: number): void {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.ready = promise;
    this.#resolve = resolve;
    this.#timer = clock.after(waitMs, () => this.leave());
  }

  begin(): void {
    this.#timer?.cancel();
    this.#resolve?.(true);
  }

  leave(): void {
    this.#timer?.cancel();
    this.#onLeave(this);
    this.#resolve?.(false);
  }
}
