/**
 * The sessions that were served without the store's word, remembered until the store is back; then each is stored,
 * or the store says that another copy is newer (protocol rules 26 to 28).
 *
 * Bounded by `limits.unsynced`. Beyond it nothing is forgotten for good: each session that is ours has a note, and
 * a walk over the notes finds what the list could not hold.
 *
 * They are stored at the moment at which the store is back, and tried again now and then: a part of a store can be away
 * while the store as a whole is up, and a file can be locked.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import type { Timer } from '../base/clock.ts';
import type { Adopt } from './adopt.ts';
import { type Capture, ordinary } from './capture.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { SessionEntry } from './session-entry.ts';
import { forEachBounded } from './turns.ts';

const atOnceMax = 16;
/** Between two tries while the store counts as up. */
const retryMs = 1000;

export class Unsynced {
  readonly #context: KeeperContext;
  readonly #adopt: Adopt;
  readonly #capture: Capture;
  /** With the monotonic time since when each waits. */
  readonly #sessions = new Map<SessionId, number>();
  /** Those of them whose file may be what the store has: nothing is known to be lost with them. */
  readonly #perhaps = new Set<SessionId>();
  #overflowed = false;
  #flushing: Promise<void> | undefined;
  #retry: Timer | undefined;
  #stopped = false;

  constructor(context: KeeperContext, parts: { readonly adopt: Adopt; readonly capture: Capture }) {
    this.#context = context;
    this.#adopt = parts.adopt;
    this.#capture = parts.capture;
  }

  /** Sessions that wait for the store. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Monotonic time since when the oldest one waits; undefined: none does. */
  get sinceMs(): number | undefined {
    return this.#sessions.values().next().value;
  }

  /**
   * Remembers a session. False: there is no room, and nothing on the disk remembers it either; then no answer may
   * promise it.
   * @param isKnown that something was written which the store does not have
   */
  add(session: SessionId, isKnown = true): boolean {
    if (isKnown) this.#perhaps.delete(session);
    if (this.#sessions.has(session)) return true;
    const { limits, notes } = this.#context.options;
    if (limits.unsynced === 0 || this.#sessions.size < limits.unsynced) {
      this.#sessions.set(session, this.#context.nowMs());
      if (!isKnown) this.#perhaps.add(session);
      this.#retrySoon();
      return true;
    }
    if (notes.read(session) === undefined) return false;
    this.#overflowed = true;
    this.#retrySoon();
    return true;
  }

  /** Stores what waits. A second call while one runs waits for that one. Never rejects. */
  flush(): Promise<void> {
    this.#flushing ??= this.#run().finally(() => {
      this.#flushing = undefined;
      if (this.#sessions.size > 0 || this.#overflowed) this.#retrySoon();
    });
    return this.#flushing;
  }

  /** No more tries; flush() goes on working. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  /** While the store is down nothing is tried: its return is heard of. */
  #retrySoon(): void {
    if (this.#stopped || this.#retry !== undefined || !this.#context.storeUp) return;
    this.#retry = this.#context.options.clock.after(retryMs, () => {
      this.#retry = undefined;
      if (!this.#stopped && this.#context.storeUp) void this.flush();
    });
  }

  async #run(): Promise<void> {
    try {
      await forEachBounded([...this.#sessions.keys()], atOnceMax, (session) => this.#one(session));
      if (!this.#overflowed) return;
      this.#overflowed = false;
      await forEachBounded(this.#noted(), atOnceMax, (session) => this.#one(session));
    } catch (error) {
      this.#overflowed = true;
      this.#context.options.log.warn({ error }, 'what the store missed could not be stored yet');
    }
  }

  *#noted(): Generator<SessionId> {
    for (const [session] of this.#context.options.notes.all()) yield session;
  }

  async #one(session: SessionId): Promise<void> {
    if (!this.#context.storeUp) return;
    const entry = this.#context.known.open(session);
    try {
      if (!(await this.#store(entry))) return;
      this.#sessions.delete(session);
      this.#perhaps.delete(session);
    } catch (error) {
      const { log, digestOf } = this.#context.options;
      log.error({ session: digestOf(session), error }, 'a session could not be stored after an outage');
    }
  }

  /** Whether it is settled with the store, either way. */
  async #store(entry: SessionEntry): Promise<boolean> {
    const burial = this.#context.options.notes.read(entry.id)?.buried === true;
    // Who else waited for it may have begun the next one.
    while (entry.adopting !== undefined) await entry.adopting.end;
    if (entry.state.at === 'unconfirmed' || entry.state.at === 'elsewhere') {
      const end = await this.#adopt.reclaim(entry).end;
      if (end.kind === 'refused') {
        if (end.reason === 'store-timeout') return false;
        if (!burial) this.#lost(entry);
        return true;
      }
    }
    // What was begun here while the store was down is the application's own, even where its file is empty.
    const issued = entry.state.at === 'unrecorded';
    const end = await this.#capture.run(entry, issued ? { issued, died: false } : ordinary, { isLate: true });
    if (end.kind === 'refused' && end.reason === 'put-refused') this.#lost(entry);
    return end.kind !== 'unsynced' && !(end.kind === 'refused' && end.reason === 'lock-timeout');
  }

  #lost(entry: SessionEntry): void {
    const { counters, options } = this.#context;
    const session = options.digestOf(entry.id);
    if (this.#perhaps.has(entry.id)) {
      options.log.debug({ session }, 'the file of a session is older than the stored copy');
      return;
    }
    counters.unsyncedLost++;
    options.log.warn({ session }, 'what was written during the outage is older than the stored copy');
  }
}
