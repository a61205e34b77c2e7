/**
 * One state of the modelled system: a session's record in the store, pods with a keeper, an application and a volume,
 * requests on their way, and what the checker remembers beside them (ghosts: nothing that runs may look at them).
 *
 * Values are copied, then changed, by one step at a time. Numbers are kept small; epochs and ticks are compared by order
 * only, so that two worlds that differ in nothing else are one state (worldKey).
 */

import type { Owner, StoreName, Term } from '../../src/store/contract.ts';
import type { SessionRecord } from '../../src/store/record-rules.ts';
import type { Ownership } from '../../src/sessions/ownership.ts';
import type { Note } from '../../src/sessions/notes.ts';

/** What a user's click does: read the session, add to it, log out, or never end (an event stream). */
export type Operation = 'read' | 'add' | 'logout' | 'stream';

export type Phase = 'unsent' | 'admitting' | 'running' | 'read' | 'settling' | 'answered' | 'failed' | 'looked-after';

/** Every file content and every deletion is a write of its own; 0 is "nothing was ever written". */
export interface Write {
  readonly isDeletion: boolean;
  /** Bits of the writes it was built on, its own too. */
  readonly ancestors: number;
  /** And those that a single server would have let it overwrite too, because its request ran beside theirs. */
  readonly covers: number;
  /** Which turn of owners it belongs to (World.turn). */
  readonly turn: number;
  readonly pod: number;
}

export interface Request {
  readonly does: Operation;
  phase: Phase;
  pod: number;
  hopped: boolean;
  moved: boolean;
  failedEpoch: number;
  arrived: number;
  admitted: number;
  /** Ghost: bits of the writes that had been answered when it was sent. */
  floor: number;
  turn: number;
  /** The write that its application read, and the one it made. */
  saw: number;
  made: number;
  /** Its file was unlinked while it held it open: what it writes is seen by nobody. */
  deadInode: boolean;
  /** Let through without its session (rule 28), or overtaken by a store that lost data: its answer proves nothing. */
  unchecked: boolean;
  died: boolean;
}

export type AdoptStage = 'begin' | 'ask-owner' | 'owner-releases' | 'force' | 'restore' | 'keep' | 'store-again';

export interface Adopting {
  /** A request's number, or `reclaim`. */
  by: number;
  stage: AdoptStage;
  seen: Term | undefined;
  /** The owner was asked to make sure of its note first (hand-off.ts, #answer). */
  reclaimed: boolean;
  /** It did not answer; else it said that the session is not its. */
  silent: boolean;
  epoch: number;
  blob: number;
  tombstone: boolean;
  sentTick: number;
}

export const reclaim = 14;

export interface Pod {
  gone: boolean;
  /** Can't reach the store, and knows it. */
  cut: boolean;
  draining: boolean;
  state: Ownership;
  note: Note | undefined;
  /** The write in the file; 0: absent, `emptied`: zero bytes. */
  file: number;
  /** Ghost: the deletion that made it absent; 0: nobody's deletion. */
  absence: number;
  /** The request that holds the file's lock; -1: none. */
  lock: number;
  adopting: Adopting | undefined;
  /** The epoch of a release under way; 0: none. */
  releasing: number;
  plannedRelease: boolean;
  tick: number;
  confirmed: number;
  buried: number;
  /** Ours was not confirmed for a lifetime (rule 5). */
  lapsed: boolean;
  unsynced: boolean;
}

export const emptied = 15;

export type LateCall =
  | {
      readonly kind: 'put' | 'create';
      readonly pod: number;
      readonly epoch: number;
      readonly version: number;
      readonly write: number;
    }
  | { readonly kind: 'take'; readonly pod: number }
  | { readonly kind: 'bury' | 'release'; readonly pod: number; readonly epoch: number; readonly write: number };

/** What can go wrong; a configuration says how often. */
export const faults = [
  'lostReply',
  'slowCall',
  'peerCut',
  'keeperDies',
  'podDies',
  'applicationDies',
  'cutFromStore',
  'outage',
  'storeLoses',
  'lifetimePasses',
  'deadline',
  'outsideWrite',
  'garbage',
  'drain',
] as const;
export type Fault = (typeof faults)[number];

export interface World {
  record: SessionRecord | undefined;
  /** Ghost: the write that the record holds, a deletion for a tombstone. */
  stored: number;
  /** What the store comes back with when it loses data. */
  older: { readonly record: SessionRecord | undefined; readonly stored: number };
  late: LateCall[];
  pods: Pod[];
  requests: Request[];
  writes: Write[];
  /** Ghost: bits of the writes that some client was answered with, and of those among them that no store has. */
  answered: number;
  unsynced: number;
  /** Ghost: bits of the deletions that the store has taken as tombstones. */
  tombstones: number;
  /** Ghost: rises whenever the record goes to another pod than it had last. */
  turn: number;
  lastOwner: number;
  clock: number;
  left: number[];
  violation: string | undefined;
}

export const podNames = ['P', 'Q', 'R'];
export const owners: readonly Owner[] = podNames.map((uid) => ({ uid, name: uid, peer: uid, data: uid }));
export const sessionName = 'session' as StoreName;

export function copyOf(world: World): World {
  return {
    ...world,
    late: [...world.late],
    pods: world.pods.map((pod) => ({ ...pod, adopting: pod.adopting && { ...pod.adopting } })),
    requests: world.requests.map((request) => ({ ...request })),
    writes: [...world.writes],
    left: [...world.left],
  };
}

export function bit(write: number): number {
  return write === 0 || write === emptied ? 0 : 1 << (write - 1);
}

/** Exchanges forwarded to this pod's application and not through with the keeper (rule 21). */
export function inFlight(world: World, pod: number): number {
  let count = 0;
  for (const request of world.requests) {
    if (request.pod === pod && isRunning(request)) count++;
  }
  return count;
}

export function isRunning({ phase }: Request): boolean {
  return phase === 'running' || phase === 'read' || phase === 'settling' || phase === 'looked-after';
}

export function isUnderWay({ phase }: Request): boolean {
  return phase !== 'unsent' && phase !== 'answered' && phase !== 'failed';
}
