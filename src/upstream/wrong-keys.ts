/**
 * Pods whose sidecars have other keys than ours, and how they differ: somebody has to mend the configuration.
 *
 * Must not know what keys are for.
 */

import type { Log } from '../base/log.ts';
import type { ProbeResult } from './probe.ts';

export class WrongKeys {
  readonly #log: Log;
  readonly #byPod = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** In words, for the first of them; undefined: there is none that is known. */
  get words(): string | undefined {
    const [first] = this.#byPod;
    if (first === undefined) return undefined;
    const others = this.#byPod.size === 1 ? '' : ` (and ${this.#byPod.size - 1} more)`;
    return `${first[0]}${others}: ${first[1]}`;
  }

  /** Said once for each pod, and again after its keys were right. */
  hear(pod: string, result: ProbeResult): void {
    if (result.kind === 'passed') {
      this.#byPod.delete(pod);
    } else if (result.wrongKeys === true && this.#byPod.get(pod) !== result.why) {
      this.#byPod.set(pod, result.why);
      this.#log.error({ pod, why: result.why }, 'the keys of a sidecar are not ours');
    }
  }

  forget(pod: string): void {
    this.#byPod.delete(pod);
  }
}
