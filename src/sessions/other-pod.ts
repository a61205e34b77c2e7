/**
 * Another pod for a request whose application is gone, where nobody in front sends it on (a plain Service): one of the
 * keepers that were met, or, where none of them serves any more (a rollout has replaced them), of those that have the
 * sessions now which were here, or went by here, last.
 *
 * Must not know requests, nor what becomes of a session there.
 */

import { HoldfastError } from '../base/errors.ts';
import type { Owner, StoreName } from '../store/contract.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { KnownPeers, PeerMemory } from './known-peers.ts';
import type { SessionEntry } from './session-entry.ts';

/** A look at one that is frozen takes a quarter of `timeouts.handoff`, so there are four rounds of this many at most. */
const looksAtOnceMax = 8;
/** Sessions of each kind whose owners are asked for. */
const namesMax = 16;
/** For so long it counts whom the store has named. */
const namedMs = 1000;

export class OtherPod {
  readonly #context: KeeperContext;
  readonly #peers: KnownPeers;
  #naming: Promise<void> | undefined;
  #namedUntilMs = -Infinity;

  constructor(context: KeeperContext, peers: KnownPeers) {
    this.#context = context;
    this.#peers = peers;
  }

  /** @see SessionGate.otherPod */
  async find(tried: ReadonlySet<string>): Promise<Owner | undefined> {
    const { clock, timeouts } = this.#context.options;
    const tooLate = new AbortController();
    const { promise: late, resolve: isLate } = Promise.withResolvers<undefined>();
    const timer = clock.after(timeouts.handoffMs, () => {
      tooLate.abort();
      isLate(undefined);
    });
    try {
      return await Promise.race([this.#find(tried, tooLate.signal), late]);
    } finally {
      timer.cancel();
    }
  }

  async #find(tried: ReadonlySet<string>, tooLate: AbortSignal): Promise<Owner | undefined> {
    const { me } = this.#context.options;
    const asked = new Set([me.uid, ...tried]);
    const known = await this.#firstThatServes(asked, tooLate);
    if (known !== undefined) return known;
    await this.#meetOwners();
    return this.#firstThatServes(asked, tooLate);
  }

  /** Adds to `asked` those that it looks at. */
  async #firstThatServes(asked: Set<string>, tooLate: AbortSignal): Promise<Owner | undefined> {
    const candidates = this.#candidates(asked);
    const ready = candidates.find((peer) => this.#peers.lastLook(peer) === true);
    if (ready !== undefined) return ready.owner;
    const looks = candidates.filter((peer) => this.#peers.lastLook(peer) === undefined);
    for (let from = 0; from < looks.length && !tooLate.aborted; from += looksAtOnceMax) {
      const round = looks.slice(from, from + looksAtOnceMax);
      for (const { owner } of round) asked.add(owner.uid);
      const owner = await this.#firstOf(round);
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  /** Those that answered a question last come first, then those that were met last. */
  #candidates(asked: ReadonlySet<string>): readonly PeerMemory[] {
    return this.#peers
      .all()
      .filter((peer) => !asked.has(peer.owner.uid) && !this.#peers.isSilent(peer))
      .sort((one, other) => other.heardUntilMs - one.heardUntilMs || other.metAtMs - one.metAtMs);
  }

  /** Whichever says first that it serves. */
  async #firstOf(round: readonly PeerMemory[]): Promise<Owner | undefined> {
    const { promise, resolve } = Promise.withResolvers<Owner | undefined>();
    const looks = round.map(async (peer) => {
      if (await this.#peers.serves(peer)) resolve(peer.owner);
    });
    void Promise.all(looks).then(() => resolve(undefined));
    return promise;
  }

  /** Who has the sessions now is met. One look into the store at a time, and once a second at most. */
  #meetOwners(): Promise<void> {
    if (this.#context.nowMs() < this.#namedUntilMs) return Promise.resolve();
    this.#naming ??= this.#askOwners().then(() => {
      this.#naming = undefined;
      this.#namedUntilMs = this.#context.nowMs() + namedMs;
    });
    return this.#naming;
  }

  async #askOwners(): Promise<void> {
    if (!this.#context.storeUp) return;
    const { known } = this.#context;
    const isElsewhere = ({ state }: SessionEntry): boolean => state.at === 'elsewhere';
    const names = [
      ...known.newest(namesMax, (entry) => isElsewhere(entry) && entry.termEnded),
      ...known.newest(namesMax, (entry) => isElsewhere(entry) && !entry.termEnded),
    ].map(({ name }) => name);
    await Promise.all(names.map((name) => this.#meetOwner(name)));
  }

  async #meetOwner(name: StoreName): Promise<void> {
    try {
      const record = await this.#context.options.store.ownerOf(name);
      if (record?.owner !== undefined) this.#peers.met(record.owner);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#context.storeFailed('ownerOf', error);
    }
  }
}
