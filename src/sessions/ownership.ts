/**
 * What a keeper knows about one session, as data, and every change of it as one pure function. Rule numbers are
 * those of the ownership protocol (docs/ownership.md).
 *
 * No files, sockets, stores or time are touched here: a step returns the next state and the effects that the
 * keeper has to run, in their order. So a model can walk every state and event of the code that runs.
 *
 * Time inside is a tick: a number of this process that rises with every request and every store call. An exchange
 * is admitted at a tick, a lineage begins at one: `since`. A lineage is the time during which nobody else can have
 * owned the session; what an exchange did counts only in the lineage it was forwarded in (rule 8).
 */

import type { FileStamp } from './file-state.ts';

/** What the store has acknowledged (rule 7), never merely what was last read or sent. */
export type Acknowledged =
  | {
      readonly what: 'content';
      readonly digest: string;
      readonly mtimeMs: number;
      readonly stamp: FileStamp | undefined;
    }
  /** A tombstone, or nothing that can be opened: an absent file is no news. */
  | { readonly what: 'absent' }
  /** Unknown to the store: whatever the file says has to be stored. */
  | { readonly what: 'nothing' };

interface Held {
  readonly since: number;
  readonly epoch: number;
  /** The last number given out (rule 2); a write without a reply has used its number up (rule 3). */
  readonly version: number;
  readonly acknowledged: Acknowledged;
}

export type Ownership =
  /** Not ours, as far as we know. */
  | { readonly at: 'elsewhere' }
  /** A take is on its way. With `since`, exchanges of that lineage still count if nobody else owned meanwhile. */
  | { readonly at: 'asking'; readonly since: number | undefined; readonly version: number }
  /** Taken; the stored copy is being written over ours. No exchange counts. */
  | { readonly at: 'restoring'; readonly epoch: number; readonly version: number }
  /** The store has no record; the first capture creates it, exchanges join the created term (rule 4). */
  | { readonly at: 'unrecorded'; readonly since: number; readonly version: number }
  /** The store is down; served from the local copy (rule 27). */
  | { readonly at: 'unconfirmed'; readonly since: number; readonly version: number }
  | ({ readonly at: 'owned' } & Held)
  /** Asked to give it up: exchanges under way still count, new ones wait (rule 21). */
  | ({ readonly at: 'releasing' } & Held);

export type OwnershipEvent =
  | { readonly on: 'ask' }
  /** The take's answer: no record. */
  | { readonly on: 'no-record'; readonly tick: number }
  /** An answer's Set-Cookie names an id that is unknown here: its exchange is the first of its lineage. */
  | { readonly on: 'issued'; readonly tick: number }
  /** No answer, and the session is served without the store. */
  | { readonly on: 'unreachable'; readonly tick: number }
  /** Nothing came of the ask: another pod has it, or the request is refused. */
  | { readonly on: 'not-taken' }
  /** The store's copy wins (rule 12). */
  | { readonly on: 'taken'; readonly epoch: number; readonly version: number }
  /** Our copy wins: nobody owned the session since our note was written (rule 12). */
  | {
      readonly on: 'kept';
      readonly epoch: number;
      readonly version: number;
      readonly acknowledged: Acknowledged;
      readonly tick: number;
      readonly storeTimeMs: number;
    }
  | {
      readonly on: 'restored';
      readonly acknowledged: Acknowledged;
      readonly tick: number;
      readonly storeTimeMs: number;
    }
  /** The file was read under the lock and gets the next version. */
  | { readonly on: 'numbered' }
  | {
      readonly on: 'created';
      readonly epoch: number;
      readonly acknowledged: Acknowledged;
      readonly storeTimeMs: number;
    }
  | { readonly on: 'stored'; readonly epoch: number; readonly acknowledged: Acknowledged }
  /** A look at the file that needed no write. */
  | { readonly on: 'seen'; readonly epoch: number; readonly stamp: FileStamp }
  /** The note's time of confirmation is renewed with the record's life. */
  | { readonly on: 'touched'; readonly epoch: number; readonly storeTimeMs: number }
  /** The store has lost the record, nobody else has it. */
  | { readonly on: 'record-lost'; readonly epoch: number }
  /** The store says that the term is over; without epoch: that another term came before a create. */
  | { readonly on: 'refused'; readonly epoch: number | undefined }
  | { readonly on: 'buried'; readonly epoch: number }
  /** The store is down: the burial waits in the notes (rule 26). */
  | { readonly on: 'buried-locally' }
  /** The file was emptied or lost by a fault: the stored copy has to come back (rules 17, 18). */
  | { readonly on: 'damaged' }
  | { readonly on: 'release' }
  | { readonly on: 'release-failed' }
  | { readonly on: 'released'; readonly epoch: number }
  /** Not confirmed for a session's lifetime (rule 5). */
  | { readonly on: 'expired' };

export type Effect =
  | { readonly do: 'write-note'; readonly epoch: number; readonly confirmedAtMs: number }
  | { readonly do: 'remove-note' }
  | { readonly do: 'remove-file' };

export interface OwnershipStep {
  readonly state: Ownership;
  readonly effects: readonly Effect[];
}

export const elsewhere: Ownership = { at: 'elsewhere' };

const none: readonly Effect[] = [];
const dropNote: readonly Effect[] = [{ do: 'remove-note' }];
/** Rule 14: the state is forgotten first, then the note goes, then the file. */
const dropCopy: readonly Effect[] = [{ do: 'remove-note' }, { do: 'remove-file' }];

/** The epoch of the term that is held, or being restored; undefined: none. */
export function epochOf(state: Ownership): number | undefined {
  return state.at === 'owned' || state.at === 'releasing' || state.at === 'restoring' ? state.epoch : undefined;
}

/** The last version given out; 0: none. */
export function versionOf(state: Ownership): number {
  return 'version' in state ? state.version : 0;
}

/** Rule 8: whether what an exchange did that was admitted at this tick may still be captured. */
export function counts(state: Ownership, admittedTick: number): boolean {
  return 'since' in state && state.since !== undefined && state.since <= admittedTick;
}

/**
 * The next state and what to do for it. A reply about a term that is over changes nothing.
 * @throws TypeError for an event that can't happen in this state: our own mistake.
 */
export function step(state: Ownership, event: OwnershipEvent): OwnershipStep {
  switch (event.on) {
    case 'ask':
    case 'no-record':
    case 'unreachable':
    case 'not-taken':
    case 'taken':
    case 'kept':
    case 'restored':
      return stepAdoption(state, event);
    case 'numbered':
      if (!('version' in state)) return impossible(state, event);
      return { state: { ...state, version: state.version + 1 }, effects: none };
    case 'issued':
      if (state.at !== 'elsewhere') return impossible(state, event);
      return { state: { at: 'unrecorded', since: event.tick, version: 0 }, effects: none };
    case 'created': {
      if (state.at !== 'unrecorded') return impossible(state, event);
      const { since, version } = state;
      return own({ since, epoch: event.epoch, version, acknowledged: event.acknowledged }, event.storeTimeMs);
    }
    case 'buried-locally':
    case 'damaged':
    case 'release':
    case 'release-failed':
    case 'expired':
      return stepLocal(state, event);
    case 'refused':
      if (event.epoch === undefined) return { state: elsewhere, effects: dropCopy };
      return epochOf(state) === event.epoch ? { state: elsewhere, effects: dropCopy } : { state, effects: none };
    case 'stored':
    case 'seen':
    case 'touched':
    case 'record-lost':
    case 'buried':
    case 'released':
      return stepHeld(state, event);
  }
}

type Events<On extends OwnershipEvent['on']> = Extract<OwnershipEvent, { readonly on: On }>;

function stepAdoption(
  state: Ownership,
  event: Events<'ask' | 'no-record' | 'unreachable' | 'not-taken' | 'taken' | 'kept' | 'restored'>,
): OwnershipStep {
  if (event.on === 'ask') {
    if (state.at === 'elsewhere') return { state: { at: 'asking', since: undefined, version: 0 }, effects: none };
    if (state.at !== 'unrecorded' && state.at !== 'unconfirmed') return impossible(state, event);
    return { state: { at: 'asking', since: state.since, version: state.version }, effects: none };
  }
  if (event.on === 'restored') {
    if (state.at !== 'restoring') return impossible(state, event);
    const { epoch, version } = state;
    return own({ since: event.tick, epoch, version, acknowledged: event.acknowledged }, event.storeTimeMs);
  }
  if (event.on === 'not-taken') {
    return state.at === 'asking' || state.at === 'restoring'
      ? { state: elsewhere, effects: none }
      : impossible(state, event);
  }
  if (state.at !== 'asking') return impossible(state, event);
  switch (event.on) {
    case 'no-record':
      return { state: { at: 'unrecorded', since: state.since ?? event.tick, version: state.version }, effects: none };
    case 'unreachable':
      return { state: { at: 'unconfirmed', since: state.since ?? event.tick, version: state.version }, effects: none };
    case 'taken':
      return { state: { at: 'restoring', epoch: event.epoch, version: event.version }, effects: dropNote };
    case 'kept': {
      const { epoch, version, acknowledged, storeTimeMs } = event;
      return own({ since: state.since ?? event.tick, epoch, version, acknowledged }, storeTimeMs);
    }
  }
}

function stepLocal(
  state: Ownership,
  event: Events<'buried-locally' | 'damaged' | 'release' | 'release-failed' | 'expired'>,
): OwnershipStep {
  switch (event.on) {
    case 'buried-locally':
      return { state: elsewhere, effects: none };
    case 'damaged':
      return { state: elsewhere, effects: dropNote };
    case 'release':
      return state.at === 'owned' ? { state: { ...state, at: 'releasing' }, effects: none } : impossible(state, event);
    case 'release-failed':
      // Refused or buried meanwhile: nothing is left to go back to.
      return state.at === 'releasing' ? { state: { ...state, at: 'owned' }, effects: none } : { state, effects: none };
    case 'expired':
      // The note stays: if nobody took the session, the next take finds our term and keeps our copy.
      return state.at === 'owned' ? { state: elsewhere, effects: none } : impossible(state, event);
  }
}

function stepHeld(
  state: Ownership,
  event: Events<'stored' | 'seen' | 'touched' | 'record-lost' | 'buried' | 'released'>,
): OwnershipStep {
  if ((state.at !== 'owned' && state.at !== 'releasing') || state.epoch !== event.epoch)
    return { state, effects: none };
  switch (event.on) {
    case 'stored':
      return { state: { ...state, acknowledged: event.acknowledged }, effects: none };
    case 'seen': {
      const { acknowledged } = state;
      if (acknowledged.what !== 'content') return { state, effects: none };
      return { state: { ...state, acknowledged: { ...acknowledged, stamp: event.stamp } }, effects: none };
    }
    case 'touched':
      return { state, effects: [{ do: 'write-note', epoch: state.epoch, confirmedAtMs: event.storeTimeMs }] };
    case 'record-lost':
      return { state: { ...state, acknowledged: { what: 'nothing' } }, effects: none };
    case 'buried':
      return { state: elsewhere, effects: dropNote };
    case 'released':
      return { state: elsewhere, effects: dropCopy };
  }
}

function own(held: Held, storeTimeMs: number): OwnershipStep {
  return {
    state: { at: 'owned', ...held },
    effects: [{ do: 'write-note', epoch: held.epoch, confirmedAtMs: storeTimeMs }],
  };
}

function impossible(state: Ownership, event: OwnershipEvent): never {
  throw new TypeError(`A session that is '${state.at}' can't have the event '${event.on}'.`);
}
