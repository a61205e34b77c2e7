/**
 * How many sessions are this pod's, and how many of them were in use lately: what a gateway compares pods by. Exact for
 * what is in memory, and one comparison for each request: a session is counted in the slice of time in which it was
 * used last, and the slices of the last minute are added up.
 *
 * Must not know what the numbers decide.
 */

import type { SessionEntry } from './session-entry.ts';

const sliceMs = 10_000;
/** Of the past minute; people read a page for less. */
const slicesShown = 6;

export class SessionCounts {
  #owned = 0;
  /** By slice, modulo their number; `#slices` says which one it is. */
  readonly #used = new Int32Array(slicesShown + 1);
  readonly #slices = new Float64Array(slicesShown + 1).fill(-1);

  /** Sessions whose owner this pod is, as far as they are in memory. */
  get owned(): number {
    return this.#owned;
  }

  /** Sessions used within the last minute (50 to 60 s) that have not gone since. */
  active(nowMs: number): number {
    const slice = Math.floor(nowMs / sliceMs);
    let sum = 0;
    for (let at = slice; at > slice - slicesShown; at--) {
      if (at >= 0 && this.#slices[at % this.#used.length] === at) sum += this.#used[at % this.#used.length]!;
    }
    return sum;
  }

  /** A request of the session is here. */
  use(entry: SessionEntry, nowMs: number): void {
    const slice = Math.floor(nowMs / sliceMs);
    if (entry.usedInSlice === slice) return;
    this.#takeBack(entry);
    const place = slice % this.#used.length;
    if (this.#slices[place] !== slice) {
      this.#slices[place] = slice;
      this.#used[place] = 0;
    }
    this.#used[place]!++;
    entry.usedInSlice = slice;
  }

  /** The session's state has changed. */
  change(entry: SessionEntry, wasOurs: boolean): void {
    const isOurs = isOwned(entry);
    if (isOurs === wasOurs) return;
    this.#owned += isOurs ? 1 : -1;
    if (!isOurs) this.#takeBack(entry);
  }

  /** The entry goes from memory. */
  forget(entry: SessionEntry): void {
    if (isOwned(entry)) this.#owned--;
    this.#takeBack(entry);
  }

  #takeBack(entry: SessionEntry): void {
    const slice = entry.usedInSlice;
    entry.usedInSlice = -1;
    const place = slice % this.#used.length;
    if (slice >= 0 && this.#slices[place] === slice) this.#used[place]!--;
  }
}

/** Whether it is this pod's: being given up, it still is. */
export function isOwned({ state }: SessionEntry): boolean {
  return state.at === 'owned' || state.at === 'releasing';
}
