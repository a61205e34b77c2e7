/**
 * One keeper at a time on a session directory: a lock (flock) on a file of our private directory, held until the process
 * ends. The kernel gives it back for a process that is killed; one that is frozen still has it.
 *
 * While it is held the file's time says so, second by second: the next keeper sees since when nobody watched.
 *
 * Must not know what is done about a directory that another process holds.
 */

import { closeSync, fstatSync, futimesSync } from 'node:fs';
import { join } from 'node:path';

import type { Clock, Timer } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { tryLock } from './file-lock.ts';
import { PrivateDirectory, troubleWith } from './private-directory.ts';

/** No note ends like this, and no temporary file begins like it. */
const lockName = 'keeper.lock';
const beatMs = 1000;

export class DirectoryHold {
  readonly #directory: PrivateDirectory;
  readonly #clock: Clock;
  #fd: number | undefined;
  #beat: Timer | undefined;
  #unheldSinceMs = 0;

  /** @param privatePath SessionDirectory.privatePath: before its check(), which removes what a killed keeper left */
  constructor(privatePath: string, clock: Clock) {
    this.#directory = new PrivateDirectory(privatePath);
    this.#clock = clock;
  }

  /** Since when nobody had held it when it was taken, to a second (wall clock). */
  get unheldSinceMs(): number {
    return this.#unheldSinceMs;
  }

  /**
   * Whether the directory is ours from now on, until release() or the end of the process.
   * @throws HoldfastError 'directory-unusable'
   */
  tryTake(): boolean {
    if (this.#fd !== undefined) return true;
    const fd = this.#open();
    try {
      if (!tryLock(fd, 'exclusive')) {
        closeSync(fd);
        return false;
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
    const { mtimeMs } = fstatSync(fd);
    // A clock that was set back since then says nothing: all files are looked at.
    this.#unheldSinceMs = mtimeMs > this.#clock.nowMs() ? 0 : mtimeMs;
    this.#say(fd);
    return true;
  }

  release(): void {
    this.#beat?.cancel();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #say(fd: number): void {
    const nowSeconds = this.#clock.nowMs() / 1000;
    try {
      futimesSync(fd, nowSeconds, nowSeconds);
    } catch {
      // A volume that takes no times: the next keeper looks at more files than it would have to.
    }
    this.#beat = this.#clock.after(beatMs, () => this.#say(fd));
  }

  #open(): number {
    try {
      this.#directory.assure();
      return this.#directory.openForWriting(join(this.#directory.path, lockName));
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new HoldfastError(
        'directory-unusable',
        `${this.#directory.path}: ${troubleWith(this.#directory.path, error)}`,
        { cause: error },
      );
    }
  }
}
