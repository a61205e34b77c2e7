/**
 * Becoming the owner of a session, before its request reaches the application: one flight per session, one store
 * call where nobody else owns it. Order of an adopt (protocol rule 11): take, remove the note, write the file,
 * write the note.
 *
 * The call is take.ts; which copy wins is decided by adoption-plan.ts; what is done about an owner elsewhere by claim.ts. Must not know
 * requests beyond what an AdmitAsk says.
 */

import { HoldfastError } from '../base/errors.ts';
import type { TakenRecord } from '../store/contract.ts';
import { isImport, isLeftByLogout, isNewerThanImport, planTaken, planUnrecorded } from './adoption-plan.ts';
import { type Capture, ordinary } from './capture.ts';
import { digestOf } from './file-state.ts';
import type { Claim } from './claim.ts';
import type { AdoptEnd, AdoptFlight } from './flights.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { Acknowledged } from './ownership.ts';
import type { SessionEntry } from './session-entry.ts';
import type { AdmitAsk, Stay } from './stay.ts';
import { Take } from './take.ts';
import { Turns } from './turns.ts';

/** Takes in a row that another keeper came between; then the client is asked to try again. */
const roundsMax = 4;
/** Requests that wait for a turn to adopt, for each turn there is. */
const waitingPerTurn = 16;

const handoffTimeout: AdoptEnd = { kind: 'refused', reason: 'handoff-timeout' };
const again: AdoptEnd = { kind: 'again' };

export class Adopt {
  readonly #context: KeeperContext;
  readonly #capture: Capture;
  readonly #claim: Claim;
  readonly #take: Take;
  readonly #turns: Turns;

  constructor(context: KeeperContext, parts: { readonly capture: Capture; readonly claim: Claim }) {
    this.#context = context;
    this.#capture = parts.capture;
    this.#claim = parts.claim;
    this.#take = new Take(context);
    const { adopts } = context.options.limits;
    this.#turns = new Turns(adopts, adopts * waitingPerTurn);
  }

  /** Adopts that ask the store or a peer now, against `limits.adopts`. */
  get active(): number {
    return this.#turns.active;
  }

  /** Starts the flight for a request; the entry must have none. */
  start(entry: SessionEntry, ask: AdmitAsk): AdoptFlight {
    return this.#fly(entry, this.#claim.takesFromOthers(ask) ? 'all' : 'non-takers', () => this.#run(entry, ask));
  }

  /**
   * Takes up again what was served without the store, for a capture that is due: only where our copy may still be
   * the newest. Where it is not, it is given up; never asks another keeper, never writes the file.
   */
  reclaim(entry: SessionEntry): AdoptFlight {
    return this.#fly(entry, 'nobody', () => this.#reclaim(entry).finally(() => this.#notTaken(entry)));
  }

  #fly(entry: SessionEntry, decidesFor: AdoptFlight['decidesFor'], run: () => Promise<AdoptEnd>): AdoptFlight {
    const end = run()
      .catch((error: unknown) => this.#fault(entry, error))
      .then((result) => {
        entry.adopting = undefined;
        if (result.kind === 'here') entry.inFlight += flight.claims;
        return result;
      });
    const flight: AdoptFlight = { end, decidesFor, claims: 0 };
    entry.adopting = flight;
    return flight;
  }

  async #run(entry: SessionEntry, ask: AdmitAsk): Promise<AdoptEnd> {
    await this.#capture.settled(entry);
    if (entry.state.at === 'owned') return { kind: 'here', outcome: 'hit' };
    // Rule 13: what runs here belongs to a term that is over, and must not write into the next one.
    if (entry.state.at === 'elsewhere' && !(await this.#whenIdle(entry))) return handoffTimeout;
    const turn = this.#turns.enter();
    if (!(turn === true || (await turn))) return { kind: 'refused', reason: 'overloaded' };
    try {
      this.#context.counters.adopts++;
      const end = await this.#rounds(entry, ask);
      if (end.kind === 'refused') this.#context.counters.adoptsFailed++;
      return end;
    } finally {
      this.#turns.leave();
      this.#notTaken(entry);
    }
  }

  /** However a flight ends, it leaves no state in which others would wait for its end. */
  #notTaken(entry: SessionEntry): void {
    if (entry.state.at === 'asking' || entry.state.at === 'restoring') this.#context.apply(entry, { on: 'not-taken' });
  }

  async #rounds(entry: SessionEntry, ask: AdmitAsk): Promise<AdoptEnd> {
    for (let round = 0; round < roundsMax; round++) {
      if (entry.state.at !== 'asking') this.#context.apply(entry, { on: 'ask' });
      const end = await this.#round(entry, ask);
      if (end.kind !== 'again') return end;
    }
    return handoffTimeout;
  }

  async #round(entry: SessionEntry, ask: AdmitAsk): Promise<AdoptEnd> {
    const turnedAway = await this.#claim.mayTake(entry, ask);
    if (turnedAway !== undefined) return turnedAway;
    const sentTick = this.#context.tick();
    const taken = await this.#take.run(entry);
    if (taken === undefined) return this.#withoutStore(entry);
    switch (taken.kind) {
      case 'absent':
        return this.#noRecord(entry, taken.storeTimeMs);
      case 'taken':
        return this.#taken(entry, taken, { sentTick, isOurs: taken.isOurs || (await this.#beatsImport(entry, taken)) });
      case 'owned': {
        const claimed = await this.#claim.from(entry, taken, ask);
        if (claimed.kind !== 'taken') return claimed;
        return this.#taken(entry, claimed, { sentTick: this.#context.tick(), isOurs: false });
      }
    }
  }

  /**
   * The file of an installation that went on after the import: one that no keeper has ever held, so it has no note. What
   * was served without the store began without it.
   */
  async #beatsImport(entry: SessionEntry, record: TakenRecord): Promise<boolean> {
    const { directory, notes } = this.#context.options;
    if (!isImport(record) || entry.state.at !== 'asking' || entry.state.since !== undefined) return false;
    return notes.read(entry.id) === undefined && isNewerThanImport(record, await directory.read(entry.id));
  }

  async #reclaim(entry: SessionEntry): Promise<AdoptEnd> {
    await this.#capture.settled(entry);
    if (entry.state.at !== 'unconfirmed' && entry.state.at !== 'elsewhere') return again;
    this.#context.apply(entry, { on: 'ask' });
    const sentTick = this.#context.tick();
    const taken = await this.#take.run(entry);
    if (taken === undefined) {
      this.#context.apply(entry, { on: 'unreachable', tick: this.#context.tick() });
      return { kind: 'refused', reason: 'store-timeout' };
    }
    if (taken.kind === 'absent') return this.#noRecord(entry, taken.storeTimeMs);
    if (taken.kind === 'taken' && taken.isOurs) return this.#taken(entry, taken, { sentTick, isOurs: true });
    // The stored copy is the newer one: an answer of the store, so ours may go (rule 14).
    if (taken.kind === 'taken') await this.#giveBack(entry, taken.epoch);
    this.#context.apply(entry, { on: 'refused', epoch: undefined });
    return { kind: 'refused', reason: 'put-refused' };
  }

  async #noRecord(entry: SessionEntry, storeMs: number): Promise<AdoptEnd> {
    const { options } = this.#context;
    const note = options.notes.read(entry.id);
    const tick = this.#context.tick();
    if (note === undefined) {
      this.#context.apply(entry, { on: 'no-record', tick });
      return { kind: 'here', outcome: options.directory.exists(entry.id) ? 'hit' : 'expired' };
    }
    const file = await options.directory.read(entry.id);
    switch (planUnrecorded(note, file, { storeMs, lifetimeMs: options.lifetimeMs })) {
      case 'drop-copy':
        options.directory.remove(entry.id);
        break;
      case 'forward':
      case 'drop-note':
        break;
      case 'store-again': {
        this.#context.apply(entry, { on: 'no-record', tick });
        const stored = await this.#capture.run(entry, ordinary);
        if (stored.kind === 'safe') return { kind: 'here', outcome: 'hit' };
        if (stored.kind === 'none') break;
        return stored.kind === 'refused' && stored.reason !== 'put-refused' ? stored : again;
      }
    }
    options.notes.remove(entry.id);
    entry.noted = false;
    if (entry.state.at === 'asking') this.#context.apply(entry, { on: 'no-record', tick });
    return { kind: 'here', outcome: 'expired' };
  }

  async #taken(
    entry: SessionEntry,
    record: TakenRecord,
    { sentTick, isOurs: ours }: { readonly sentTick: number; readonly isOurs: boolean },
  ): Promise<AdoptEnd> {
    const { options, counters } = this.#context;
    const file = ours ? await options.directory.read(entry.id) : ({ kind: 'absent' } as const);
    if (record.unsealable === true) {
      counters.unsealable++;
      options.log.error({ session: options.digestOf(entry.id) }, 'a stored session did not open with our keys');
    }
    const plan = planTaken(record, ours, file);
    switch (plan) {
      case 'keep-file':
      case 'bury':
        return this.#keepOurs(entry, record, { sentTick, isGone: file.kind === 'absent' });
      case 'give-back':
        if (file.kind === 'unusable') this.#context.fileUnusable(entry, file.error);
        await this.#giveBack(entry, record.epoch);
        return { kind: 'refused', reason: 'session-unreadable' };
      case 'restore':
      case 'remove-file':
        return this.#restore(entry, record, sentTick);
    }
  }

  /** Rule 12: nobody owned it since our note. The file, or its absence, is the newest and is stored first. */
  async #keepOurs(
    entry: SessionEntry,
    record: TakenRecord,
    known: { readonly sentTick: number; readonly isGone: boolean },
  ): Promise<AdoptEnd> {
    const { epoch, version, storeTimeMs } = record;
    const acknowledged: Acknowledged = known.isGone && record.tombstone ? { what: 'absent' } : { what: 'nothing' };
    const tick = this.#context.tick();
    this.#context.apply(entry, { on: 'kept', epoch, version, acknowledged, tick, storeTimeMs });
    this.#owned(entry, known.sentTick);
    if (acknowledged.what === 'absent') return { kind: 'here', outcome: 'expired' };
    const end = await this.#capture.run(entry, ordinary);
    switch (end.kind) {
      case 'buried':
        // Served on its tombstone (rule 24).
        return again;
      case 'refused':
        return end.reason === 'lock-timeout'
          ? { kind: 'here', outcome: 'hit' }
          : end.reason === 'put-refused'
            ? again
            : end;
      case 'safe':
      case 'none':
      case 'unsynced':
        return { kind: 'here', outcome: 'hit' };
    }
  }

  async #restore(entry: SessionEntry, record: TakenRecord, sentTick: number): Promise<AdoptEnd> {
    const { options, counters } = this.#context;
    const { epoch, version, blob, storeTimeMs } = record;
    this.#context.apply(entry, { on: 'taken', epoch, version });
    if (!(await this.#whenIdle(entry))) {
      await this.#giveBack(entry, epoch);
      return handoffTimeout;
    }
    try {
      let outcome: Stay['outcome'] = 'expired';
      let acknowledged: Acknowledged = { what: 'absent' };
      if (blob === undefined) {
        options.directory.remove(entry.id);
      } else {
        const written = (await options.directory.restore(entry.id, blob)) === 'written';
        if (written) counters.restores++;
        outcome = written ? 'restored' : 'hit';
        acknowledged = { what: 'content', digest: digestOf(blob.bytes), mtimeMs: blob.mtimeMs, stamp: undefined };
      }
      this.#context.apply(entry, { on: 'restored', acknowledged, tick: this.#context.tick(), storeTimeMs });
      this.#owned(entry, sentTick);
      return { kind: 'here', outcome };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      options.log.warn({ session: options.digestOf(entry.id), error }, 'a session could not be put into its file');
      await this.#giveBack(entry, epoch);
      return { kind: 'refused', reason: error.kind === 'lock-timeout' ? 'lock-timeout' : 'session-unreadable' };
    }
  }

  #owned(entry: SessionEntry, sentTick: number): void {
    const now = this.#context.nowMs();
    entry.confirmed(sentTick, now);
    entry.touchedAtMs = now;
    entry.changesOften = false;
  }

  /** Rule 27: what is here, or noted here, is served; anything else as configured. */
  #withoutStore(entry: SessionEntry): AdoptEnd {
    const { options } = this.#context;
    const note = options.notes.read(entry.id);
    const isHere = note !== undefined || (entry.state.at === 'asking' && entry.state.since !== undefined);
    if (!isHere && options.onStoreDown === 'refuse') return { kind: 'refused', reason: 'not-here' };
    if (isLeftByLogout(entry.state, note)) options.directory.remove(entry.id);
    this.#context.apply(entry, { on: 'unreachable', tick: this.#context.tick() });
    return { kind: 'here', outcome: isHere ? 'hit' : 'restore-failed' };
  }

  /** Frees a term that came to nothing, so that the next request can take it anywhere. */
  async #giveBack(entry: SessionEntry, epoch: number): Promise<void> {
    const { store, me } = this.#context.options;
    try {
      await store.release(entry.name, { epoch, uid: me.uid });
    } catch (error) {
      this.#context.storeFailed('release', error);
    }
  }

  #whenIdle(entry: SessionEntry): Promise<boolean> {
    return entry.whenIdle(this.#context.options.clock, this.#context.options.timeouts.handoffMs);
  }

  #fault(entry: SessionEntry, error: unknown): AdoptEnd {
    const { log, digestOf: shown } = this.#context.options;
    log.error({ session: shown(entry.id), error }, 'an adopt failed; please report it');
    return { kind: 'refused', reason: 'adopt-failed' };
  }
}
