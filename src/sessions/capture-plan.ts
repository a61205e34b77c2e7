/**
 * What a look at a session file means for the store. Pure decisions (protocol rules 4, 7, 17, 18); capture.ts
 * carries them out.
 *
 * Must not know how the file was read or the store is written.
 */

import { digestOf, type FileStamp, type FileState, mayBeTorn } from './file-state.ts';
import type { Ownership } from './ownership.ts';

/** The content of a file with zero bytes that counts as a session. */
export const emptyContent: SessionContent = {
  bytes: Buffer.alloc(0),
  digest: digestOf(Buffer.alloc(0)),
};

export interface SessionContent {
  readonly bytes: Buffer;
  readonly digest: string;
}

/** What is known about the exchanges that share this capture. */
export interface CaptureCause {
  /** One of them was answered with a Set-Cookie of this session: the application itself issued the id. */
  readonly issued: boolean;
  /** In one of them the application ended before its answer: an empty or missing file is its doing. */
  readonly died: boolean;
  /** No exchange at all: the file was changed by somebody else (a job, a late end of a script). */
  readonly outside?: true;
}

/** Of exchanges that share a look: one of them made the session, or died, and nobody can tell what was whose doing. */
export function joined(one: CaptureCause, other: CaptureCause): CaptureCause {
  return { issued: one.issued || other.issued, died: one.died || other.died };
}

/** Asked after a read: whether the application that may have been writing lives. False: `died`. */
export type Lives = () => Promise<boolean>;

export interface CaptureFacts extends CaptureCause {
  /** The preset's rule: zero bytes under the lock are the empty session (FileRules). */
  readonly zeroBytesIsASession: boolean;
  /** Where the file system has no room, zero bytes are a failed write; where it has little, a part of a session is. */
  readonly room: () => 'none' | 'little' | 'enough';
}

export type CapturePlan =
  /** Nothing to store and nothing to confirm: there is no session. */
  | { readonly do: 'nothing' }
  /** The store has it already; a confirm is needed (rule 6). `stamp`: undefined where the file is absent. */
  | { readonly do: 'keep'; readonly stamp: FileStamp | undefined; readonly mtimeMoved: boolean }
  | {
      readonly do: 'put' | 'create';
      readonly content: SessionContent;
      readonly mtimeMs: number;
      readonly stamp: FileStamp;
    }
  | { readonly do: 'bury' }
  /** Over sessions.maxBytes: not stored, the older copy stays. */
  | { readonly do: 'too-large'; readonly size: number }
  /** The file was emptied or lost by a fault: the stored copy must come back before the next forward. */
  | { readonly do: 'repair' }
  | { readonly do: 'refuse'; readonly reason: 'lock-timeout' | 'session-unreadable' | 'put-refused' };

/** What has to be done, for the state as it is after the file was read. */
export function planCapture(state: Ownership, file: FileState, facts: CaptureFacts): CapturePlan {
  switch (state.at) {
    case 'owned':
    case 'releasing':
      return planHeld(state, file, facts);
    case 'unrecorded':
      return planFirst(file, facts);
    case 'elsewhere':
    case 'asking':
    case 'restoring':
    case 'unconfirmed':
      return { do: 'refuse', reason: 'put-refused' };
  }
}

function planHeld(
  state: Extract<Ownership, { readonly at: 'owned' | 'releasing' }>,
  file: FileState,
  facts: CaptureFacts,
): CapturePlan {
  const known = state.acknowledged;
  switch (file.kind) {
    case 'content':
    case 'unchanged':
    case 'empty': {
      const content = contentOf(file, facts);
      const digest = file.kind === 'content' ? file.digest : content?.digest;
      if (file.kind === 'unchanged' || (known.what === 'content' && digest === known.digest)) {
        const mtimeMoved = known.what === 'content' && known.mtimeMs !== file.mtimeMs;
        return { do: 'keep', stamp: file.stamp, mtimeMoved };
      }
      // Outside exchanges there is no whole answer that says the writer is done: the next one's end decides.
      if (content === undefined) return facts.outside === true ? { do: 'nothing' } : { do: 'repair' };
      return { do: 'put', content, mtimeMs: file.mtimeMs, stamp: file.stamp };
    }
    case 'absent':
      if (known.what === 'absent') return { do: 'keep', stamp: undefined, mtimeMoved: false };
      return facts.died ? { do: 'repair' } : { do: 'bury' };
    case 'locked':
    case 'too-large':
    case 'unusable':
      return planUnread(file);
  }
}

/** A session without a record: random ids must not fill the store, so only what was written makes one. */
function planFirst(file: FileState, facts: CaptureFacts): CapturePlan {
  switch (file.kind) {
    case 'content':
    case 'empty': {
      // PHP opens the file of any id that a client sends; an id that it issued itself is another matter.
      const content = contentOf(file, facts);
      if (content !== undefined && (facts.issued || file.kind === 'content'))
        return { do: 'create', content, mtimeMs: file.mtimeMs, stamp: file.stamp };
      return content === undefined && !facts.died ? { do: 'refuse', reason: 'session-unreadable' } : { do: 'nothing' };
    }
    case 'absent':
      // The application gave the client an id and could not write what belongs to it (rule 18).
      return facts.issued && facts.room() === 'none'
        ? { do: 'refuse', reason: 'session-unreadable' }
        : { do: 'nothing' };
    case 'unchanged':
      return { do: 'nothing' };
    case 'locked':
    case 'too-large':
    case 'unusable':
      return planUnread(file);
  }
}

function planUnread(file: Extract<FileState, { readonly kind: 'locked' | 'too-large' | 'unusable' }>): CapturePlan {
  switch (file.kind) {
    case 'locked':
      return { do: 'refuse', reason: 'lock-timeout' };
    case 'too-large':
      return { do: 'too-large', size: file.size };
    case 'unusable':
      return { do: 'refuse', reason: 'session-unreadable' };
  }
}

/** What there is to store; undefined: nothing that was read, or a part of a session, or zero bytes that are none (rule 18). */
function contentOf(
  file: Extract<FileState, { readonly kind: 'content' | 'unchanged' | 'empty' }>,
  facts: CaptureFacts,
): SessionContent | undefined {
  if (file.kind === 'content')
    return mayBeTorn(file.bytes) && (facts.died || facts.room() !== 'enough') ? undefined : file;
  if (file.kind === 'unchanged') return undefined;
  const isWritten = facts.zeroBytesIsASession && !facts.died && facts.outside !== true;
  return isWritten && facts.room() !== 'none' ? emptyContent : undefined;
}
