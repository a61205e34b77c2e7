/**
 * The store call that begins an adopt: a logout that only our notes know of comes first (protocol rule 26), then the
 * take; and whether our local copy is the newest (rule 12).
 *
 * Must not know what is done about the answer (adopt.ts).
 */

import { HoldfastError } from '../base/errors.ts';
import type { TakeResult } from '../store/contract.ts';
import { isBegunAnew, isOurRun, isOurs } from './adoption-plan.ts';
import { digestOf } from './file-state.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { SessionEntry } from './session-entry.ts';

type Taken = Extract<TakeResult, { kind: 'taken' }>;
/** A take's answer; `isOurs`: nobody owned the session since our copy of it. */
export type OwnTake = Exclude<TakeResult, { kind: 'taken' }> | (Taken & { readonly isOurs: boolean });

export class Take {
  readonly #context: KeeperContext;

  constructor(context: KeeperContext) {
    this.#context = context;
  }

  /** Undefined: the store gave no answer within the longest hold, or is down. */
  async run(entry: SessionEntry): Promise<OwnTake | undefined> {
    const { notes, me } = this.#context.options;
    let hasBuried = false;
    const taken = await this.#asked(async () => {
      const burial = notes.read(entry.id);
      if (burial?.buried !== true) return this.#take(entry);
      hasBuried ||= await this.#bury(entry, burial.epoch);
      let taken = await this.#take(entry);
      // The reply to a later take of ours was lost: the logout is of our unbroken run, whatever its epoch.
      if (taken.kind === 'taken' && !taken.tombstone && isOurRun(taken, burial, me.uid)) {
        hasBuried ||= await this.#bury(entry, taken.epoch);
        taken = await this.#take(entry);
      }
      // A file that was begun anew is known by this note until there is one of its own term.
      if (burial.begunAnew !== true) {
        notes.remove(entry.id);
        entry.noted = false;
      }
      return taken;
    });
    if (taken?.kind !== 'taken') return taken;
    const note = notes.read(entry.id);
    const { state } = entry;
    const isServed = state.at === 'asking' && state.since !== undefined;
    const isOurCreate = isServed && holdsOneOf(taken, entry.lostCreates);
    entry.lostCreates = [];
    return {
      ...taken,
      isOurs:
        isOurs(taken, note, me.uid) || isOurCreate || isBegunAnew(taken, { note, uid: me.uid, hasBuried, isServed }),
    };
  }

  #take(entry: SessionEntry): Promise<TakeResult> {
    const { store, me } = this.#context.options;
    return store.take(entry.name, me, entry.ttlMs);
  }

  /** A logout that the store has not heard of yet is the first thing it hears. True: it took it. */
  async #bury(entry: SessionEntry, epoch: number): Promise<boolean> {
    const { store, me } = this.#context.options;
    const result = await store.bury(entry.name, { epoch, uid: me.uid }, entry.ttlMs);
    if (result.kind === 'stored') this.#context.counters.tombstones++;
    return result.kind === 'stored';
  }

  /** Calls the store until it answers, is down, or the longest hold has passed (then undefined). */
  async #asked<Result>(call: () => Promise<Result>): Promise<Result | undefined> {
    const { options } = this.#context;
    const deadlineMs = this.#context.nowMs() + options.timeouts.syncMs;
    for (;;) {
      if (!this.#context.storeUp) return undefined;
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        this.#context.storeFailed('take', error);
      }
      if (this.#context.nowMs() >= deadlineMs) return undefined;
      await this.#context.pause();
    }
  }
}

/** A create of ours whose reply was lost, so that there is no note: nobody has written since, and we went on from it (rule 12). */
function holdsOneOf({ tombstone, blob }: Taken, digests: readonly string[]): boolean {
  return digests.length > 0 && !tombstone && blob !== undefined && digests.includes(digestOf(blob.bytes));
}
