/**
 * Giving a session up: because another keeper asks for it, or because this pod goes away (protocol rules 14, 19
 * to 22). What runs here is waited for, up to a bound; then the file is stored once more and the record is freed.
 *
 * Must not know how the ask came here.
 */

import { delay } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Adopt } from './adopt.ts';
import { type Capture, outside } from './capture.ts';
import type { ReleaseEnd } from './flights.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { ReleaseAnswer, ReleaseAsk } from './peers.ts';
import type { SessionEntry } from './session-entry.ts';

interface ReleaseBounds {
  /** Monotonic time until which exchanges are waited for. */
  readonly deadlineMs: number;
  /** Keep the session rather than cut an exchange off. */
  readonly planned: boolean;
}

/** What the owner keeps of `timeouts.handoff` for its last capture and the way back (rule 22). */
const reserveMs = 500;
/** An ask may meet an adopt, then a create, then a release; more in a row is somebody else's fight. */
const roundsMax = 4;

export class HandOff {
  readonly #context: KeeperContext;
  readonly #capture: Capture;
  readonly #adopt: Adopt;

  constructor(context: KeeperContext, parts: { readonly capture: Capture; readonly adopt: Adopt }) {
    this.#context = context;
    this.#capture = parts.capture;
    this.#adopt = parts.adopt;
  }

  /** Another keeper asks. Bounded by `timeouts.handoff`; never rejects. */
  async asked(ask: ReleaseAsk): Promise<ReleaseAnswer> {
    const { handoffMs } = this.#context.options.timeouts;
    const deadlineMs = this.#context.nowMs() + Math.max(handoffMs - reserveMs, handoffMs / 2);
    const entry = this.#context.known.openNamed(ask.name);
    if (entry === undefined) return 'not-mine';
    // Whatever is under way for it here is worth more than even numbers.
    if (ask.why === 'rebalance' && (entry.busy || this.#context.options.rebalance !== true)) return 'busy';
    try {
      if (ask.why === 'rebalance') return await this.#answer(entry, ask, { deadlineMs: 0, planned: true });
      return await this.#answer(entry, ask, { deadlineMs, planned: ask.why === 'planned' });
    } catch (error) {
      const { log, digestOf } = this.#context.options;
      log.error({ session: digestOf(entry.id), error }, 'a hand-off failed; please report it');
      return 'busy';
    }
  }

  /** Gives the session up if it is owned. Never rejects. */
  release(entry: SessionEntry, bounds: ReleaseBounds): Promise<ReleaseEnd> {
    if (entry.releasing !== undefined) return entry.releasing;
    if (entry.state.at !== 'owned') return Promise.resolve('released');
    if (this.#context.isVoid(entry)) {
      // Rule 5: the next take finds out whose it is.
      this.#context.apply(entry, { on: 'expired' });
      return Promise.resolve('released');
    }
    const { epoch } = entry.state;
    this.#context.apply(entry, { on: 'release' });
    const end = this.#run(entry, epoch, bounds)
      .catch((error: unknown): ReleaseEnd => {
        const { log, digestOf } = this.#context.options;
        log.error({ session: digestOf(entry.id), error }, 'a release failed; please report it');
        return 'kept';
      })
      .then((result) => {
        entry.releasing = undefined;
        if (result !== 'released') this.#context.apply(entry, { on: 'release-failed' });
        return result;
      });
    entry.releasing = end;
    return end;
  }

  /** Rule 19: "not mine" is said only when nothing here can still make it ours. */
  async #answer(entry: SessionEntry, ask: ReleaseAsk, bounds: ReleaseBounds): Promise<ReleaseAnswer> {
    let reclaimed = false;
    for (let round = 0; round < roundsMax; round++) {
      const { state } = entry;
      if (entry.adopting !== undefined) {
        if (!(await this.#before(entry.adopting.end, bounds.deadlineMs))) return 'busy';
      } else if (entry.releasing !== undefined) {
        return entry.releasing;
      } else if (state.at === 'owned') {
        if (state.epoch !== ask.epoch && !reclaimed) return 'not-mine';
        // Rule 20: who can't reach the store can't hand over, and says so.
        if (!this.#context.storeUp) return 'kept';
        const releasing = this.release(entry, bounds);
        // Heard before those who wait here: a request of ours must not take it back before the other keeper can.
        void releasing.then((end) => {
          if (end === 'released') entry.givenAwayAtMs = this.#context.nowMs();
        });
        return releasing;
      } else if (entry.capturing !== undefined) {
        if (!(await this.#before(this.#capture.settled(entry), bounds.deadlineMs))) return 'busy';
      } else {
        const note = this.#context.options.notes.read(entry.id);
        // After a reclaim that came to nothing the record is free, or somebody else's: worth another look. An older
        // note may still be ours: the reply to a later take can have been lost (rule 12).
        if (note === undefined || note.epoch > ask.epoch) return reclaimed ? 'released' : 'not-mine';
        if (!this.#context.storeUp) return 'kept';
        reclaimed = true;
        const end = await this.#adopt.reclaim(entry).end;
        if (end.kind === 'refused' && end.reason === 'store-timeout') return 'kept';
      }
    }
    return 'busy';
  }

  async #run(entry: SessionEntry, epoch: number, bounds: ReleaseBounds): Promise<ReleaseEnd> {
    const { options, counters } = this.#context;
    const waitMs = bounds.deadlineMs - this.#context.nowMs();
    const idle = await entry.whenIdle(options.clock, Math.max(0, waitMs));
    if (!idle && bounds.planned) return 'busy';
    if (!idle) counters.handoffsCut++;
    if (!(await this.#lastCapture(entry, idle))) return 'kept';
    // A logout that only our notes know of (rule 26): freed now, the record would bring the session back.
    if (options.notes.read(entry.id)?.buried === true) return 'kept';
    try {
      const result = await options.store.release(entry.name, { epoch, uid: options.me.uid });
      // Ours is the only release of this epoch; refused, the store knows a later term. Either way it is not ours.
      this.#context.apply(entry, result.kind === 'stored' ? { on: 'released', epoch } : { on: 'refused', epoch });
      counters.handoffsOut++;
      return 'released';
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#context.storeFailed('release', error);
      return 'kept';
    }
  }

  /**
   * False: the store did not take it. A file whose lock is not free leaves the last stored version (rule 22), and so do
   * zero bytes: no whole answer says that they are the session (rule 18).
   */
  async #lastCapture(entry: SessionEntry, idle: boolean): Promise<boolean> {
    const { timeouts } = this.#context.options;
    const withinMs = idle ? Math.min(timeouts.lockMs, reserveMs / 2) : 0;
    const capturing = this.#capture.run(entry, outside, { withinMs });
    if (!(capturing instanceof Promise)) return capturing.kind !== 'unsynced';
    const end = await Promise.race([capturing, delay(this.#context.options.clock, reserveMs / 2 + withinMs)]);
    return end?.kind !== 'unsynced';
  }

  /** Whether it ended before the deadline. */
  async #before(end: Promise<unknown>, deadlineMs: number): Promise<boolean> {
    const leftMs = Math.max(0, deadlineMs - this.#context.nowMs());
    const late = delay(this.#context.options.clock, leftMs).then(() => 'late' as const);
    return (await Promise.race([end, late])) !== 'late';
  }
}
