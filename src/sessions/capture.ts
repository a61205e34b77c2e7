/**
 * Looking at a session file and storing what changed. One look at a session at a time; who comes meanwhile waits
 * for the next one, whose read starts later, and shares it (protocol rule 9).
 *
 * The plan is made by capture-plan.ts from the state and the file; here it is carried out. Must not know requests:
 * what becomes of an answer is decided by who asked.
 */

import type { PutContent } from '../store/contract.ts';
import {
  type CaptureCause,
  type CaptureFacts,
  type CapturePlan,
  joined,
  type Lives,
  planCapture,
} from './capture-plan.ts';
import { digestOf, type FileState, mayBeTorn } from './file-state.ts';
import type { CaptureEnd, CaptureFlight } from './flights.ts';
import type { KeeperContext } from './keeper-context.ts';
import { type Acknowledged, epochOf, versionOf } from './ownership.ts';
import type { SessionEntry } from './session-entry.ts';

/** Every request ends with one of these. */
export const ordinary: CaptureCause = { issued: false, died: false };
/** No request at all: somebody else has changed the file. */
export const outside: CaptureCause = { issued: false, died: false, outside: true };

/** How a look is made. */
export interface CaptureHow {
  /** Longest wait for the file's lock; `timeouts.lock` where absent. */
  readonly withinMs?: number;
  /** Asked before something is stored that a kill may have left. */
  readonly lives?: Lives | undefined;
  /** For no exchange, but for one that ended in an outage: who came since then did not run beside it. */
  readonly isLate?: boolean;
}

/** A store that stops answering takes no more than this in its last moments; what is older was overwritten. */
const lostCreatesMax = 4;

const nothing: CaptureEnd = { kind: 'none' };
const lost: CaptureEnd = { kind: 'refused', reason: 'put-refused' };

export class Capture {
  readonly #context: KeeperContext;
  readonly #ordinaryFacts: CaptureFacts;

  constructor(context: KeeperContext) {
    this.#context = context;
    const { directory } = context.options;
    const { zeroBytesIsASession } = directory.rules;
    this.#ordinaryFacts = { ...ordinary, zeroBytesIsASession, room: () => directory.room() };
  }

  /**
   * Captures the session once. Synchronous where the file is as the store knows it. Never rejects.
   */
  run(entry: SessionEntry, cause: CaptureCause, how: CaptureHow = {}): CaptureEnd | Promise<CaptureEnd> {
    const { nextCapture } = entry;
    if (nextCapture !== undefined) {
      nextCapture.cause = joined(nextCapture.cause, cause);
      nextCapture.lives ??= how.lives;
      return nextCapture.end;
    }
    if (entry.capturing === undefined) return this.#begin(entry, cause, how);
    const end = entry.capturing.end.then(() => {
      entry.nextCapture = undefined;
      return this.#begin(entry, flight.cause, { ...how, lives: flight.lives });
    });
    const flight: CaptureFlight = { cause, lives: how.lives, end };
    entry.nextCapture = flight;
    return end;
  }

  /** Resolves when no capture of the session is under way. */
  async settled(entry: SessionEntry): Promise<void> {
    for (let flight = entry.capturing; flight !== undefined; flight = entry.nextCapture ?? entry.capturing) {
      await flight.end;
    }
  }

  #begin(entry: SessionEntry, cause: CaptureCause, how: CaptureHow): CaptureEnd | Promise<CaptureEnd> {
    try {
      const { lives } = how;
      const file = this.#read(entry, how.withinMs);
      const known = file instanceof Promise ? undefined : this.#asKnown(entry, file, cause);
      if (known !== undefined) return known;
      const end = this.#carryOut(entry, file, { ...how, ...cause }).finally(() => (entry.capturing = undefined));
      entry.capturing = { cause, lives, end };
      return end;
    } catch (error) {
      return this.#fault(entry, error);
    }
  }

  #read(entry: SessionEntry, withinMs: number | undefined): FileState | Promise<FileState> {
    const { state } = entry;
    const stamp =
      'acknowledged' in state && state.acknowledged.what === 'content' ? state.acknowledged.stamp : undefined;
    return this.#context.options.directory.read(entry.id, stamp, withinMs);
  }

  /** The common case, without a promise: the file is what the store has, and no renewal is due. */
  #asKnown(entry: SessionEntry, file: FileState, cause: CaptureCause): CaptureEnd | undefined {
    const { state } = entry;
    if (state.at !== 'owned' || file.kind === 'absent' || file.kind === 'too-large') return undefined;
    const plan = planCapture(state, file, this.#facts(cause));
    if (plan.do !== 'keep' || this.#renewalDue(entry)) return undefined;
    if (plan.stamp !== undefined && plan.stamp !== stampOf(state.acknowledged)) {
      this.#context.apply(entry, { on: 'seen', epoch: state.epoch, stamp: plan.stamp });
    }
    entry.changesOften = false;
    return { kind: 'safe', epoch: state.epoch };
  }

  async #carryOut(
    entry: SessionEntry,
    reading: FileState | Promise<FileState>,
    { lives, isLate = false, ...cause }: CaptureCause & CaptureHow,
  ): Promise<CaptureEnd> {
    try {
      const epochBefore = epochOf(entry.state);
      const file = await reading;
      // What a killed application left under its lock is not what it meant to write (rules 17, 18).
      const died = lives !== undefined && isSuspect(file) && !(await lives());
      // The read may have waited for a lock; another term is not this capture's business.
      if (epochOf(entry.state) !== epochBefore) return lost;
      const plan = planCapture(entry.state, file, this.#facts(died ? { ...cause, died } : cause));
      if (plan.do === 'refuse' && plan.reason === 'lock-timeout' && cause.outside !== true)
        this.#context.counters.lockTimeouts++;
      if (plan.do === 'too-large') return this.#tooLarge(entry, plan.size, cause);
      return plan.do === 'bury' ? await this.#bury(entry, isLate) : await this.#do(entry, plan, file);
    } catch (error) {
      return this.#fault(entry, error);
    }
  }

  #do(
    entry: SessionEntry,
    plan: Exclude<CapturePlan, { do: 'bury' | 'too-large' }>,
    file: FileState,
  ): CaptureEnd | Promise<CaptureEnd> {
    switch (plan.do) {
      case 'nothing':
        return nothing;
      case 'keep':
        return this.#keep(entry, plan, file);
      case 'put':
        return this.#put(entry, plan);
      case 'create':
        return this.#create(entry, plan);
      case 'repair':
        this.#context.counters.repairs++;
        this.#context.apply(entry, { on: 'damaged' });
        return { kind: 'refused', reason: 'session-unreadable' };
      case 'refuse':
        if (file.kind === 'unusable') this.#context.fileUnusable(entry, file.error);
        return { kind: 'refused', reason: plan.reason };
    }
  }

  /** Unchanged. Now and then the record's life is renewed, and with a moved mtime also what the store says of it. */
  #keep(
    entry: SessionEntry,
    plan: Extract<CapturePlan, { do: 'keep' }>,
    file: FileState,
  ): CaptureEnd | Promise<CaptureEnd> {
    const epoch = epochOf(entry.state)!;
    const { stamp } = plan;
    if (stamp === undefined) return { kind: 'safe', epoch };
    if (plan.mtimeMoved && file.kind === 'content' && this.#renewalDue(entry)) {
      const { bytes, digest, mtimeMs } = file;
      return this.#put(entry, { do: 'put', content: { bytes, digest }, mtimeMs, stamp });
    }
    this.#context.apply(entry, { on: 'seen', epoch, stamp });
    // Where a renewal is due, the confirm that this answer needs anyway renews the life.
    return { kind: 'safe', epoch };
  }

  async #put(entry: SessionEntry, plan: Extract<CapturePlan, { do: 'put' | 'create' }>): Promise<CaptureEnd> {
    const { options, counters } = this.#context;
    const epoch = epochOf(entry.state)!;
    entry.changesOften = true;
    const content = this.#numbered(entry, plan);
    const sentTick = this.#context.tick();
    counters.puts++;
    try {
      const result = await options.store.put(entry.name, options.me, epoch, content, entry.ttlMs);
      if (result.kind === 'refused') return this.#refused(entry, epoch);
      this.#context.apply(entry, { on: 'stored', epoch, acknowledged: acknowledgedBy(plan) });
      this.#stored(entry, { epoch, sentTick, storeTimeMs: result.storeTimeMs });
      return { kind: 'safe', epoch, stored: true };
    } catch (error) {
      this.#context.storeFailed('put', error);
      return { kind: 'unsynced', burial: undefined };
    }
  }

  async #create(entry: SessionEntry, plan: Extract<CapturePlan, { do: 'put' | 'create' }>): Promise<CaptureEnd> {
    const { options, counters } = this.#context;
    const content = this.#numbered(entry, plan);
    const sentTick = this.#context.tick();
    try {
      const result = await options.store.create(entry.name, options.me, content, entry.ttlMs);
      if (result.kind === 'refused') return this.#refused(entry, undefined);
      counters.creates++;
      entry.lostCreates = [];
      const { epoch, storeTimeMs } = result;
      this.#context.apply(entry, { on: 'created', epoch, acknowledged: acknowledgedBy(plan), storeTimeMs });
      this.#stored(entry, { epoch, sentTick, storeTimeMs });
      return { kind: 'safe', epoch, stored: true };
    } catch (error) {
      this.#context.storeFailed('create', error);
      entry.lostCreates = [...entry.lostCreates, digestOf(content.bytes)].slice(-lostCreatesMax);
      return { kind: 'unsynced', burial: undefined };
    }
  }

  async #bury(entry: SessionEntry, isLate: boolean): Promise<CaptureEnd> {
    const { options, counters } = this.#context;
    const epoch = epochOf(entry.state)!;
    try {
      const result = await options.store.bury(entry.name, { epoch, uid: options.me.uid }, entry.ttlMs);
      if (result.kind === 'refused') return this.#refused(entry, epoch);
      counters.tombstones++;
      if (!isLate) entry.buriedTick = this.#context.tick();
      this.#context.apply(entry, { on: 'buried', epoch });
      return { kind: 'buried' };
    } catch (error) {
      this.#context.storeFailed('bury', error);
      return { kind: 'unsynced', burial: epoch };
    }
  }

  /** Rule 2: the number is given out when the file was read, and is used up whatever becomes of the write. */
  #numbered(entry: SessionEntry, plan: Extract<CapturePlan, { do: 'put' | 'create' }>): PutContent {
    const { bytes } = plan.content;
    this.#context.apply(entry, { on: 'numbered' });
    return { version: versionOf(entry.state), bytes, mtimeMs: plan.mtimeMs };
  }

  #stored(entry: SessionEntry, by: { epoch: number; sentTick: number; storeTimeMs: number }): void {
    entry.confirmed(by.sentTick, this.#context.nowMs());
    this.#context.renewed(entry, by.epoch, by.storeTimeMs);
  }

  #refused(entry: SessionEntry, epoch: number | undefined): CaptureEnd {
    const { counters, options } = this.#context;
    counters.putsRefused++;
    options.log.warn(
      { session: options.digestOf(entry.id) },
      'the store refused a write: another term has the session',
    );
    this.#context.apply(entry, { on: 'refused', epoch });
    return lost;
  }

  /**
   * Not stored, so in sync mode the answer must not leave as a promise: it is refused, and the stored copy comes back
   * before the next request, as for every write that can't be kept. In async mode nothing was promised: the file stays.
   */
  #tooLarge(entry: SessionEntry, size: number, cause: CaptureCause): CaptureEnd {
    const { counters, options } = this.#context;
    counters.tooLarge++;
    if (!entry.tooLargeTold) {
      entry.tooLargeTold = true;
      const more = { session: options.digestOf(entry.id), size };
      options.log.warn(more, 'a session is larger than sessions.maxBytes and is not stored');
    }
    if (options.replicate === 'async' || cause.outside === true) return nothing;
    if (entry.state.at === 'owned') this.#context.apply(entry, { on: 'damaged' });
    return { kind: 'refused', reason: 'session-too-large' };
  }

  #renewalDue(entry: SessionEntry): boolean {
    return this.#context.nowMs() - entry.touchedAtMs >= this.#context.renewalMs;
  }

  #facts(cause: CaptureCause): CaptureFacts {
    return cause.issued || cause.died || cause.outside === true
      ? { ...this.#ordinaryFacts, ...cause }
      : this.#ordinaryFacts;
  }

  #fault(entry: SessionEntry, error: unknown): CaptureEnd {
    const { log, digestOf } = this.#context.options;
    log.error({ session: digestOf(entry.id), error }, 'a capture failed; please report it');
    return { kind: 'refused', reason: 'internal' };
  }
}

/** What a kill leaves: nothing of what was to be written, or the beginning of it. */
function isSuspect(file: FileState): boolean {
  return file.kind === 'empty' || (file.kind === 'content' && mayBeTorn(file.bytes));
}

function acknowledgedBy(plan: Extract<CapturePlan, { do: 'put' | 'create' }>): Acknowledged {
  return { what: 'content', digest: plan.content.digest, mtimeMs: plan.mtimeMs, stamp: plan.stamp };
}

function stampOf(acknowledged: Acknowledged): unknown {
  return acknowledged.what === 'content' ? acknowledged.stamp : undefined;
}
