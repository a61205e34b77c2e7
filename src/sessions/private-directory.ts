/**
 * A directory of our own, 0700, inside or beside the session directory: temporary files and notes live here. Dot-named
 * inside a session directory: Laravel's clean-up skips dot names, PHP's and session-file-store's look at no folders.
 *
 * Files appear elsewhere by link() or rename() from here, whole, so it is on the same file system as what it serves.
 * Must not know what the files mean.
 */

import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { HoldfastError } from '../base/errors.ts';

/** No session id begins with a dot, so no note is ever taken for one of these. */
const temporaryPrefix = '.tmp-';
const markName = '.mark';

export interface TemporaryFile {
  /** Permission bits, exact: the umask does not count. */
  readonly mode: number;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Milliseconds since 1970; now without it. */
  readonly mtimeMs?: number;
  /** The content is on the disk before the file gets its name. */
  readonly durable?: boolean;
}

export class PrivateDirectory {
  readonly path: string;
  #temporaryCount = 0;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Creates the directory and removes temporary files that a killed process left; at start, before other use.
   * @throws HoldfastError 'directory-unusable'
   */
  prepare(): void {
    try {
      this.assure();
      for (const name of readdirSync(this.path)) {
        if (name.startsWith(temporaryPrefix)) removeFile(join(this.path, name));
      }
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new HoldfastError('directory-unusable', `${this.path}: ${troubleWith(this.path, error)}`, { cause: error });
    }
  }

  /** Creates the directory where it is missing. @throws HoldfastError 'directory-unusable', the file system's error */
  assure(): void {
    this.#create();
    const found = lstatSync(this.path);
    // The application can write here: a symbolic link would lead our writes into the sidecar's own files.
    if (!found.isDirectory()) throw new HoldfastError('directory-unusable', `${this.path} is not a directory.`);
  }

  /** Marks it, so that it can be told from a new one that openForWriting() made. @throws the file system's error */
  mark(): void {
    closeSync(this.openForWriting(join(this.path, markName)));
  }

  /** Whether it is there, and the one that was marked. @throws the file system's error */
  get marked(): boolean {
    return lstatSync(join(this.path, markName), { throwIfNoEntry: false })?.isFile() === true;
  }

  /**
   * Writes a temporary file; whoever asked gives it its name and removes this one. Nothing is left where it throws.
   * @returns its path.
   * @throws the file system's error (ENOSPC, EACCES ...).
   */
  writeTemporary(bytes: Buffer, file: TemporaryFile): string {
    this.#temporaryCount += 1;
    const path = join(this.path, `${temporaryPrefix}${process.pid}-${this.#temporaryCount}`);
    const fd = this.openForWriting(path, constants.O_EXCL);
    try {
      writeWhole(fd, bytes);
      fchmodSync(fd, file.mode);
      if (file.owner !== undefined) fchownSync(fd, file.owner.uid, file.owner.gid);
      if (file.mtimeMs !== undefined) futimesSync(fd, file.mtimeMs / 1000, file.mtimeMs / 1000);
      if (file.durable === true) fsyncSync(fd);
    } catch (error) {
      closeSync(fd);
      removeFile(path);
      throw error;
    }
    closeSync(fd);
    return path;
  }

  /**
   * Opens a file of this directory for writing, made (0600) where it is missing; `flags` are added.
   * @throws the file system's error
   */
  openForWriting(path: string, flags = 0): number {
    const all = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | flags;
    try {
      return openSync(path, all, 0o600);
    } catch (error) {
      // Someone emptied the session directory with everything in it. Its files are theirs to remove; we go on.
      if (errorCode(error) !== 'ENOENT') throw error;
      this.#create();
      return openSync(path, all, 0o600);
    }
  }

  /** Makes names that were given here survive a crash of the node. */
  syncNames(): void {
    const fd = openSync(this.path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #create(): void {
    try {
      mkdirSync(this.path, { mode: 0o700 });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}

/** Removes a file; a missing one is fine. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Writes all of it from position 0. @throws the file system's error. */
export function writeWhole(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) {
    written += writeSync(fd, bytes, written, bytes.length - written, written);
  }
}

/** `ENOENT`, `EACCES` ...: all that may be told of a file error, since its message bears the session's file name. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}

/** What a file system said about a directory, for whoever has to mend the pod: which volume, which user. Never throws. */
export function troubleWith(path: string, error: unknown): string {
  const code = errorCode(error);
  if (code === 'EROFS') return `${code}, its volume is mounted read-only here`;
  if (code !== 'EACCES' && code !== 'EPERM') return code;
  const owner = ownerOf(path) ?? ownerOf(dirname(path)) ?? 'nobody knows whom';
  return `${code}, it belongs to uid ${owner} and this is uid ${process.geteuid?.() ?? '?'}: run the sidecar as the application's user`;
}

function ownerOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.uid;
  } catch {
    return undefined;
  }
}
