/**
 * What is done about a session that another pod owns: forward to it, ask it to release, or take it by force
 * (protocol rules 16, 20, 22, 23; rules 1, 2, 6).
 *
 * A refused connection or silence proves nothing; taking by force is safe because the old owner's writes and
 * confirms are refused from then on. Must not know files.
 */

import { HoldfastError } from '../base/errors.ts';
import type { Owner, TakenRecord } from '../store/contract.ts';
import type { AdoptEnd } from './flights.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { KnownPeers } from './known-peers.ts';
import type { SessionEntry } from './session-entry.ts';
import type { AdmitAsk } from './stay.ts';

export type ClaimEnd = AdoptEnd | ({ readonly kind: 'taken' } & TakenRecord);

interface OwnedRecord {
  readonly epoch: number;
  readonly owner: Owner;
}

const again: AdoptEnd = { kind: 'again' };

export class Claim {
  readonly #context: KeeperContext;
  readonly #peers: KnownPeers;

  constructor(context: KeeperContext, peers: KnownPeers) {
    this.#context = context;
    this.#peers = peers;
  }

  /** Whether this request takes a session from a live owner rather than being forwarded to it. */
  takesFromOthers(ask: AdmitAsk): boolean {
    return (
      isMove(ask) || ask.hopped || ask.elsewhereFailed !== undefined || this.#context.options.elsewhere === 'adopt'
    );
  }

  /**
   * Rules 2: a pod that goes away takes no session as long as the request can be sent elsewhere; a gateway that can't says
   * so. Where there is none in front our own data path sends it on: not for an application that may only be too busy.
   * Undefined: go on and take.
   */
  async mayTake(entry: SessionEntry, ask: AdmitAsk): Promise<AdoptEnd | undefined> {
    const isPlain = ask.fromGateway !== true && !ask.hopped;
    if (!this.#context.takesNothing || (isPlain && !this.#context.goingAway)) return undefined;
    if (ask.move === 'none-left') return undefined;
    const { store, me, notes } = this.#context.options;
    const note = notes.read(entry.id);
    try {
      const record = await store.ownerOf(entry.name);
      if (record?.owner?.uid === me.uid || (record === undefined && note !== undefined)) return undefined;
      if (record?.owner !== undefined) this.#peers.met(record.owner);
      // Its owner is the best of the other pods, unless it was tried.
      const isForwarded = isPlain ? ask.elsewhereFailed === undefined : !this.takesFromOthers(ask);
      if (record?.owner !== undefined && isForwarded) {
        return { kind: 'elsewhere', owner: record.owner, epoch: record.epoch };
      }
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#context.storeFailed('ownerOf', error);
      if (note !== undefined) return undefined;
    }
    return { kind: 'refused', reason: 'draining' };
  }

  /** For a record that shows another owner. */
  async from(entry: SessionEntry, owned: OwnedRecord, ask: AdmitAsk): Promise<ClaimEnd> {
    const { counters } = this.#context;
    const forward: AdoptEnd = { kind: 'elsewhere', owner: owned.owner, epoch: owned.epoch };
    if (!this.#wants(owned, ask)) {
      if (ask.move === 'rebalance' && (await this.#isGiven(entry, owned))) return again;
      if (ask.hopped) return { kind: 'refused', reason: 'draining' };
      if (this.#context.takesNothing || (await this.#peers.serves(this.#peers.met(owned.owner)))) return forward;
    }
    const why = isMove(ask) && ask.move !== 'gone' ? 'planned' : 'now';
    switch (await this.#peers.ask(this.#peers.met(owned.owner), { name: entry.name, epoch: owned.epoch, why })) {
      case 'released':
        counters.handoffsIn++;
        return again;
      case 'not-mine':
      case 'unreachable':
        return this.#force(entry, owned);
      case 'kept':
        // It lives and has the newest copy. With a gateway in front, 'not-here' makes it try that pod (rules 7).
        return this.#mayForward(ask) ? forward : { kind: 'refused', reason: 'not-here' };
      case 'busy':
        return this.#mayForward(ask) ? forward : { kind: 'refused', reason: 'handoff-timeout' };
    }
  }

  #wants(owned: OwnedRecord, ask: AdmitAsk): boolean {
    const failed = ask.elsewhereFailed;
    if (this.#context.takesNothing) return failed?.how === 'dead' && failed.epoch === owned.epoch;
    if (isMove(ask) || ask.hopped || this.#context.options.elsewhere === 'adopt') return true;
    // What failed was another owner: this one has not been tried yet.
    return failed?.epoch === owned.epoch;
  }

  /**
   * Pods are evened out: the owner may give it, or not; it is never taken by force for that, and nothing is concluded
   * about an owner that does not answer.
   */
  async #isGiven(entry: SessionEntry, { owner, epoch }: OwnedRecord): Promise<boolean> {
    const { counters, options } = this.#context;
    if (this.#context.takesNothing || this.#peers.isSilent(this.#peers.met(owner))) return false;
    const answer = await options.peers.ask(owner, { name: entry.name, epoch, why: 'rebalance' });
    if (answer === 'released') counters.handoffsIn++;
    return answer === 'released';
  }

  #mayForward(ask: AdmitAsk): boolean {
    return !ask.hopped && ask.elsewhereFailed === undefined;
  }

  /** Rule 16: names the term that was seen; if the record has changed, all starts again. */
  async #force(entry: SessionEntry, owned: OwnedRecord): Promise<ClaimEnd> {
    const { options, counters } = this.#context;
    const seen = { epoch: owned.epoch, uid: owned.owner.uid };
    try {
      const result = await options.store.force(entry.name, options.me, seen, entry.ttlMs);
      if (result.kind === 'changed') return again;
      counters.forced++;
      return result;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#context.storeFailed('force', error);
      return again;
    }
  }
}

/** Whether the session has to leave its pod. Evening out is no reason to take it from one that wants to keep it. */
function isMove({ move }: AdmitAsk): boolean {
  return move !== undefined && move !== 'rebalance';
}
