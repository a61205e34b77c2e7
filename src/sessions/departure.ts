/**
 * Giving everything up: the pod goes away, or its application has gone (rules 34, protocol rule 29). What the store
 * has not got yet comes first, then idle sessions in batches, in the end what is ours by its note only, because nobody
 * has asked for it since this process started. All of it within a bound; what is left then stays ours in the store and
 * is taken by force.
 *
 * Must not know what began it, nor how one session is given up (hand-off.ts).
 */

import { delay } from '../base/clock.ts';
import type { HandOff } from './hand-off.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { SessionEntry } from './session-entry.ts';
import { forEachBounded } from './turns.ts';
import type { Unsynced } from './unsynced.ts';

/** Sessions given up at once: their store calls share a few round trips, and the process goes on serving between. */
const atOnceMax = 256;

interface Pass {
  /** Monotonic; nothing is begun after it. */
  readonly untilMs: number;
  /** Until when exchanges in flight are waited for; undefined: a busy session is left to its last exchange. */
  readonly waitUntilMs: number | undefined;
}

export class Departure {
  readonly #context: KeeperContext;
  readonly #handOff: HandOff;
  readonly #unsynced: Unsynced;

  constructor(context: KeeperContext, parts: { readonly handOff: HandOff; readonly unsynced: Unsynced }) {
    this.#context = context;
    this.#handOff = parts.handOff;
    this.#unsynced = parts.unsynced;
  }

  /**
   * Stores and frees what is idle, for as long as the pod is going away; what is busy follows at the end of its last
   * exchange. Resolves when that is done, after `boundMs` at the latest. Never rejects.
   */
  async giveUpIdle(boundMs: number): Promise<void> {
    await this.#bounded(boundMs, (untilMs) => this.#pass({ untilMs, waitUntilMs: undefined }));
  }

  /**
   * The end: the same, and what is busy is waited for during half of `boundMs`, then given up all the same: what ends
   * later is fenced off. With the store down the records stay as they are. What could not be stored is counted and
   * told.
   */
  async giveUpAll(boundMs: number): Promise<void> {
    await this.#bounded(boundMs, (untilMs) => this.#pass({ untilMs, waitUntilMs: untilMs - boundMs / 2 }));
    const { log } = this.#context.options;
    const kept = this.#context.known.all().filter(({ state }) => state.at === 'owned' || state.at === 'releasing');
    const left = { unsynced: this.#unsynced.size, owned: kept.length };
    if (left.unsynced > 0) log.warn(left, 'ended with sessions that are not stored');
    else if (left.owned > 0) log.warn(left, 'ended with sessions that are stored and were not given back');
  }

  async #bounded(boundMs: number, work: (untilMs: number) => Promise<void>): Promise<void> {
    const working = work(this.#context.nowMs() + boundMs);
    await Promise.race([working, delay(this.#context.options.clock, boundMs)]);
  }

  async #pass(pass: Pass): Promise<void> {
    const startMs = this.#context.nowMs();
    const before = this.#context.counters.handoffsOut;
    await this.#unsynced.flush();
    const all = this.#context.known.all();
    await this.#release(all.filter(isDirty), pass);
    await this.#release(all, pass);
    await this.#releaseNoted(pass);
    const given = this.#context.counters.handoffsOut - before;
    const ms = Math.round(this.#context.nowMs() - startMs);
    if (given > 0) this.#context.options.log.info({ sessions: given, ms }, 'sessions were given back');
  }

  async #release(entries: readonly SessionEntry[], pass: Pass): Promise<void> {
    await forEachBounded(entries, atOnceMax, async (entry) => {
      const { waitUntilMs } = pass;
      if (waitUntilMs !== undefined && entry.adopting !== undefined) await entry.adopting.end;
      if (!this.#goesOn(pass) || (waitUntilMs === undefined && entry.busy)) return;
      await this.#handOff.release(entry, { deadlineMs: waitUntilMs ?? 0, planned: waitUntilMs === undefined });
    });
  }

  async #releaseNoted(pass: Pass): Promise<void> {
    const { notes, log } = this.#context.options;
    try {
      await forEachBounded(notes.all(), atOnceMax, async ([session, note]) => {
        if (!this.#goesOn(pass)) return;
        const { name, busy } = this.#context.known.open(session);
        if (!busy) await this.#handOff.asked({ name, epoch: note.epoch, why: 'planned' });
      });
    } catch (error) {
      // They stay ours in the store until somebody takes them by force: slower, not wrong.
      log.warn({ error }, 'the notes could not be walked');
    }
  }

  /** The application may come back, the store may go. */
  #goesOn({ untilMs }: Pass): boolean {
    return this.#context.goingAway && this.#context.storeUp && this.#context.nowMs() < untilMs;
  }
}

/** The store does not have it, or may not. */
function isDirty(entry: SessionEntry): boolean {
  const { state } = entry;
  return entry.capturing !== undefined || (state.at === 'owned' && state.acknowledged.what === 'nothing');
}
