/**
 * One keeper at a time on a session directory: a lock (flock) on a file of our private directory, held until the process
 * ends. The kernel gives it back for a process that is killed; one that is frozen still has it.
 *
 * Must not know what is done about a directory that another process holds.
 */

import { closeSync } from 'node:fs';
import { join } from 'node:path';

import { HoldfastError } from '../base/errors.ts';
import { tryLock } from './file-lock.ts';
import { errorCode, PrivateDirectory } from './private-directory.ts';

/** No note ends like this, and no temporary file begins like it. */
const lockName = 'keeper.lock';

export class DirectoryHold {
  readonly #directory: PrivateDirectory;
  #fd: number | undefined;

  /** @param privatePath SessionDirectory.privatePath: before its check(), which removes what a killed keeper left */
  constructor(privatePath: string) {
    this.#directory = new PrivateDirectory(privatePath);
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
    return true;
  }

  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number {
    try {
      this.#directory.assure();
      return this.#directory.openForWriting(join(this.#directory.path, lockName));
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new HoldfastError('directory-unusable', `${this.#directory.path}: ${errorCode(error)}`, { cause: error });
    }
  }
}
