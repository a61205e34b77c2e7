/**
 * The application's session directory: one session's file by its id, and which sessions there are.
 *
 * What it promises: a read is a whole session, or says why not; a write never tears, never detaches the application
 * from its file and never leaves half of itself at a session's name; nothing outside the directory is reached, whatever
 * the application puts there. A compromised application may plant symbolic links and FIFOs: the sidecar runs as its
 * uid, but has files of its own.
 *
 * Must not know the store, terms or requests. A file's absence is only reported here; what it means is the keeper's.
 */

import { type BigIntStats, lstatSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import type { Preset, SessionId } from '../affinity/session-codec.ts';
import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { type NameHash, nameHashIn } from './cachelib-names.ts';
import { checkDirectory } from './directory-check.ts';
import { listSessions, type PassedOver } from './directory-listing.ts';
import { compareStamp, type FileStamp, type FileState } from './file-state.ts';
import { LockWait } from './lock-wait.ts';
import { errorCode, PrivateDirectory, removeFile } from './private-directory.ts';
import { replaceByRename, tryPlace, tryRead } from './session-file.ts';
import { type FileRules, fileNameOf, fileRules, parseSavePath, sessionOf } from './session-name.ts';
import { closePlace, openPlace, type Place } from './session-place.ts';

/** Younger than this share of the lifetime keeps its time: the rest is the margin to the framework's clean-up. */
const youngShare = 0.9;

/** Less than this, and than a hundredth of all, is no room. */
const noRoomBytes = 64 * 1024;
/** Sessions that come and go at the same moment hardly make more room than this. */
const littleRoomBytes = 16 * 1024 * 1024;

export interface SessionDirectoryOptions {
  /** A path; for PHP also its own form `[N;[MODE;]]/path`. */
  readonly directory: string;
  readonly preset: Preset;
  /** The session cookie's name: some frameworks name their files after it. */
  readonly cookie?: string | undefined;
  /** Larger files are not read. */
  readonly maxBytes: number;
  /** Longest wait for one file's lock. */
  readonly lockMs: number;
  /** The application's session lifetime: its clean-up removes files that are older. */
  readonly lifetimeMs: number;
  readonly clock: Clock;
  /** Permission bits of files made here; else those of the application's files, else its framework's own. */
  readonly mode?: number | undefined;
}

/** A stored session on its way back into a file. `mtimeMs`: as its last owner saw it. */
export interface RestoredContent {
  readonly bytes: Buffer;
  readonly mtimeMs: number;
}

/** What the application's own files look like. */
interface Likeness {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export class SessionDirectory {
  /** The directory itself, without PHP's level and mode. */
  readonly path: string;
  /** Ours inside it: temporary files and, by default, the notes. */
  readonly privatePath: string;
  readonly rules: FileRules;
  readonly #options: SessionDirectoryOptions;
  readonly #depth: number;
  readonly #workshop: PrivateDirectory;
  readonly #wait: LockWait;
  #checked = false;
  /** Of FileRules.hashed, once it could be found out. */
  #nameHash: NameHash | undefined;
  /** Taken from the first regular file that is seen. */
  #likeness: Likeness | undefined;

  constructor(options: SessionDirectoryOptions) {
    const rules = fileRules(options.preset);
    const { directory, depth, mode } = parseSavePath(options.directory);
    this.path = directory;
    this.privatePath = join(directory, rules.privateName);
    this.rules = rules;
    this.#options = { ...options, mode: options.mode ?? mode };
    this.#depth = depth;
    this.#workshop = new PrivateDirectory(this.privatePath);
    this.#wait = new LockWait(options.clock);
  }

  /**
   * Whether the directory can be used as it must be: there, ours to write, its files ours to read, flock(2) and link(2)
   * work. Makes `.holdfast` in it and removes what a killed keeper left there. At start, and again until it succeeds.
   * @throws HoldfastError 'directory-unusable'
   */
  check(): void {
    checkDirectory(this.path, this.#workshop);
    this.#checked = true;
    const [first] = this.list().take(1);
    const state = first === undefined ? undefined : this.read(first, undefined, 0);
    if (state !== undefined && 'error' in state) {
      throw new HoldfastError('directory-unusable', `${this.path} has files of another user: ${state.error.message}`);
    }
  }

  /**
   * The session's content. Waits for the file's lock at most `withinMs`; synchronous where nothing has to be waited
   * for. `known`: the stamp of an earlier state; if the file is certainly still that one it is not read.
   * Never throws, never rejects.
   */
  read(id: SessionId, known?: FileStamp, withinMs = this.#options.lockMs): FileState | Promise<FileState> {
    const found = this.#wait.run(() => this.#tryRead(id, known), withinMs);
    return found instanceof Promise ? found.then((late) => late ?? { kind: 'locked' }) : (found ?? { kind: 'locked' });
  }

  /**
   * A glance without lock or content, for scans: 2 us. 'changed' is a hint (also when it can't be told), 'unchanged'
   * no proof that a request which runs now will not write, and 'unsettled' means that the stamp was taken so early
   * that a write within the same tick of the kernel's clock would not show.
   */
  look(id: SessionId, known: FileStamp | undefined): 'absent' | 'unchanged' | 'unsettled' | 'changed' {
    try {
      const place = this.#open(id, false);
      if (place === undefined) return this.#isThere() ? 'absent' : 'changed';
      try {
        const stats = lstatSync(place.path, { bigint: true, throwIfNoEntry: false });
        if (stats === undefined) return this.#isThere() ? 'absent' : 'changed';
        return known === undefined ? 'changed' : compareStamp(stats, known);
      } finally {
        closePlace(place);
      }
    } catch {
      return 'changed';
    }
  }

  /** Whether there is something at the session's name. True also where it can't be told: no deletion follows. */
  exists(id: SessionId): boolean {
    return this.look(id, undefined) !== 'absent';
  }

  /**
   * Puts a stored session at its name, before the application sees the request; 'same': it was there, byte for byte.
   * Waits for the file's lock at most `withinMs`; synchronous where nothing has to be waited for.
   * @throws HoldfastError 'lock-timeout' or 'session-file-unusable' (disk full, no permission, no regular file), as an
   * exception or as a rejection. Then the name is as it was, or has zero bytes.
   */
  restore(
    id: SessionId,
    content: RestoredContent,
    withinMs = this.#options.lockMs,
  ): 'written' | 'same' | Promise<'written' | 'same'> {
    const done = this.#wait.run(() => this.#tryRestore(id, content), withinMs);
    return done instanceof Promise ? done.then(orLockTimeout) : orLockTimeout(done);
  }

  /** The session that a name in the directory belongs to; undefined: none, or names alone do not tell (PHP's levels). */
  sessionNamed(fileName: string): SessionId | undefined {
    return this.#depth === 0 ? sessionOf(this.#options.preset, fileName, this.#options) : undefined;
  }

  /** Whether a file of this age is so young that the framework's clean-up does not remove it. */
  isYoung(mtimeMs: number): boolean {
    return this.#options.clock.nowMs() - mtimeMs < this.#options.lifetimeMs * youngShare;
  }

  /**
   * Whether the directory is the one that check() has seen: the `.holdfast` of then is in it. Without it the volume is
   * not mounted any more, or somebody emptied the directory with everything in it: then no file that is gone is a
   * deletion. An emptied directory gets its `.holdfast` again. 'missing' also where it can't be told.
   */
  condition(): 'whole' | 'emptied' | 'missing' {
    try {
      if (this.#workshop.marked) return 'whole';
      if (statSync(this.path, { throwIfNoEntry: false })?.isDirectory() !== true) return 'missing';
      this.#workshop.prepare();
      this.#workshop.mark();
      return 'emptied';
    } catch {
      return 'missing';
    }
  }

  /** Removes the session's file; a missing one is fine. @throws HoldfastError 'session-file-unusable' */
  remove(id: SessionId): void {
    try {
      const place = this.#open(id, false);
      if (place === undefined) return;
      try {
        removeFile(place.path);
      } finally {
        closePlace(place);
      }
    } catch (error) {
      throw fileError('Removing it', error);
    }
  }

  /** What is at the session's name, links not followed; undefined: nothing, or it can't be told. Never throws. */
  stat(id: SessionId): BigIntStats | undefined {
    try {
      const place = this.#open(id, false);
      if (place === undefined) return undefined;
      try {
        return lstatSync(place.path, { bigint: true, throwIfNoEntry: false });
      } finally {
        closePlace(place);
      }
    } catch {
      return undefined;
    }
  }

  /**
   * The sessions that have a file, by names alone; bounded, and lazy: who walks may pause. `passedOver` is counted up.
   * @throws HoldfastError 'directory-unusable', also between two.
   */
  *list(passedOver?: PassedOver): Generator<SessionId> {
    try {
      yield* listSessions(this.path, { ...this.#options, depth: this.#depth, ...(passedOver && { passedOver }) });
    } catch (error) {
      throw new HoldfastError('directory-unusable', `${this.path}: ${errorCode(error)}.`, { cause: error });
    }
  }

  /**
   * How much room the file system has. 'none': the framework truncates, fails to write and still answers 200, and zero
   * bytes are nothing (protocol rule 18). 'little': a write may just have failed half-way, if others have made room
   * since. 'none' also where it can't be told.
   */
  room(): 'none' | 'little' | 'enough' {
    try {
      const { bavail, blocks, bsize, files, ffree } = statfsSync(this.path);
      const freeBytes = bavail * bsize;
      if (freeBytes < Math.max(1, Math.min(noRoomBytes, (blocks * bsize) / 100))) return 'none';
      if (files > 0 && ffree === 0) return 'none';
      return freeBytes < littleRoomBytes ? 'little' : 'enough';
    } catch {
      return 'none';
    }
  }

  #tryRead(id: SessionId, known: FileStamp | undefined): FileState | undefined {
    try {
      const place = this.#open(id, false);
      if (place === undefined && this.#isThere()) return { kind: 'absent' };
      if (place === undefined) throw new HoldfastError('directory-unusable', `${this.path} is gone.`);
      try {
        const { guard } = this.rules;
        const bytesMax = this.#options.maxBytes;
        const state = tryRead({ path: place.path, bytesMax, guard, known, seen: this.#seen });
        if (state?.kind !== 'absent' || this.#isThere()) return state;
      } finally {
        closePlace(place);
      }
      // Not one session is gone but all: that is a lost mount, not a thousand logouts.
      throw new HoldfastError('directory-unusable', `${this.path} is gone.`);
    } catch (error) {
      return { kind: 'unusable', error: fileError('Reading it', error) };
    }
  }

  #tryRestore(id: SessionId, { bytes, mtimeMs }: RestoredContent): 'written' | 'same' | undefined {
    try {
      const place = this.#open(id, true);
      if (place === undefined) throw new HoldfastError('directory-unusable', `${this.path} is gone.`);
      try {
        const placement = {
          bytes,
          mtimeMs: this.#restoredMtimeMs(mtimeMs),
          ...this.#newFile(),
          workshop: this.#workshop,
        };
        return this.rules.guard === 'lock' ? tryPlace(place.path, placement) : replaceByRename(place.path, placement);
      } finally {
        closePlace(place);
      }
    } catch (error) {
      throw fileError('Writing it', error);
    }
  }

  /** The way to the session's file, if its directory levels are there. */
  #open(id: SessionId, create: boolean): Place | undefined {
    if (this.rules.hashed === true) this.#nameHash ??= nameHashIn(this.path);
    const naming = { cookie: this.#options.cookie, hash: this.#nameHash };
    const fileName = fileNameOf(this.#options.preset, id, naming);
    // PHP refuses an id that is not longer than its levels.
    if (fileName === undefined || id.length <= this.#depth) {
      throw new HoldfastError('session-file-unusable', 'The id is not of the shape that names a file.');
    }
    return openPlace(this.path, fileName, { levels: levelsOf(id, this.#depth), create });
  }

  /** An unmounted volume leaves its mount point, an empty directory; so ours inside it has to be there too. */
  #isThere(): boolean {
    const path = this.#checked ? this.privatePath : this.path;
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  }

  /**
   * The true time while it is young: a touch must not make a session live longer than it would have. Near its end the
   * framework's clean-up would remove the file before the request that brings it back reads it: then now, which is the
   * time of that request. Never a future time, which another node's clock may have made.
   */
  #restoredMtimeMs(mtimeMs: number): number {
    const nowMs = this.#options.clock.nowMs();
    return this.isYoung(mtimeMs) ? Math.min(mtimeMs, nowMs) : nowMs;
  }

  #newFile(): { mode: number; owner: { uid: number; gid: number } | undefined } {
    const mode = this.#options.mode ?? this.#likeness?.mode ?? this.rules.mode;
    // Only root can give files away, and has to: PHP refuses the files of another user.
    if (process.geteuid?.() !== 0) return { mode, owner: undefined };
    const { uid, gid } = this.#likeness ?? statSync(this.path);
    return { mode, owner: { uid, gid } };
  }

  readonly #seen = (stats: BigIntStats): void => {
    this.#likeness ??= { uid: Number(stats.uid), gid: Number(stats.gid), mode: Number(stats.mode) & 0o777 };
  };
}

const noLevels: readonly string[] = [];

/** PHP's levels: the first characters of the id, one each; every preset's ids are ASCII. */
function levelsOf(id: SessionId, depth: number): readonly string[] {
  return depth === 0 ? noLevels : Array.from(id.slice(0, depth));
}

function orLockTimeout<Result>(done: Result | undefined): Result {
  if (done === undefined) throw new HoldfastError('lock-timeout', 'It could not be written.');
  return done;
}

/** Only the error's code: its message names the session's file. */
function fileError(doing: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return new HoldfastError('session-file-unusable', `${doing}: ${errorCode(error)}.`);
}
