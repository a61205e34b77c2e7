/**
 * What is done about a session that another pod owns: forward to it, ask it to release, or take it by force
 * (protocol rules 16, 20, 22, 23; rules 1, 2, 6).
 *
 * A refused connection or silence proves nothing; taking by force is safe because the old owner's writes and
 * confirms are refused from then on. Must not know files.
 */

import { delay } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { Owner, TakenRecord } from '../store/contract.ts';
import type { AdoptEnd } from './flights.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { ReleaseAnswer, ReleaseAsk } from './peers.ts';
import type { SessionEntry } from './session-entry.ts';
import type { AdmitAsk } from './stay.ts';

export type ClaimEnd = AdoptEnd | ({ readonly kind: 'taken' } & TakenRecord);

interface OwnedRecord {
  readonly epoch: number;
  readonly owner: Owner;
}

/** What is remembered of another keeper. Monotonic times in milliseconds. */
interface PeerMemory {
  /** How it is reached, by the newest record of it. */
  owner: Owner;
  metAtMs: number;
  silentUntilMs: number;
  heardUntilMs: number;
  /** Requests may be forwarded to it without another look. */
  servesUntilMs: number;
  looking: Promise<boolean> | undefined;
  /** The ask that decides for the others whether it lives. */
  asking: Promise<ReleaseAnswer | 'unreachable'> | undefined;
}

/** How long a peer's silence, or its answer, counts for its other sessions (rules 6). */
const rememberedMs = 5000;
/** How long it counts that an owner served: a request that is sent to a frozen one can't be taken back. */
const servesMs = 1000;
const peersMax = 1000;
/** Others that are asked whether they serve before a request that can't be served here is given up. */
const otherPodsMax = 3;

const again: AdoptEnd = { kind: 'again' };

export class Claim {
  readonly #context: KeeperContext;
  readonly #peers = new RecentMap<string, PeerMemory>(peersMax);

  constructor(context: KeeperContext) {
    this.#context = context;
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
      if (record?.owner !== undefined) this.#peer(record.owner);
      if (record?.owner !== undefined && !this.takesFromOthers(ask)) {
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
      if (this.#context.takesNothing || (await this.#serves(owned.owner))) return forward;
    }
    const why = isMove(ask) && ask.move !== 'gone' ? 'planned' : 'now';
    switch (await this.#ask(owned.owner, { name: entry.name, epoch: owned.epoch, why })) {
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
    if (this.#context.takesNothing || this.#peer(owner).silentUntilMs > this.#context.nowMs()) return false;
    const answer = await options.peers.ask(owner, { name: entry.name, epoch, why: 'rebalance' });
    if (answer === 'released') counters.handoffsIn++;
    return answer === 'released';
  }

  #mayForward(ask: AdmitAsk): boolean {
    return !ask.hopped && ask.elsewhereFailed === undefined;
  }

  /** Another pod that serves, the one last met first: those are known whose sessions came by here. */
  async otherPod(tried: ReadonlySet<string>): Promise<Owner | undefined> {
    const { me } = this.#context.options;
    const others = this.#peers.values().filter(({ owner: { uid } }) => uid !== me.uid && !tried.has(uid));
    others.sort((one, other) => other.metAtMs - one.metAtMs);
    for (const { owner } of others.slice(0, otherPodsMax)) if (await this.#serves(owner)) return owner;
    return undefined;
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

  /** Whether an owner is there to forward to: one look at a time decides for all its sessions. */
  async #serves(owner: Owner): Promise<boolean> {
    const peer = this.#peer(owner);
    if (peer.servesUntilMs > this.#context.nowMs()) return true;
    if (peer.silentUntilMs > this.#context.nowMs()) return false;
    peer.looking ??= this.#context.options.peers.serves(owner).then((serves) => {
      peer.looking = undefined;
      if (serves) peer.servesUntilMs = this.#context.nowMs() + servesMs;
      return serves;
    });
    return peer.looking;
  }

  /** Rules 6: where nothing is known of a peer, one ask finds out for all whether it is there. */
  async #ask(owner: Owner, ask: ReleaseAsk): Promise<ReleaseAnswer | 'unreachable'> {
    const { peers, clock, timeouts } = this.#context.options;
    const peer = this.#peer(owner);
    if (peer.silentUntilMs > this.#context.nowMs()) return 'unreachable';
    const first = peer.heardUntilMs <= this.#context.nowMs() ? peer.asking : undefined;
    if (first !== undefined) {
      await Promise.race([first, delay(clock, Math.min(timeouts.connectMs, timeouts.handoffMs / 2))]);
      if (peer.silentUntilMs > this.#context.nowMs()) return 'unreachable';
    }
    const asking = peers.ask(owner, ask);
    peer.asking ??= asking;
    // The first one's silence ends this wait too; its answer only says that the peer lives.
    const silence = first?.then((answer) => (answer === 'unreachable' ? answer : asking)) ?? asking;
    const answer = await Promise.race([asking, silence]);
    if (peer.asking === asking) peer.asking = undefined;
    if (answer === 'unreachable') peer.silentUntilMs = this.#context.nowMs() + rememberedMs;
    else peer.heardUntilMs = this.#context.nowMs() + rememberedMs;
    return answer;
  }

  #peer(owner: Owner): PeerMemory {
    const metAtMs = this.#context.nowMs();
    let peer = this.#peers.get(owner.uid);
    if (peer === undefined) {
      const nothing = { silentUntilMs: 0, heardUntilMs: 0, servesUntilMs: 0, asking: undefined, looking: undefined };
      peer = { owner, metAtMs, ...nothing };
      this.#peers.set(owner.uid, peer);
    }
    return Object.assign(peer, { owner, metAtMs });
  }
}

/** Whether the session has to leave its pod. Evening out is no reason to take it from one that wants to keep it. */
function isMove({ move }: AdmitAsk): boolean {
  return move !== undefined && move !== 'rebalance';
}
