/**
 * Asking the store whether our term still holds: what an unchanged answer needs before it leaves (protocol rule 6).
 *
 * A confirm is sent as soon as a request is on its way to the application, so it costs the answer no time. It
 * serves every request whose head arrived before it was sent, and none that came later.
 */

import type { ConfirmEnd, ConfirmFlight } from './flights.ts';
import type { KeeperContext } from './keeper-context.ts';
import { epochOf } from './ownership.ts';
import type { SessionEntry } from './session-entry.ts';

export class Confirm {
  readonly #context: KeeperContext;

  constructor(context: KeeperContext) {
    this.#context = context;
  }

  /** Sends a confirm of the current term; the newest one is remembered at the entry. Never rejects. */
  send(entry: SessionEntry, epoch: number): ConfirmFlight {
    const { options, counters } = this.#context;
    const sentTick = this.#context.tick();
    const touch =
      this.#context.nowMs() - entry.touchedAtMs >= this.#context.renewalMs ? { ttlMs: entry.ttlMs } : undefined;
    counters.confirms++;
    const end = options.store.confirm(entry.name, { epoch, uid: options.me.uid }, touch).then(
      (result): ConfirmEnd => {
        if (entry.confirming === flight) entry.confirming = undefined;
        if (epochOf(entry.state) !== epoch) return 'refused';
        if (result.kind === 'stored') {
          entry.confirmed(sentTick, this.#context.nowMs());
          if (touch !== undefined) this.#context.renewed(entry, epoch, result.storeTimeMs);
          return 'holds';
        }
        if (result.absent === true) {
          this.#context.apply(entry, { on: 'record-lost', epoch });
          return 'lost';
        }
        counters.putsRefused++;
        this.#context.apply(entry, { on: 'refused', epoch });
        return 'refused';
      },
      (error: unknown): ConfirmEnd => {
        if (entry.confirming === flight) entry.confirming = undefined;
        this.#context.storeFailed('confirm', error);
        return 'unknown';
      },
    );
    const flight: ConfirmFlight = { sentTick, end };
    entry.confirming = flight;
    return flight;
  }

  /** Whether the term held at some time after `arrivedTick`; asks where no call under way can tell. */
  since(entry: SessionEntry, epoch: number, arrivedTick: number): 'holds' | Promise<ConfirmEnd> {
    if (entry.confirmedTick > arrivedTick) return 'holds';
    const { confirming } = entry;
    return (confirming !== undefined && confirming.sentTick > arrivedTick ? confirming : this.send(entry, epoch)).end;
  }
}
