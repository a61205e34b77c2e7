/**
 * Whether a session directory can do what a keeper needs, tried for real instead of guessed from the mount.
 *
 * Must not know sessions.
 */

import { accessSync, closeSync, constants, linkSync, openSync, statSync } from 'node:fs';

import { HoldfastError } from '../base/errors.ts';
import { tryLock } from './file-lock.ts';
import { errorCode, type PrivateDirectory, removeFile, troubleWith } from './private-directory.ts';

/**
 * Makes the private directory and tries locks and links in it.
 * @throws HoldfastError 'directory-unusable'; the message says what is missing.
 */
export function checkDirectory(path: string, workshop: PrivateDirectory): void {
  try {
    if (!statSync(path).isDirectory()) throw unusable(path, 'it is not a directory');
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    workshop.prepare();
    workshop.mark();
    checkLinksAndLocks(path, workshop);
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError('directory-unusable', `${path}: ${troubleWith(path, error)}.`, { cause: error });
  }
}

function checkLinksAndLocks(path: string, workshop: PrivateDirectory): void {
  const one = workshop.writeTemporary(Buffer.alloc(0), { mode: 0o600 });
  const other = `${one}-link`;
  try {
    tryLink(path, one, other);
    const first = openSync(one, constants.O_RDWR);
    try {
      const second = openSync(other, constants.O_RDONLY);
      try {
        const excludes = tryLock(first, 'exclusive') && !tryLock(second, 'shared');
        if (!excludes) throw unusable(path, 'its file system does not keep flock(2) locks');
      } finally {
        closeSync(second);
      }
    } finally {
      closeSync(first);
    }
  } finally {
    removeFile(one);
    removeFile(other);
  }
}

function tryLink(path: string, from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    throw unusable(path, `its file system makes no hard links (${errorCode(error)})`);
  }
}

function unusable(path: string, why: string): HoldfastError {
  return new HoldfastError('directory-unusable', `${path}: ${why}.`);
}
