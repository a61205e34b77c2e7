/**
 * The decisions that the model explores: the product's own pure functions, and, where a flow in src/sessions decides between
 * its waits, that decision written down once more, with the name of the function it mirrors. A mutation (mutations.ts)
 * replaces one of them; the product has no switches.
 */

import { isOurs, planTaken, planUnrecorded } from '../../src/sessions/adoption-plan.ts';
import { planCapture } from '../../src/sessions/capture-plan.ts';
import { counts, type Ownership, step } from '../../src/sessions/ownership.ts';
import * as record from '../../src/store/record-rules.ts';

export const rules = {
  step,
  counts,
  isOurs,
  planTaken,
  planUnrecorded,
  planCapture,
  take: record.take,
  force: record.force,
  create: record.create,
  put: record.put,
  confirm: record.confirm,
  release: record.release,
  bury: record.bury,
  /** Settle.#judge: what a capture that stored nothing needs before the answer leaves (rule 6). */
  unchangedNeedsConfirm: (): boolean => true,
  /** Adopt.#run and #restore: exchanges of an earlier term end first (rule 13). */
  waitsForEarlierTerms: (): boolean => true,
  /** HandOff.#answer: what an owner says that can't reach the store (rule 20). */
  ownerWithoutStore: (): 'kept' | 'not-mine' => 'kept',
  /** HandOff.#run: exchanges are waited for up to a deadline (rule 22). */
  releaseHasDeadline: (): boolean => true,
  /** HandOff.#run: a logout that only the notes know of is not freed (rule 26). */
  releaseSparesNotedLogout: (): boolean => true,
  /** Capture: the wait for the file's lock is bounded (rule 10). */
  lockWaitHasBound: (): boolean => true,
  /** Settle.#fence: a parallel exchange removes the file only while no later term has it (rules 16). */
  fenceRemovesFile: (state: Ownership): boolean => state.at === 'elsewhere' || state.at === 'asking',
  /** Settle.#untilItCounts: an exchange that ran beside a burial brings nothing back (rules 16). */
  fences: (buriedTick: number, admittedTick: number): boolean => buriedTick > admittedTick,
  /** Epochs are only ever compared; a mutation that counts with them says no. */
  epochsAreOrderOnly: (): boolean => true,
};

export type Rules = typeof rules;
