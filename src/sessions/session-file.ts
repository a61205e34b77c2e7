/**
 * One session file: read it whole, put content back. Each function is one attempt that never waits; `undefined` says
 * "not now": another holds the lock, or the file changed under the attempt.
 *
 * Calls are synchronous on purpose. A stat costs 2 us, a small read with its lock 12 us; the same through a promise
 * and the thread pool costs several times that, on the path of every answer, and the pool's four threads would be
 * shared with whatever else waits there.
 *
 * - A complete answer is not a saved session: plain PHP writes its file after its output, under the exclusive lock
 *   that it has held since session_start(). Only under a shared lock is the file known to be whole.
 * - A file that may be open is never renamed over: PHP would go on writing to the dead inode. Content goes into absence
 *   by link(), or into the same inode under the exclusive lock. Frameworks that lock nothing get a rename: their
 *   readers take no lock, and session-file-store deletes a session that it reads half-written.
 *
 * Must not know ids, directories, presets' names or the store.
 */

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
} from 'node:fs';

import { HoldfastError } from '../base/errors.ts';
import { tryLock, tryReadLease } from './file-lock.ts';
import { digestOf, type FileStamp, type FileState, isUnchanged, mtimeMsOf, sameFile, stampOf } from './file-state.ts';
import { errorCode, type PrivateDirectory, removeFile, troubleWith, writeWhole } from './private-directory.ts';
import type { FileRules } from './session-name.ts';

/** No symbolic links; O_NONBLOCK because opening a FIFO that someone planted would wait for its writer. */
const openFlags = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

export interface ReadAsk {
  readonly path: string;
  readonly bytesMax: number;
  /** FileRules.guard. Whatever it is, the file's times and inode have to be the same before and after. */
  readonly guard: FileRules['guard'];
  readonly known: FileStamp | undefined;
  /** Called with what a regular file of the application looks like. */
  readonly seen?: (stats: BigIntStats) => void;
}

/** Reads the file if its lock is free and nothing changes it meanwhile. */
export function tryRead(ask: ReadAsk): FileState | undefined {
  const nowMs = Date.now();
  let fd: number;
  try {
    fd = openSync(ask.path, constants.O_RDONLY | openFlags);
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? { kind: 'absent' } : unusable(troubleWith(ask.path, error));
  }
  try {
    if (!isWhole(fd, ask.guard)) return undefined;
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) return unusable('it is no regular file');
    ask.seen?.(before);
    return readOpen(fd, before, ask, nowMs);
  } catch (error) {
    return error instanceof HoldfastError ? { kind: 'unusable', error } : unusable(errorCode(error));
  } finally {
    closeSync(fd);
  }
}

/** Whether nobody is writing the file, nor begins to before it is closed. */
function isWhole(fd: number, guard: FileRules['guard']): boolean {
  switch (guard) {
    case 'lock':
      return tryLock(fd, 'shared');
    case 'no-writer':
      return tryReadLease(fd);
    case 'rename':
      return true;
  }
}

function readOpen(fd: number, before: BigIntStats, ask: ReadAsk, nowMs: number): FileState | undefined {
  const size = Number(before.size);
  const unchanged = ask.known !== undefined && isUnchanged(before, ask.known);
  const reads = !unchanged && size > 0 && size <= ask.bytesMax;
  const bytes = reads ? Buffer.allocUnsafe(size) : undefined;
  if (bytes !== undefined && readSync(fd, bytes, 0, size, 0) !== size) return undefined;

  // By its name, not by the descriptor: while we waited or read, the application may have put another file there.
  const after = lstatSync(ask.path, { bigint: true, throwIfNoEntry: false });
  if (after === undefined || !sameFile(before, after)) return undefined;

  const mtimeMs = mtimeMsOf(after);
  if (unchanged) return { kind: 'unchanged', mtimeMs, stamp: ask.known };
  if (size > ask.bytesMax) return { kind: 'too-large', size };
  const stamp = stampOf(after, nowMs);
  if (bytes === undefined) return { kind: 'empty', mtimeMs, stamp };
  return { kind: 'content', bytes, mtimeMs, digest: digestOf(bytes), stamp };
}

export interface Placement {
  readonly bytes: Buffer;
  /** Milliseconds since 1970 that the file shall bear. */
  readonly mtimeMs: number;
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Temporary files, on the same file system. */
  readonly workshop: PrivateDirectory;
}

/**
 * Puts content at the name, unless it is there: then only a younger `mtimeMs` is set.
 * Into absence by link(), which never replaces what the application created meanwhile: that inode is then written in
 * place, in the next attempt, because it may be PHP's session_start() that made it, with zero bytes.
 * @throws HoldfastError 'session-file-unusable'. Nothing half-written is at the name then: it is as it was, absent, or
 * has zero bytes.
 */
export function tryPlace(path: string, placement: Placement): 'written' | 'same' | undefined {
  return placing(() => {
    const fd = openExisting(path);
    if (fd === undefined) return linkNew(path, placement);
    try {
      if (!tryLock(fd, 'exclusive')) return undefined;
      const stats = fstatSync(fd, { bigint: true });
      if (!stats.isFile()) throw new HoldfastError('session-file-unusable', 'It is no regular file.');
      const named = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (named?.ino !== stats.ino) return undefined;
      if (holdsAlready(fd, stats, placement)) return 'same';
      overwrite(fd, placement);
      return 'written';
    } finally {
      closeSync(fd);
    }
  });
}

/**
 * The same for frameworks that lock nothing: always a new inode, never a half-written file. Those that write in place
 * have it open only within a request, and none runs now (protocol rule 13).
 */
export function replaceByRename(path: string, placement: Placement): 'written' | 'same' {
  return placing(() => {
    const fd = openExisting(path);
    if (fd !== undefined) {
      try {
        const stats = fstatSync(fd, { bigint: true });
        if (!stats.isFile()) throw new HoldfastError('session-file-unusable', 'It is no regular file.');
        if (holdsAlready(fd, stats, placement)) return 'same';
      } finally {
        closeSync(fd);
      }
    }
    const temporary = placement.workshop.writeTemporary(placement.bytes, placement);
    try {
      renameSync(temporary, path);
    } catch (error) {
      removeFile(temporary);
      throw error;
    }
    return 'written';
  });
}

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | openFlags);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function linkNew(path: string, placement: Placement): 'written' | undefined {
  const temporary = placement.workshop.writeTemporary(placement.bytes, placement);
  try {
    linkSync(temporary, path);
    return 'written';
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return undefined;
    throw error;
  } finally {
    removeFile(temporary);
  }
}

function holdsAlready(fd: number, stats: BigIntStats, { bytes, mtimeMs }: Placement): boolean {
  if (stats.size !== BigInt(bytes.length)) return false;
  const there = Buffer.allocUnsafe(bytes.length);
  if (readSync(fd, there, 0, there.length, 0) !== there.length || !there.equals(bytes)) return false;
  // A returning pod's copy may be equal and old: the framework's clean-up goes by the time alone.
  if (mtimeMs > mtimeMsOf(stats)) futimesSync(fd, mtimeMs / 1000, mtimeMs / 1000);
  return true;
}

/**
 * Truncate first, then write: whatever kills us between two system calls leaves zero bytes, which nobody takes for
 * content. The other order would leave new content with an old tail, which looks like a session. A write call that is
 * itself killed half-way (more than a page) leaves a part; the note, which the keeper removes before and writes after,
 * tells that then.
 */
function overwrite(fd: number, { bytes, mtimeMs }: Placement): void {
  ftruncateSync(fd, 0);
  try {
    writeWhole(fd, bytes);
  } catch (error) {
    ftruncateSync(fd, 0);
    throw error;
  }
  futimesSync(fd, mtimeMs / 1000, mtimeMs / 1000);
}

function placing<Result>(place: () => Result): Result {
  try {
    return place();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError('session-file-unusable', `Writing it: ${errorCode(error)}.`);
  }
}

function unusable(why: string): FileState {
  return { kind: 'unusable', error: new HoldfastError('session-file-unusable', `Reading it: ${why}.`) };
}
