/**
 * Says loudly that store.key or store.nameKey are not those of the sessions in the store (store/key-mark.ts): at the
 * start, which then fails, and whenever a store that was away is back, which can only be told.
 *
 * Must not know roles.
 */

import { HoldfastError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { checkMark, type KeyMark } from '../store/key-mark.ts';
import type { OpenedStore } from '../store/open-store.ts';

export interface KeyCheckOptions {
  readonly opened: Pick<OpenedStore, 'store' | 'health'>;
  /** Of the keys of now. */
  readonly mark: () => KeyMark;
  /** `store.prefix`. */
  readonly prefix: string;
  readonly log: Log;
}

export class KeyCheck {
  readonly #options: KeyCheckOptions;
  readonly #forget: () => void;
  #running: Promise<void> = Promise.resolve();
  #problem: string | undefined;

  constructor(options: KeyCheckOptions) {
    this.#options = options;
    this.#forget = options.opened.health.onChange((state) => {
      if (state === 'up') this.#running = this.#check();
    });
  }

  /** What is wrong, with fingerprints; undefined: nothing that is known. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Resolves when the store has answered once, or is known to be down.
   * @throws HoldfastError 'bad-configuration' where the keys are wrong.
   */
  async atStart(): Promise<void> {
    await this.#options.opened.health.started();
    await this.#running;
    if (this.#problem !== undefined) throw new HoldfastError('bad-configuration', this.#problem);
  }

  /** The keys have been replaced: the mark in the store is to name those of now (docs/operations.md). */
  again(): void {
    if (this.#options.opened.health.state === 'up') this.#running = this.#check();
  }

  stop(): void {
    this.#forget();
  }

  /** Never rejects: a store that goes away again is asked when it is back. */
  async #check(): Promise<void> {
    const { opened, mark, prefix, log } = this.#options;
    try {
      const check = await checkMark(opened.store, mark());
      this.#problem = check.kind === 'fits' ? undefined : wrongKeys(check.why, prefix);
    } catch (error) {
      log.debug({ error }, 'the keys could not be compared with the mark in the store');
      return;
    }
    if (this.#problem !== undefined) log.error({ why: this.#problem }, 'the keys are not those of the store');
  }
}

function wrongKeys(why: string, prefix: string): string {
  return (
    `These are not the keys of the sessions under store.prefix "${prefix}": ${why}. ` +
    `Where the sessions are to be given up, delete the Redis key hf:${prefix}:mark.`
  );
}
