/**
 * Which copy of a session wins when a keeper becomes its owner: the store's or the local file. Pure decisions
 * (protocol rules 12, 15, 17, 24); adopt.ts carries them out.
 *
 * Must not know how files are read or the store is asked.
 */

import type { TakenRecord } from '../store/contract.ts';
import { type FileState, mayBeTorn } from './file-state.ts';
import type { Note } from './notes.ts';
import type { Ownership } from './ownership.ts';

export type TakenPlan =
  /** Write the store's content over the file. */
  | 'restore'
  /** The record is a tombstone, or its content can't be opened: a file here is stale (rule 24). */
  | 'remove-file'
  /** Nobody owned the session since our note: the file is the newest, and is stored in the new term. */
  | 'keep-file'
  /** The same, and the file is gone: that is a deletion. */
  | 'bury'
  /** The file can't be used; another pod may be luckier. */
  | 'give-back';

/**
 * Whether nobody else can have owned the session between our note and this take (rule 12). The note's epoch is the
 * record's, or an earlier one of our unbroken run: of a take whose reply was lost no note was ever written.
 */
export function isOurs(record: TakenRecord, note: Note | undefined, uid: string): boolean {
  return note !== undefined && note.buried !== true && isOurRun(record, note, uid);
}

/** The same of any note, also of one that tells of a logout. */
export function isOurRun({ previous }: TakenRecord, note: Note, uid: string): boolean {
  return previous.uid === uid && previous.sinceEpoch <= note.epoch && note.epoch <= previous.epoch;
}

/**
 * Whether our file was begun anew after a logout of ours, all of it while the store was down, and so is newer than the
 * tombstone that came late: the one of this moment (`hasBuried`), or of a moment before this keeper was killed.
 * `isServed`: an exchange of this keeper has gone on from the file.
 */
export function isBegunAnew(
  { tombstone, previous }: TakenRecord,
  ours: {
    readonly note: Note | undefined;
    readonly uid: string;
    readonly hasBuried: boolean;
    readonly isServed: boolean;
  },
): boolean {
  const isNoted = ours.note?.begunAnew === true;
  return tombstone && ((ours.hasBuried && ours.isServed) || (isNoted && (ours.hasBuried || previous.uid === ours.uid)));
}

/**
 * Whether a file that may be here was made beside a logout that only our note knows of (rules 24, 26): nobody was
 * answered by it, or the note would say that it was begun anew. Before a request without the store it has to go.
 */
export function isLeftByLogout(state: Ownership, note: Note | undefined): boolean {
  if (note?.buried !== true || note.begunAnew === true) return false;
  return state.at === 'asking' && state.since === undefined;
}

/** Whether the record is an import that no keeper has written to since (`holdfast import`). */
export function isImport(record: TakenRecord): boolean {
  return record.version === 0 && record.previous.uid === undefined && record.blob !== undefined;
}

/**
 * Whether a file wins over the import of its session: an application without a keeper has written it since. Of two
 * copies that no keeper knows, only the time of the last write can tell which one is newer.
 */
export function isNewerThanImport(record: TakenRecord, file: FileState): boolean {
  const isWhole = file.kind === 'content' && !mayBeTorn(file.bytes);
  return isImport(record) && isWhole && record.blob !== undefined && file.mtimeMs > record.blob.mtimeMs;
}

/** For a record that is ours now. `ours`: isOurs(); `file` is looked at only where it is. */
export function planTaken(record: TakenRecord, ours: boolean, file: FileState): TakenPlan {
  const storedCopy: TakenPlan = record.blob === undefined ? 'remove-file' : 'restore';
  if (!ours) return storedCopy;
  switch (file.kind) {
    case 'content':
      // A kill in the middle of a write leaves a part: nobody was ever answered by it, but by the stored copy.
      return mayBeTorn(file.bytes) && record.blob !== undefined ? 'restore' : 'keep-file';
    case 'unchanged':
    case 'too-large':
      return 'keep-file';
    case 'locked':
      // A request that runs here writes it; its own capture stores what it wrote.
      return 'keep-file';
    case 'empty':
      // A kill between truncate and write leaves this. With nothing stored it is as good as what is stored.
      return record.blob === undefined ? 'keep-file' : 'restore';
    case 'absent':
      return record.tombstone ? 'keep-file' : 'bury';
    case 'unusable':
      return 'give-back';
  }
}

export type UnrecordedPlan =
  /** Serve; the first capture creates the record, if the application writes a file. */
  | 'forward'
  /** The note is of no use any more. */
  | 'drop-note'
  /** The note is so old that a tombstone may have come and gone: the file must not come back to life. */
  | 'drop-copy'
  /** The store lost the record: store the file again before anything else (rule 15). */
  | 'store-again';

/** For a session without a record. Times: milliseconds of the store's clock. */
export function planUnrecorded(
  note: Note | undefined,
  file: FileState,
  time: { readonly storeMs: number; readonly lifetimeMs: number },
): UnrecordedPlan {
  if (note === undefined) return 'forward';
  if (time.storeMs - note.confirmedAtMs > time.lifetimeMs) return 'drop-copy';
  return file.kind === 'content' || file.kind === 'locked' ? 'store-again' : 'drop-note';
}
