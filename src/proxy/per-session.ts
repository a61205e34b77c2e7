/**
 * Counts the exchanges of each session that are under way, against `limits.perSession`: one client with a
 * thousand parallel requests must not fill the pod that serves its neighbours too.
 *
 * Must not know what a session is beyond its text.
 */

export class PerSessionLimit {
  readonly #max: number;
  readonly #inFlight = new Map<string, number>();

  /** @param max exchanges of one session at a time; 0: no limit. */
  constructor(max: number) {
    this.#max = max === 0 ? Number.POSITIVE_INFINITY : max;
  }

  /** Exchanges in flight of the session that has most; goes through all, for /metrics. */
  get largest(): number {
    let largest = 0;
    for (const count of this.#inFlight.values()) largest = Math.max(largest, count);
    return largest;
  }

  /** Takes a place; false: none is free. Each true is given back by one leave(). */
  enter(session: string): boolean {
    const count = this.#inFlight.get(session) ?? 0;
    if (count >= this.#max) return false;
    this.#inFlight.set(session, count + 1);
    return true;
  }

  leave(session: string): void {
    const count = this.#inFlight.get(session) ?? 0;
    if (count <= 1) this.#inFlight.delete(session);
    else this.#inFlight.set(session, count - 1);
  }
}
