/**
 * `replicate: async`: answers leave first, their sessions are stored after them. One write of a session is under way
 * and at most one more waits, however many answers there were meanwhile: it reads the file anew, so the newest content
 * wins, in the term that holds then.
 *
 * What is here are sessions that clients have been promised and that a pod's death would lose. Their number and the age
 * of the oldest are shown; there is a bound, `limits.unsynced`, beyond which answers wait as in sync mode.
 *
 * Must not know answers.
 */

import { joined } from './capture-plan.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { SessionEntry } from './session-entry.ts';
import type { ExchangeTicks, LookCause, Settle } from './settle.ts';
import type { Verdict } from './stay.ts';
import type { Unsynced } from './unsynced.ts';

interface Behind {
  /** Monotonic time of the oldest answer that is not stored. */
  readonly sinceMs: number;
  /** Answers that left after the write under way had begun. */
  next: { readonly ticks: ExchangeTicks; readonly cause: LookCause; readonly sinceMs: number } | undefined;
}

export class WriteBehind {
  readonly #context: KeeperContext;
  readonly #settle: Settle;
  readonly #unsynced: Unsynced;
  readonly #left: (entry: SessionEntry) => void;
  readonly #behind = new Map<SessionEntry, Behind>();

  /** @param parts `left`: told when an exchange is through with a session. */
  constructor(
    context: KeeperContext,
    parts: { readonly settle: Settle; readonly unsynced: Unsynced; readonly left: (entry: SessionEntry) => void },
  ) {
    this.#context = context;
    this.#settle = parts.settle;
    this.#unsynced = parts.unsynced;
    this.#left = parts.left;
  }

  /** Sessions whose answers have left and that are not stored. */
  get size(): number {
    return this.#behind.size;
  }

  /** Monotonic time since when the oldest one waits; undefined: none does. */
  get sinceMs(): number | undefined {
    let oldest: number | undefined;
    for (const { sinceMs } of this.#behind.values()) oldest = Math.min(oldest ?? sinceMs, sinceMs);
    return oldest;
  }

  /** Whether an answer of this session may leave before it is stored; undefined: of one that it makes. */
  hasRoom(entry: SessionEntry | undefined): boolean {
    const { unsynced } = this.#context.options.limits;
    if (unsynced === 0 || this.#behind.size + this.#unsynced.size < unsynced) return true;
    return entry !== undefined && this.#behind.has(entry);
  }

  /** An exchange is over and its answer leaves. Takes its place among those in flight. Never throws. */
  add(entry: SessionEntry, ticks: ExchangeTicks, cause: LookCause): void {
    const behind = this.#behind.get(entry);
    if (behind === undefined) {
      this.#run(entry, { ticks, cause, sinceMs: this.#context.nowMs() });
      return;
    }
    const { next } = behind;
    behind.next = {
      ticks,
      cause: next === undefined ? cause : { ...joined(next.cause, cause), lives: next.cause.lives ?? cause.lives },
      sinceMs: next?.sinceMs ?? this.#context.nowMs(),
    };
    // The write under way is in flight for both.
    entry.leave();
  }

  #run(entry: SessionEntry, { ticks, cause, sinceMs }: NonNullable<Behind['next']>): void {
    const verdict = this.#settle.run(entry, ticks, cause);
    if (!(verdict instanceof Promise)) {
      this.#ended(entry, verdict, undefined);
      return;
    }
    const behind: Behind = { sinceMs, next: undefined };
    this.#behind.set(entry, behind);
    void verdict.then((late) => this.#ended(entry, late, behind));
  }

  #ended(entry: SessionEntry, verdict: Verdict, behind: Behind | undefined): void {
    this.#behind.delete(entry);
    if (verdict.kind === 'refuse') this.#refused(entry, verdict.reason);
    if (behind?.next !== undefined) {
      this.#run(entry, behind.next);
      return;
    }
    entry.leave();
    this.#left(entry);
  }

  /** Nobody can be told any more. What waits for the store, or for a lock that another request holds, is not lost. */
  #refused(entry: SessionEntry, reason: string): void {
    if (reason === 'store-timeout' || reason === 'lock-timeout') return;
    const { counters, options } = this.#context;
    counters.asyncLost++;
    options.log.warn({ session: options.digestOf(entry.id), reason }, 'a change was lost after its answer had left');
  }
}
