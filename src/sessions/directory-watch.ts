/**
 * Hints that files of a directory have changed, from the kernel (inotify, through fs.watch). A hint may be missing,
 * doubled or late, and tells nothing of what changed: whoever gets it looks for himself, and scans now and then.
 *
 * Costs some microseconds for each event, and an application makes several with every request; so there is a bound
 * on how many are taken between two calls of ensure(). Beyond it the watch is closed until the next one.
 *
 * Must not know sessions, nor what a change means.
 */

import { type FSWatcher, statSync, watch } from 'node:fs';

/** Between two calls of ensure(), which are seconds apart: a busy pod makes some thousand. */
const eventsMaxDefault = 50_000;

export interface DirectoryWatchOptions {
  readonly path: string;
  /** A name in the directory: it was made, changed or removed. Must not throw. */
  readonly hint: (fileName: string) => void;
  /** No hints come any more until ensure() has been called: no watches left, too many events, the directory is gone. */
  readonly lost: (why: string) => void;
  /** Between two calls of ensure(). */
  readonly eventsMax?: number;
}

export class DirectoryWatch {
  readonly #options: DirectoryWatchOptions;
  #watcher: FSWatcher | undefined;
  /** Of the directory that is watched: another one may have taken its name. */
  #inode = 0n;
  #events = 0;

  constructor(options: DirectoryWatchOptions) {
    this.#options = options;
  }

  get open(): boolean {
    return this.#watcher !== undefined;
  }

  /** Watches the directory that has the name now; to be called again now and then. Never throws. */
  ensure(): void {
    this.#events = 0;
    try {
      const { ino } = statSync(this.#options.path, { bigint: true });
      if (this.#watcher !== undefined && this.#inode === ino) return;
      this.close();
      const watcher = watch(this.#options.path, { persistent: false });
      watcher.on('error', (error) => this.#lost(error.message));
      watcher.on('change', (_kind, fileName) => this.#event(fileName));
      this.#watcher = watcher;
      this.#inode = ino;
    } catch (error) {
      this.#lost(error instanceof Error ? error.message : String(error));
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #event(fileName: string | Buffer | null): void {
    this.#events++;
    const { eventsMax = eventsMaxDefault } = this.#options;
    if (this.#events > eventsMax) this.#lost(`more than ${eventsMax} events`);
    else if (typeof fileName === 'string') this.#options.hint(fileName);
  }

  #lost(why: string): void {
    this.close();
    this.#options.lost(why);
  }
}
