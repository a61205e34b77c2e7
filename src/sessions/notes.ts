/**
 * The keeper's notes: for each session file, the epoch it belongs to (protocol rule 11). On the session directory's
 * volume, because they must live and die with the files, and must be there when the store is not.
 *
 * One small file per session, always of the same length and written by one call within one page, which a kill can not
 * divide: it leaves the old note, the new one, or (of a first one) none. A rename would do the same at 1 ms instead of
 * 10 us, because ext4 writes out what is renamed over a file. A note that can't be read counts as none, which is the
 * safe side: then the store's copy wins over the file (rule 12).
 *
 * Must not know what a note means for a file.
 */

import { randomUUID } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, opendirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import type { SessionId } from '../affinity/session-codec.ts';
import { plainShape as notedShape } from '../affinity/session-id/plain.ts';
import { HoldfastError } from '../base/errors.ts';
import { errorCode, PrivateDirectory, removeFile, writeWhole } from './private-directory.ts';

export interface Note {
  /** The term that the session's file belongs to. */
  readonly epoch: number;
  /** Store time in milliseconds at which the store last confirmed that term. */
  readonly confirmedAtMs: number;
  /** A logout that the store has not heard of yet (protocol rule 26): to be stored as a tombstone. */
  readonly buried?: boolean;
  /** Beside `buried`: the file is there again, and belongs to a session that was begun anew after the logout. */
  readonly begunAnew?: boolean;
}

/** Behind ids of the plain shape (every preset's ids have it: no '/', no '.' in front) it still fits NAME_MAX. */
const suffix = '.note';
/** Every note has this length, with spaces at its end; two numbers of 16 digits and the rest take 90. */
const noteBytes = 96;
const uidShape = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** As in a walk of the session directory. */
const namesMax = 1_000_000;

export class Notes {
  readonly #directory: PrivateDirectory;

  constructor({ directory }: { directory: string }) {
    this.#directory = new PrivateDirectory(directory);
  }

  /** Makes the directory; at start, before other use. @throws HoldfastError 'directory-unusable' */
  check(): void {
    this.#directory.prepare();
  }

  /** The session's note; undefined: none, or none that can be read. */
  read(id: SessionId): Note | undefined {
    return this.#read(id);
  }

  /** Replaces the session's note. @throws HoldfastError 'session-file-unusable': the old one is still there. */
  write(id: SessionId, note: Note): void {
    this.#write(id, note, false);
  }

  /** The same, and it survives a crash of the node from now on. A few milliseconds. */
  writeDurably(id: SessionId, note: Note): void {
    this.#write(id, note, true);
  }

  /** Removes the session's note; a missing one is fine. @throws HoldfastError 'session-file-unusable' */
  remove(id: SessionId): void {
    try {
      removeFile(this.#path(id));
    } catch (error) {
      throw noteError(error);
    }
  }

  /** All notes that can be read, bounded and lazy. @throws HoldfastError 'directory-unusable' */
  *all(): Generator<[SessionId, Note]> {
    try {
      const directory = opendirSync(this.#directory.path, { bufferSize: 256 });
      try {
        for (let looked = 0; looked < namesMax; looked += 1) {
          const entry = directory.readSync();
          if (entry === null) return;
          if (!entry.isFile() || !entry.name.endsWith(suffix)) continue;
          const id = entry.name.slice(0, -suffix.length);
          const session = notedShape(id);
          const note = session === undefined ? undefined : this.#read(session);
          if (session !== undefined && note !== undefined) yield [session, note];
        }
      } finally {
        directory.closeSync();
      }
    } catch (error) {
      throw new HoldfastError('directory-unusable', `${this.#directory.path}: ${errorCode(error)}.`, { cause: error });
    }
  }

  /**
   * The pod's identity where none is configured: made once, kept beside the notes, so that a restarted sidecar is the
   * same owner and its files are its own, and gone with the volume, so that another pod never is.
   * @throws HoldfastError 'directory-unusable'
   */
  podUid(): string {
    const path = join(this.#directory.path, 'uid');
    try {
      const known = readUid(path);
      if (known !== undefined) return known;
      const temporary = this.#directory.writeTemporary(Buffer.from(randomUUID()), { mode: 0o600, durable: true });
      renameSync(temporary, path);
      this.#directory.syncNames();
      const made = readUid(path);
      if (made !== undefined) return made;
      throw new HoldfastError('directory-unusable', `${path} can't be read back.`);
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new HoldfastError('directory-unusable', `${path}: ${errorCode(error)}.`, { cause: error });
    }
  }

  #path(id: SessionId): string {
    if (notedShape(id) === undefined) {
      throw new HoldfastError('session-file-unusable', 'The id is not of the shape that names a note.');
    }
    return join(this.#directory.path, id + suffix);
  }

  #read(id: SessionId): Note | undefined {
    try {
      return parseNote(readSmall(this.#path(id)));
    } catch {
      return undefined;
    }
  }

  #write(id: SessionId, note: Note, durable: boolean): void {
    const path = this.#path(id);
    const bytes = Buffer.from(JSON.stringify(note).padEnd(noteBytes), 'latin1');
    try {
      const fd = this.#directory.openForWriting(path);
      try {
        writeWhole(fd, bytes);
        if (durable) fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      if (durable) this.#directory.syncNames();
    } catch (error) {
      throw noteError(error);
    }
  }
}

/** The text of one of our files; undefined: there is none, or it is none of ours. @throws the file system's error. */
function readSmall(path: string): string | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(fd);
    return size > noteBytes ? undefined : readFileSync(fd, 'latin1');
  } finally {
    closeSync(fd);
  }
}

function parseNote(text: string | undefined): Note | undefined {
  const found: unknown = text === undefined ? undefined : JSON.parse(text);
  if (typeof found !== 'object' || found === null) return undefined;
  if (!('epoch' in found) || !('confirmedAtMs' in found)) return undefined;
  const { epoch, confirmedAtMs } = found;
  if (!isTimeOrCount(epoch) || !isTimeOrCount(confirmedAtMs)) return undefined;
  if (!('buried' in found) || found.buried !== true) return { epoch, confirmedAtMs };
  const isBegunAnew = 'begunAnew' in found && found.begunAnew === true;
  return { epoch, confirmedAtMs, buried: true, ...(isBegunAnew ? { begunAnew: true } : {}) };
}

function isTimeOrCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function readUid(path: string): string | undefined {
  try {
    const text = readSmall(path);
    return text !== undefined && uidShape.test(text) ? text : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function noteError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return new HoldfastError('session-file-unusable', `Its note: ${errorCode(error)}.`);
}
