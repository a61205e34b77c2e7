/**
 * May this answer leave? The end of an exchange as the keeper sees it: capture the session, and let the answer go
 * when the store has it, or has confirmed that nothing changed elsewhere (protocol rules 6 to 9; rules 8 to 17).
 *
 * Must not know HTTP, nor how an answer is held.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Adopt } from './adopt.ts';
import type { Capture } from './capture.ts';
import type { CaptureEnd } from './flights.ts';
import type { CaptureCause, Lives } from './capture-plan.ts';
import type { Confirm } from './confirm.ts';
import type { KeeperContext } from './keeper-context.ts';
import { counts, epochOf } from './ownership.ts';
import type { SessionEntry } from './session-entry.ts';
import type { Verdict } from './stay.ts';
import type { Unsynced } from './unsynced.ts';

/** When an exchange's head arrived, and when it was let to the application. */
export interface ExchangeTicks {
  readonly arrivedTick: number;
  readonly admittedTick: number;
}

export const leave: Verdict = { kind: 'leave' };
/** Why an exchange looks at a session, and how it can tell whether its application lives. */
export interface LookCause extends CaptureCause {
  readonly lives?: Lives | undefined;
}

const fenced: Verdict = { kind: 'leave', fencedByLogout: true };

export class Settle {
  readonly #context: KeeperContext;
  readonly #capture: Capture;
  readonly #confirm: Confirm;
  readonly #adopt: Adopt;
  readonly #unsynced: Unsynced;

  constructor(
    context: KeeperContext,
    parts: { readonly capture: Capture; readonly confirm: Confirm; readonly adopt: Adopt; readonly unsynced: Unsynced },
  ) {
    this.#context = context;
    this.#capture = parts.capture;
    this.#confirm = parts.confirm;
    this.#adopt = parts.adopt;
    this.#unsynced = parts.unsynced;
  }

  /** One exchange is done with one session. Synchronous where nothing has to be waited for. Never rejects. */
  run(entry: SessionEntry, ticks: ExchangeTicks, cause: LookCause): Verdict | Promise<Verdict> {
    const { state } = entry;
    if (state.at !== 'owned' || !counts(state, ticks.admittedTick)) return this.#wait(entry, ticks, cause);
    const end = this.#capture.run(entry, cause, cause);
    const isKnown = !(end instanceof Promise) && end.kind === 'safe' && entry.confirmedTick > ticks.arrivedTick;
    if (isKnown && cause.lives === undefined) return leave;
    return this.#wait(entry, ticks, cause, end);
  }

  async #wait(
    entry: SessionEntry,
    ticks: ExchangeTicks,
    cause: LookCause,
    begun?: CaptureEnd | Promise<CaptureEnd>,
  ): Promise<Verdict> {
    try {
      const deadlineMs = this.#context.nowMs() + this.#context.options.timeouts.syncMs;
      for (let capturing = begun; ; capturing = undefined) {
        if (capturing === undefined) {
          const verdict = await this.#untilItCounts(entry, ticks, deadlineMs);
          if (verdict !== undefined) return verdict;
        }
        const end = await (capturing ?? this.#capture.run(entry, cause, cause));
        const verdict = await this.#judge(entry, { ticks, cause, end });
        if (verdict !== undefined) return verdict;
        // Rule 3: no reply is no failure. The next round reads again and gives a new version.
        if (this.#isOver(deadlineMs))
          return this.#withoutStore(entry, end.kind === 'unsynced' ? end.burial : undefined);
        await this.#context.pause();
      }
    } catch (error) {
      const { log, digestOf } = this.#context.options;
      log.error({ session: digestOf(entry.id), error }, 'an answer could not be settled; please report it');
      return { kind: 'refuse', reason: 'internal' };
    }
  }

  /** Undefined: the store gave no answer. */
  async #judge(
    entry: SessionEntry,
    { ticks, cause, end }: { readonly ticks: ExchangeTicks; readonly cause: LookCause; readonly end: CaptureEnd },
  ): Promise<Verdict | undefined> {
    switch (end.kind) {
      case 'none':
      case 'buried':
        return this.#unlessDied(cause);
      case 'refused':
        // Buried by the capture before this one, in which a parallel exchange found the file gone (rules 16).
        return entry.buriedTick > ticks.admittedTick ? this.#fence(entry) : refuse(end.reason);
      case 'unsynced':
        return undefined;
      case 'safe': {
        const confirmed = await this.#confirm.since(entry, end.epoch, ticks.arrivedTick);
        if (confirmed === 'holds') return end.stored === true ? leave : this.#unlessDied(cause);
        return confirmed === 'refused' ? refuse('put-refused') : undefined;
      }
    }
  }

  /** Nothing new was found: the application had nothing to write, or was killed before it wrote (rules 12). */
  async #unlessDied({ lives }: LookCause): Promise<Verdict> {
    return lives === undefined || (await lives()) ? leave : refuse('application-died');
  }

  /** Rule 8: undefined when the session is held by a term in which this exchange counts. */
  async #untilItCounts(entry: SessionEntry, ticks: ExchangeTicks, deadlineMs: number): Promise<Verdict | undefined> {
    for (;;) {
      const { state } = entry;
      if (entry.buriedTick > ticks.admittedTick) return this.#fence(entry);
      if (!counts(state, ticks.admittedTick)) return this.#turnAway(entry);
      if (state.at !== 'asking' && state.at !== 'unconfirmed') return undefined;
      if (state.at === 'unconfirmed') {
        if (this.#isOver(deadlineMs)) return this.#withoutStore(entry, undefined);
        // Served while the store was down, and it is back: captured by rule 12, or created, else refused.
        if (entry.adopting === undefined) this.#adopt.reclaim(entry);
      }
      await entry.whenChanged();
    }
  }

  #isOver(deadlineMs: number): boolean {
    return !this.#context.storeUp || this.#context.nowMs() >= deadlineMs;
  }

  /** Rules 16: a request that ran beside a logout must not bring the session back. */
  #fence(entry: SessionEntry): Verdict {
    this.#context.counters.fencedByLogout++;
    // A later term writes or removes the file itself, and may belong to a new login.
    if (entry.state.at === 'elsewhere' || entry.state.at === 'asking') this.#removeFile(entry);
    return fenced;
  }

  /** The session went to another pod while the application worked: what it wrote is of an older state. */
  #turnAway(entry: SessionEntry): Verdict {
    this.#context.counters.writesAfterRelease++;
    const isForgotten = entry.state.at === 'elsewhere' && this.#context.options.notes.read(entry.id) === undefined;
    if (isForgotten) this.#removeFile(entry);
    return refuse('put-refused');
  }

  #removeFile(entry: SessionEntry): void {
    try {
      this.#context.options.directory.remove(entry.id);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#context.counters.fileFaults++;
      this.#context.options.log.warn(
        { session: this.#context.options.digestOf(entry.id), error },
        'a stale session file',
      );
    }
  }

  /** Rules 17: the store is down, or the longest hold has passed. `burial`: the term in which the file went. */
  #withoutStore(entry: SessionEntry, burial: number | undefined): Verdict {
    const isRemembered = this.#unsynced.add(entry.id);
    if (this.#context.options.onStoreDown === 'refuse') return refuse('store-timeout');
    if (!isRemembered) {
      this.#context.counters.unsyncedFull++;
      return refuse('store-timeout');
    }
    try {
      this.#noteBurial(entry, burial);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#context.options.log.warn(
        { session: this.#context.options.digestOf(entry.id), error },
        'a logout could not be noted',
      );
      return refuse('session-unreadable');
    }
    this.#context.counters.unsynced++;
    return leave;
  }

  /** Rule 26: a logout is on the disk before its answer leaves, and so is what was begun anew after it. */
  #noteBurial(entry: SessionEntry, burial: number | undefined): void {
    const { notes, directory } = this.#context.options;
    const note = notes.read(entry.id);
    const isUnconfirmed = entry.state.at === 'unconfirmed';
    if (isUnconfirmed && note?.buried === true) {
      const begunAnew = directory.exists(entry.id);
      if (begunAnew !== (note.begunAnew === true)) notes.writeDurably(entry.id, { ...note, begunAnew });
      return;
    }
    const epoch = burial ?? (isUnconfirmed && !directory.exists(entry.id) ? note?.epoch : undefined);
    if (epoch === undefined || (burial !== undefined && epochOf(entry.state) !== burial)) return;
    notes.writeDurably(entry.id, { epoch, confirmedAtMs: note?.confirmedAtMs ?? 0, buried: true });
    entry.noted = true;
    entry.buriedTick = this.#context.tick();
    this.#context.apply(entry, { on: 'buried-locally' });
  }
}

function refuse(reason: CloseReason): Verdict {
  return { kind: 'refuse', reason };
}
