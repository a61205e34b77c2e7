/**
 * What the pods' sidecars said when they were asked last, and what is to be told to them with the next question.
 *
 * Must not know when they are asked, nor what follows from it for a pod's state.
 */

import type { Log } from '../base/log.ts';
import { isTerminating, type Pod } from '../pods/pod.ts';
import type { Hello, HelloTarget } from './hello.ts';
import type { ProbeResult } from './probe.ts';
import { WrongKeys } from './wrong-keys.ts';

export class PodWords {
  readonly #hellos = new Map<string, Hello>();
  readonly #wrongKeys: WrongKeys;

  constructor(log: Log) {
    this.#wrongKeys = new WrongKeys(log);
  }

  /** One says that it does not reach the store: planned moves wait until it does (rules 7). */
  get storeDown(): boolean {
    for (const hello of this.#hellos.values()) if (hello.store === 'down') return true;
    return false;
  }

  /** How the keys of some sidecar differ from ours; undefined: of none that is known. */
  get wrongKeys(): string | undefined {
    return this.#wrongKeys.words;
  }

  /** The last word, if it answered when it was asked last. */
  of(name: string): Hello | undefined {
    return this.#hellos.get(name);
  }

  hear(name: string, result: ProbeResult): void {
    this.#wrongKeys.hear(name, result);
    if (result.kind === 'failed') this.#hellos.delete(name);
    else if (result.hello !== undefined) this.#hellos.set(name, result.hello);
  }

  forget(name: string): void {
    this.#hellos.delete(name);
    this.#wrongKeys.forget(name);
  }

  /**
   * Whom to tell that its pod is terminating: with each question until it is gone, since any of them can be lost.
   * Undefined: it is not, its sidecar has not said yet how it is told, or its source means another: a list may be old,
   * and the address another pod's by now, which would drain with no way back.
   */
  terminating(pod: Pod): HelloTarget | undefined {
    const hello = isTerminating(pod) ? this.#hellos.get(pod.name) : undefined;
    if (hello?.run === undefined || (pod.listedUid ?? hello.uid) !== hello.uid) return undefined;
    return { uid: hello.uid, run: hello.run };
  }

  /** It can be told that its pod is terminating, and does not know it. */
  isUntold(pod: Pod): boolean {
    return this.terminating(pod) !== undefined && this.#hellos.get(pod.name)?.draining === false;
  }
}
