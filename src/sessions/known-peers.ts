/**
 * The other keepers that this one has met, by the records that name them as owners, and how each was found last: what
 * one question has found out counts for all sessions (rules 6).
 *
 * A refused connection or silence proves nothing about a session. Must not know what is concluded from it.
 */

import { delay } from '../base/clock.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { Owner } from '../store/contract.ts';
import type { KeeperOptions } from './keeper-context.ts';
import type { ReleaseAnswer, ReleaseAsk } from './peers.ts';

/** What is remembered of another keeper. Monotonic times in milliseconds. */
export interface PeerMemory {
  /** How it is reached, by the newest record of it. */
  owner: Owner;
  metAtMs: number;
  silentUntilMs: number;
  heardUntilMs: number;
  /** What the last look has found: whether requests can be forwarded to it. */
  serves: boolean;
  /** So long it counts. */
  lookedUntilMs: number;
  looking: Promise<boolean> | undefined;
  /** The ask that decides for the others whether it lives. */
  asking: Promise<ReleaseAnswer | 'unreachable'> | undefined;
}

/** How long a peer's silence, or its answer, counts for its other sessions (rules 6). */
const rememberedMs = 5000;
/** How long it counts that an owner served, or did not: a request that is sent to a frozen one can't be taken back. */
const servesMs = 1000;
const peersMax = 1000;

export class KnownPeers {
  readonly #options: Pick<KeeperOptions, 'peers' | 'clock' | 'timeouts'>;
  readonly #peers = new RecentMap<string, PeerMemory>(peersMax);

  constructor(options: Pick<KeeperOptions, 'peers' | 'clock' | 'timeouts'>) {
    this.#options = options;
  }

  /** All that are remembered, in no order. */
  all(): readonly PeerMemory[] {
    return this.#peers.values();
  }

  /** A record names it as owner. */
  met(owner: Owner): PeerMemory {
    const metAtMs = this.#nowMs();
    let peer = this.#peers.get(owner.uid);
    if (peer === undefined) {
      const never = { silentUntilMs: 0, heardUntilMs: 0, lookedUntilMs: 0 };
      peer = { owner, metAtMs, ...never, serves: false, asking: undefined, looking: undefined };
      this.#peers.set(owner.uid, peer);
    }
    return Object.assign(peer, { owner, metAtMs });
  }

  /** It did not answer a release a moment ago. */
  isSilent(peer: PeerMemory): boolean {
    return peer.silentUntilMs > this.#nowMs();
  }

  /** It was looked at a moment ago: whether requests can be forwarded to it. Undefined: nobody has looked. */
  lastLook(peer: PeerMemory): boolean | undefined {
    return peer.lookedUntilMs > this.#nowMs() ? peer.serves : undefined;
  }

  /** Whether a peer is there to forward to: one look at a time decides for all its sessions. */
  async serves(peer: PeerMemory): Promise<boolean> {
    if (this.lastLook(peer) === true) return true;
    if (this.isSilent(peer)) return false;
    peer.looking ??= this.#options.peers.serves(peer.owner).then((serves) => {
      Object.assign(peer, { looking: undefined, serves, lookedUntilMs: this.#nowMs() + servesMs });
      return serves;
    });
    return peer.looking;
  }

  /** Asks for a session. Where nothing is known of a peer, one ask finds out for all whether it is there. */
  async ask(peer: PeerMemory, ask: ReleaseAsk): Promise<ReleaseAnswer | 'unreachable'> {
    const { peers, clock, timeouts } = this.#options;
    if (this.isSilent(peer)) return 'unreachable';
    const first = peer.heardUntilMs <= this.#nowMs() ? peer.asking : undefined;
    if (first !== undefined) {
      await Promise.race([first, delay(clock, Math.min(timeouts.connectMs, timeouts.handoffMs / 2))]);
      if (this.isSilent(peer)) return 'unreachable';
    }
    const asking = peers.ask(peer.owner, ask);
    peer.asking ??= asking;
    // The first one's silence ends this wait too; its answer only says that the peer lives.
    const silence = first?.then((answer) => (answer === 'unreachable' ? answer : asking)) ?? asking;
    const answer = await Promise.race([asking, silence]);
    if (peer.asking === asking) peer.asking = undefined;
    if (answer === 'unreachable') peer.silentUntilMs = this.#nowMs() + rememberedMs;
    else peer.heardUntilMs = this.#nowMs() + rememberedMs;
    return answer;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
