/**
 * Looks whether any of the files of the configuration has changed and rests again: written in place, replaced by a
 * rename, or exchanged with all its neighbours as the kubelet does it (a swapped symbolic link above them).
 *
 * Polled rather than watched: what is watched is a name, and each of these ways changes something else about it.
 *
 * Must not know what is done about a change.
 */

import type { Clock, Timer } from '../base/clock.ts';
import { type FilesSeen, lookAgain } from './read-files.ts';

export interface FilesWatchOptions {
  readonly clock: Clock;
  /** Called once for each change; it is to read them, and to tell saw() what it saw. Must not reject. */
  readonly changed: () => Promise<unknown>;
}

/** The kubelet takes a minute to bring a change, so this hardly adds to it. */
const everyMs = 2000;
/** Who writes in place is not interrupted: two looks have to agree. */
const settledMs = 300;
/** A file that never rests is read as it is. */
const looksMax = 10;

export class FilesWatch {
  readonly #options: FilesWatchOptions;
  #seen: FilesSeen = new Map();
  /** What the last look found, where that was a change. */
  #found: string | undefined;
  #looks = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: FilesWatchOptions) {
    this.#options = options;
  }

  /** These files are what counts from now on, as they were read. */
  saw(files: FilesSeen): void {
    this.#seen = files;
    this.#rest();
  }

  start(): void {
    this.#next(everyMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #next(afterMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(afterMs, () => void this.#look().then((nextMs) => this.#next(nextMs)));
  }

  /** @returns when to look again, in ms. */
  async #look(): Promise<number> {
    const seen = this.#seen;
    const found = (await Promise.all([...seen].map(([path, file]) => lookAgain(path, file)))).join();
    // Somebody has asked for a reload meanwhile.
    if (seen !== this.#seen) return everyMs;
    if (found === [...seen.values()].map(({ digest }) => digest).join()) {
      this.#rest();
      return everyMs;
    }
    if (found !== this.#found && ++this.#looks < looksMax) {
      this.#found = found;
      return settledMs;
    }
    this.#rest();
    await this.#options.changed();
    return everyMs;
  }

  #rest(): void {
    this.#found = undefined;
    this.#looks = 0;
  }
}
