/**
 * The session files of an installation from before Holdfast: which of them are sessions worth storing, and their
 * contents. The application may go on writing them; nothing in the directory is changed, not even made.
 *
 * Must not know the store.
 */

import { statSync } from 'node:fs';

import type { Preset, SessionId } from '../affinity/session-codec.ts';
import { systemClock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { PassedOver } from './directory-listing.ts';
import { mtimeMsOf } from './file-state.ts';
import { Notes } from './notes.ts';
import { errorCode } from './private-directory.ts';
import { SessionDirectory } from './session-directory.ts';

export interface ImportSourceOptions {
  /** A path, or PHP's `[N;[MODE;]]/path`. */
  readonly directory: string;
  readonly preset: Preset;
  /** The session cookie's name: some frameworks name their files after it. */
  readonly cookie: string | undefined;
  readonly maxBytes: number;
  readonly lifetimeMs: number;
  /** Longest wait for one file's lock: a request is writing it. */
  readonly lockMs: number;
  /** Whose files are sessions; undefined: of the user who has most of them. */
  readonly uid: number | undefined;
}

export interface Survey {
  /** Regular files whose whole name is a session's. */
  readonly sessions: number;
  /** Whose files will be read; undefined: there are none. */
  readonly uid: number | undefined;
  readonly passedOver: Readonly<PassedOver>;
}

export type NotImported =
  /** Not written for a lifetime: the application would not read it any more. */
  | 'expired'
  /** Zero bytes, for a preset that never writes them. */
  | 'empty'
  | 'too-large'
  /** PHP refuses another user's file, and in a directory like Debian's anybody may put one. */
  | 'other-owner'
  /** It has a note: it belongs to a sidecar of this very directory. */
  | 'noted'
  /** Between the walk and the look. */
  | 'gone'
  /** A request kept its lock for too long; the next run may find it free. */
  | 'locked'
  | 'unreadable';

export type Found =
  | { readonly kind: 'session'; readonly bytes: Buffer; readonly mtimeMs: number; readonly ageMs: number }
  | { readonly kind: 'skipped'; readonly why: NotImported };

export class ImportSource {
  readonly #options: ImportSourceOptions;
  readonly #files: SessionDirectory;
  readonly #notes: Notes;
  #uid: number | undefined;

  /** @throws HoldfastError 'bad-configuration' (preset without files), 'directory-unusable' */
  constructor(options: ImportSourceOptions) {
    this.#options = options;
    this.#uid = options.uid;
    this.#files = new SessionDirectory({ ...options, clock: systemClock });
    this.#notes = new Notes({ directory: this.#files.privatePath });
    this.#checked(() => {
      if (!statSync(this.#files.path).isDirectory()) throw unusable(this.#files.path, 'it is not a directory');
    });
  }

  /** Counts what is there, and finds out whose files they are. @throws HoldfastError 'directory-unusable' */
  survey(): Survey {
    const passedOver: PassedOver = { strangers: 0, links: 0 };
    const owners = new Map<number, number>();
    let sessions = 0;
    for (const id of this.list(passedOver)) {
      sessions += 1;
      const uid = Number(this.#files.stat(id)?.uid ?? -1);
      owners.set(uid, (owners.get(uid) ?? 0) + 1);
    }
    owners.delete(-1);
    const [most] = [...owners].sort((one, other) => other[1] - one[1]);
    this.#uid ??= most?.[0];
    return { sessions, uid: this.#uid, passedOver };
  }

  /** The sessions that have a regular file, by names alone; lazy. @throws HoldfastError 'directory-unusable' */
  list(passedOver?: PassedOver): Generator<SessionId> {
    return this.#files.list(passedOver);
  }

  /** One session, whole: read under its lock where the framework takes it. Call survey() first. Never throws. */
  async read(id: SessionId): Promise<Found> {
    const stats = this.#files.stat(id);
    if (stats === undefined) return skipped('gone');
    if (!stats.isFile()) return skipped('unreadable');
    if (Number(stats.uid) !== this.#uid) return skipped('other-owner');
    if (this.#notes.read(id) !== undefined) return skipped('noted');
    if (ageOf(mtimeMsOf(stats)) > this.#options.lifetimeMs) return skipped('expired');
    const state = await this.#files.read(id);
    switch (state.kind) {
      case 'content':
        return { kind: 'session', bytes: state.bytes, mtimeMs: state.mtimeMs, ageMs: ageOf(state.mtimeMs) };
      case 'empty':
        if (!this.#files.rules.zeroBytesIsASession) return skipped('empty');
        return { kind: 'session', bytes: Buffer.alloc(0), mtimeMs: state.mtimeMs, ageMs: ageOf(state.mtimeMs) };
      case 'absent':
        return skipped('gone');
      case 'locked':
      case 'too-large':
        return skipped(state.kind);
      case 'unchanged':
      case 'unusable':
        return skipped('unreadable');
    }
  }

  #checked(look: () => void): void {
    try {
      look();
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      const code = errorCode(error);
      throw unusable(this.#files.path, code === 'ENOENT' ? 'there is no such directory' : code);
    }
  }
}

function ageOf(mtimeMs: number): number {
  return Math.max(0, Date.now() - mtimeMs);
}

function skipped(why: NotImported): Found {
  return { kind: 'skipped', why };
}

function unusable(path: string, why: string): HoldfastError {
  return new HoldfastError('directory-unusable', `${path}: ${why}.`);
}
