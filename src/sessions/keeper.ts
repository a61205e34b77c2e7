/**
 * The keeper: keeps one pod's session directory and the store in step. It lets each request in (admit), looks at
 * each answer (through its Stay), gives sessions up when asked, and stores everything when the pod goes away.
 *
 * Put together in the order a request meets the parts: admission, adopt (adopt.ts, claim.ts), confirm, the stay
 * and its end (exchange-stay.ts, settle.ts, capture.ts), hand-off. What is decided is in the pure files:
 * ownership.ts, adoption-plan.ts, capture-plan.ts.
 *
 * Must not know HTTP, nor how the store or another keeper is reached.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import { Adopt } from './adopt.ts';
import type { AdoptEnd } from './flights.ts';
import { Capture } from './capture.ts';
import { Claim } from './claim.ts';
import { Confirm } from './confirm.ts';
import { Departure } from './departure.ts';
import { ExchangeStay, type StayParts } from './exchange-stay.ts';
import { HandOff } from './hand-off.ts';
import { KeeperContext, type KeeperOptions } from './keeper-context.ts';
import type { KeeperCounters } from './keeper-counters.ts';
import { KnownPeers } from './known-peers.ts';
import { OtherPod } from './other-pod.ts';
import { epochOf } from './ownership.ts';
import type { ReleaseAnswer, ReleaseAsk } from './peers.ts';
import type { Owner } from '../store/contract.ts';
import type { SessionEntry } from './session-entry.ts';
import { Settle } from './settle.ts';
import type { Admission, AdmitAsk, SessionGate, Stay } from './stay.ts';
import { OutsideWrites } from './outside-writes.ts';
import { Unsynced } from './unsynced.ts';
import { WriteBehind } from './write-behind.ts';

/** What is told about one session, for the window and `where`. */
export interface SessionDescription {
  readonly session: string;
  /** The owner's name; null: nobody, or nobody knows. */
  readonly pod: string | null;
  readonly reason: string;
  readonly epoch: number | null;
  readonly version: number | null;
  readonly storedAt: string | null;
  /** How this keeper sees it (ownership.ts). */
  readonly here: string;
  readonly inFlight: number;
}

/** A request may meet another one's adopt, a release, a reclaim; more in a row is a fight it does not win. */
const roundsMax = 8;
/** How long a session that another keeper asked for is left to it. */
const givenAwayMs = 50;
/** For giving sessions up that could not be given up while the store was away. */
const afterOutageMs = 20_000;
/** A keeper says every second that it is there, and may be killed with a write before its eyes. */
const unwatchedMarginMs = 3000;

export class Keeper implements SessionGate {
  readonly #context: KeeperContext;
  readonly #confirm: Confirm;
  readonly #adopt: Adopt;
  readonly #claim: Claim;
  readonly #otherPod: OtherPod;
  readonly #handOff: HandOff;
  readonly #departure: Departure;
  readonly #unsynced: Unsynced;
  readonly #behind: WriteBehind;
  readonly #outside: OutsideWrites;
  readonly #stayParts: StayParts;
  #stopping = false;
  #stopListening: () => void = () => undefined;

  constructor(options: KeeperOptions) {
    const context = new KeeperContext(options);
    const capture = new Capture(context);
    const peers = new KnownPeers(options);
    const claim = new Claim(context, peers);
    const adopt = new Adopt(context, { capture, claim });
    const confirm = new Confirm(context);
    const unsynced = new Unsynced(context, { adopt, capture });
    const settle = new Settle(context, { capture, confirm, adopt, unsynced });
    this.#context = context;
    this.#confirm = confirm;
    this.#adopt = adopt;
    this.#claim = claim;
    this.#otherPod = new OtherPod(context, peers);
    this.#handOff = new HandOff(context, { capture, adopt });
    this.#departure = new Departure(context, { handOff: this.#handOff, unsynced });
    this.#unsynced = unsynced;
    const left = (entry: SessionEntry): void => this.#left(entry);
    this.#behind = new WriteBehind(context, { settle, unsynced, left });
    this.#outside = new OutsideWrites(context, { capture, unsynced });
    this.#stayParts = { context, settle, behind: this.#behind, left };
  }

  /**
   * Learns which sessions are here from the notes, and waits until the store has answered or its start deadline has
   * passed. Files are not read: each session's note is compared when it is asked for. Those that were written while no
   * keeper watched are stored without being asked for.
   * @param unwatchedSinceMs wall clock, to a second; by default nothing was written unseen
   * @throws HoldfastError 'directory-unusable'
   */
  async start(unwatchedSinceMs = Infinity): Promise<void> {
    const { notes, health, directory, nameOf, log } = this.#context.options;
    let count = 0;
    let unseen = 0;
    for (const [session, note] of notes.all()) {
      count++;
      this.#context.known.remember(nameOf(session), session);
      const isUnseen = Number(directory.stat(session)?.mtimeMs ?? 0) > unwatchedSinceMs - unwatchedMarginMs;
      if (isUnseen) unseen++;
      if (note.buried === true || isUnseen) this.#unsynced.add(session, note.buried === true);
    }
    this.#stopListening = health.onChange((state) => {
      if (state === 'up') void this.#storeIsBack();
    });
    const state = await health.started();
    log.info({ notes: count, unseen, store: state }, 'the keeper has started');
    if (state === 'up') void this.#unsynced.flush();
  }

  /** From now on what others than requests do to session files is captured too, until unwatch() or stop(). */
  watch(): void {
    this.#outside.start();
  }

  /** From now on this keeper does nothing that no request and no other keeper asks for. */
  unwatch(): void {
    this.#outside.stop();
    this.#unsynced.stop();
  }

  admit(ask: AdmitAsk): Admission | Promise<Admission> {
    if (this.#stopping) return { kind: 'refused', reason: 'shutting-down' };
    const arrivedTick = this.#context.tick();
    const entry = this.#context.known.open(ask.session);
    if (this.#isHere(entry)) return this.#here(entry, { arrivedTick, outcome: 'hit' });
    return this.#admitLater(entry, ask, arrivedTick);
  }

  visit(): Stay {
    return new ExchangeStay(this.#stayParts, undefined, { outcome: 'none', arrivedTick: this.#context.tick() });
  }

  otherPod(tried: ReadonlySet<string>): Promise<Owner | undefined> {
    return this.#otherPod.find(tried);
  }

  /** Another keeper asks for a session (peer-server.ts). Bounded by `timeouts.handoff`; never rejects. */
  releaseAsked(ask: ReleaseAsk): Promise<ReleaseAnswer> {
    return this.#handOff.asked(ask);
  }

  /** An application that does not accept connections gets no session from elsewhere; it keeps those it has. */
  set applicationRefuses(refuses: boolean) {
    this.#context.applicationRefuses = refuses;
    if (!refuses) this.#context.applicationEnded = false;
  }

  /**
   * The application refuses connections, having accepted them before: it has ended (rules 34). What is idle is given
   * up within `boundMs`, or until the application accepts again. Never rejects.
   */
  applicationGone(boundMs: number): Promise<void> {
    this.#context.applicationRefuses = true;
    this.#context.applicationEnded = true;
    return this.#departure.giveUpIdle(boundMs);
  }

  /**
   * The pod goes away (rules 34): what is idle is stored and given up, what is busy at the end of its last exchange.
   * Requests are admitted as before, but nothing is taken from others. Resolves when the idle ones are done, after
   * `boundMs` at the latest. Never rejects.
   */
  drain(boundMs: number): Promise<void> {
    this.#context.draining = true;
    return this.#departure.giveUpIdle(boundMs);
  }

  /**
   * Ends: no more requests; what is busy is waited for, then everything is stored and given up, within `boundMs`.
   * With the store down the records stay as they are. The store is not closed. Never rejects.
   */
  async stop(boundMs: number): Promise<void> {
    this.#context.draining = true;
    this.#stopping = true;
    await this.#departure.giveUpAll(boundMs);
    this.#stopListening();
    this.unwatch();
  }

  get counters(): Readonly<KeeperCounters> {
    return this.#context.counters;
  }

  get draining(): boolean {
    return this.#context.draining;
  }

  /** Sessions in memory; of them those that wait for the store, and those behind their answers (`async`). */
  get sizes(): Readonly<Record<'known' | 'unsynced' | 'behind' | 'adopting', number>> {
    const { known } = this.#context;
    return {
      known: known.size,
      unsynced: this.#unsynced.size,
      behind: this.#behind.size,
      adopting: this.#adopt.active,
    };
  }

  /** This pod's sessions, and those of them that were in use within the last minute. */
  get counts(): { readonly owned: number; readonly active: number } {
    const { counts } = this.#context;
    return { owned: counts.owned, active: counts.active(this.#context.nowMs()) };
  }

  /** Age of the oldest answer that has left and whose session is not stored, in seconds; 0: there is none. */
  get exposedSeconds(): number {
    const sinceMs = Math.min(this.#unsynced.sinceMs ?? Infinity, this.#behind.sinceMs ?? Infinity);
    return sinceMs === Infinity ? 0 : (this.#context.nowMs() - sinceMs) / 1000;
  }

  /** What this keeper and the store know of a session. Never rejects. */
  async describe(session: SessionId): Promise<SessionDescription> {
    const { store, me, nameOf, digestOf } = this.#context.options;
    const entry = this.#context.known.get(session);
    const here = entry?.state.at ?? 'elsewhere';
    const known = { session: digestOf(session), here, inFlight: entry?.inFlight ?? 0 };
    const nowhere = { pod: null, epoch: null, version: null, storedAt: null };
    try {
      const record = await store.ownerOf(nameOf(session));
      if (record === undefined) return { ...known, ...nowhere, reason: 'no record' };
      return {
        ...known,
        pod: record.owner?.name ?? null,
        reason: record.tombstone ? 'logged out' : record.owner === undefined ? 'free' : 'owner in the store',
        epoch: record.epoch,
        version: record.version,
        storedAt: new Date(record.storedAtMs).toISOString(),
      };
    } catch {
      const epoch = entry === undefined ? undefined : epochOf(entry.state);
      const isHere = epoch !== undefined || here === 'unconfirmed';
      return { ...known, ...nowhere, pod: isHere ? me.name : null, epoch: epoch ?? null, reason: 'the store is down' };
    }
  }

  /** What it missed is stored; a pod that was going away meanwhile goes on giving its sessions up. */
  async #storeIsBack(): Promise<void> {
    await this.#unsynced.flush();
    if (this.#context.goingAway && !this.#stopping) await this.#departure.giveUpIdle(afterOutageMs);
  }

  /** Whether a request can go to the application without another word. */
  #isHere(entry: SessionEntry): boolean {
    if (entry.adopting !== undefined || entry.inspecting !== undefined) return false;
    switch (entry.state.at) {
      case 'owned':
        if (!this.#context.isVoid(entry)) return true;
        this.#context.apply(entry, { on: 'expired' });
        return false;
      case 'unconfirmed':
        return !this.#context.storeUp;
      case 'elsewhere':
      case 'asking':
      case 'restoring':
      case 'unrecorded':
      case 'releasing':
        return false;
    }
  }

  async #admitLater(entry: SessionEntry, ask: AdmitAsk, arrivedTick: number): Promise<Admission> {
    for (let round = 0; round < roundsMax; round++) {
      if (entry.releasing !== undefined || entry.inspecting !== undefined) {
        await (entry.releasing ?? entry.inspecting);
        continue;
      }
      // The keeper that was given the session has yet to take it; this request then follows it there.
      if (this.#context.nowMs() - entry.givenAwayAtMs < givenAwayMs) await this.#context.pause();
      if (this.#isHere(entry)) return this.#here(entry, { arrivedTick, outcome: 'hit' });
      if (this.#stopping) return { kind: 'refused', reason: 'shutting-down' };
      const joined = entry.adopting;
      const flight = joined ?? this.#adopt.start(entry, ask);
      flight.claims++;
      const end = await flight.end;
      if (end.kind === 'here') return this.#here(entry, { arrivedTick, outcome: end.outcome, claimed: true });
      const decided =
        joined === undefined ||
        joined.decidesFor === 'all' ||
        (joined.decidesFor === 'non-takers' && !this.#claim.takesFromOthers(ask));
      if (decided && end.kind !== 'again') return admissionOf(end);
    }
    return { kind: 'refused', reason: 'handoff-timeout' };
  }

  /** The request goes to the application; while it works, the store is asked whether our term holds (rule 6). */
  #here(
    entry: SessionEntry,
    told: { readonly arrivedTick: number; readonly outcome: Stay['outcome']; readonly claimed?: true },
  ): Admission {
    if (told.claimed === undefined) entry.inFlight++;
    this.#context.counts.use(entry, this.#context.nowMs());
    const { state } = entry;
    const stay = new ExchangeStay(this.#stayParts, entry, told);
    const asksEarly = state.at === 'owned' && !entry.changesOften && entry.confirmedTick < told.arrivedTick;
    if (asksEarly && this.#context.storeUp && this.#context.options.replicate === 'sync') {
      this.#confirm.send(entry, state.epoch);
    }
    return { kind: 'here', stay };
  }

  /** An exchange is through: a pod that goes away gives its session up now. */
  #left(entry: SessionEntry): void {
    if (!this.#context.goingAway || this.#stopping || entry.inFlight > 0 || entry.state.at !== 'owned') return;
    void this.#handOff.release(entry, { deadlineMs: 0, planned: true });
  }
}

function admissionOf(end: Exclude<AdoptEnd, { readonly kind: 'here' | 'again' }>): Admission {
  return end.kind === 'refused' ? end : { kind: 'elsewhere', owner: end.owner, epoch: end.epoch };
}
