/**
 * A gateway's question to the store: who owns this session? Asked only when neither pin nor table knows, answered
 * within a few milliseconds or not at all. It is advice: without it rendezvous decides, and never a 503 (rules 30).
 *
 * Must not know requests or pods.
 */

import type { TableEntry } from '../affinity/pin-table.ts';
import type { SessionId } from '../affinity/session-codec.ts';
import { type Clock, delay } from '../base/clock.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { StoreRecord } from '../store/contract.ts';

export const lookupsMax = 256;
const missesMax = 10_000;
const missKeptMs = 1000;

export class OwnerLookup {
  /** Questions that were not asked because too many were under way, and that were not answered in time. */
  readonly counters = { skipped: 0, late: 0 };
  readonly #ownerOf: (session: SessionId) => Promise<StoreRecord | undefined>;
  readonly #clock: Clock;
  readonly #boundMs: number;
  readonly #inFlight = new Map<SessionId, Promise<TableEntry | undefined>>();
  readonly #misses: RecentMap<SessionId, number>;

  /** @param boundMs `timeouts.lookup` */
  constructor(options: {
    readonly ownerOf: (session: SessionId) => Promise<StoreRecord | undefined>;
    readonly clock: Clock;
    readonly boundMs: number;
  }) {
    this.#ownerOf = options.ownerOf;
    this.#clock = options.clock;
    this.#boundMs = options.boundMs;
    this.#misses = new RecentMap(missesMax);
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** One question for each session at a time. Never rejects; undefined at once where too many are under way. */
  ask(session: SessionId): Promise<TableEntry | undefined> | undefined {
    const asked = this.#inFlight.get(session);
    if (asked !== undefined) return asked;
    const missedAtMs = this.#misses.get(session);
    if (missedAtMs !== undefined && this.#clock.monotonicMs() - missedAtMs < missKeptMs) return undefined;
    if (this.#inFlight.size >= lookupsMax) {
      this.counters.skipped++;
      return undefined;
    }
    const question = this.#bounded(session).finally(() => this.#inFlight.delete(session));
    this.#inFlight.set(session, question);
    return question;
  }

  async #bounded(session: SessionId): Promise<TableEntry | undefined> {
    const answer = this.#ownerOf(session).catch(() => undefined);
    const late = delay(this.#clock, this.#boundMs).then(() => 'late' as const);
    const told = await Promise.race([answer, late]);
    if (told === 'late') this.counters.late++;
    const record = told === 'late' ? undefined : told;
    if (record?.owner === undefined) {
      this.#misses.set(session, this.#clock.monotonicMs());
      return undefined;
    }
    return { pod: { name: record.owner.name, uid: record.owner.uid }, epoch: record.epoch };
  }
}
