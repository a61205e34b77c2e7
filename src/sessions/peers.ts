/**
 * How a keeper asks the owner of a session to give it up. peer-client.ts asks over the network; keepers in one
 * process (`dev`) ask each other directly.
 */

import type { Owner, StoreName } from '../store/contract.ts';

/**
 * now: the session is needed here. planned: nothing forces the move now, a busy owner may keep the session for the time
 * being (protocol rule 22). rebalance: only to even out the pods; an owner keeps a session that is not idle at this
 * moment, and all of them unless it is configured to give them (`sessions.rebalance`).
 */
export type ReleaseWhy = 'now' | 'planned' | 'rebalance';

export interface ReleaseAsk {
  readonly name: StoreName;
  /** The term that the record showed; about any other one the answer is "not mine". */
  readonly epoch: number;
  readonly why: ReleaseWhy;
}

export type ReleaseAnswer =
  | 'released'
  | 'not-mine'
  /** The owner lives but can't reach the store: it keeps the session, nobody may force it (protocol rule 20). */
  | 'kept'
  | 'busy';

export interface Peers {
  /**
   * Whether requests can be forwarded to the owner: its sidecar answers at its data address, is the one that the
   * record names, and has its application. Bounded by a quarter of timeouts.handoff. Never rejects.
   */
  serves(owner: Owner): Promise<boolean>;
  /**
   * Bounded by timeouts.handoff, and by a quarter of it where only pods are evened out; there 'unreachable' says nothing
   * of the owner. 'unreachable': refused, silent, or no answer of ours. Never rejects.
   */
  ask(owner: Owner, ask: ReleaseAsk): Promise<ReleaseAnswer | 'unreachable'>;
}
