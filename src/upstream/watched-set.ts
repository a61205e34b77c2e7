/**
 * The pods with the health of each: what is heard of one becomes its state in a new immutable set, and each change is
 * told once.
 *
 * Must not know how it is heard, nor where lists come from.
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { afterEvent, type HealthEvent, type HealthRules, newHealth, type PodHealth } from '../pods/health.ts';
import { changesBetween, isSamePod, type ListChanges } from '../pods/list-changes.ts';
import type { Pod, PodVerdict } from '../pods/pod.ts';
import {
  emptyPodSet,
  type ListedPod,
  type PodDigests,
  type PodSet,
  redigested,
  withPods,
  withState,
  withUid,
} from '../pods/pod-set.ts';
import { podVerdict } from '../pods/pod-verdict.ts';

export interface WatchedSetOptions {
  readonly digestsOf: PodDigests;
  /** Pods say themselves who they are; until one has, it comes last (rules 28). */
  readonly needsUids: boolean;
  readonly rules: HealthRules;
  readonly clock: Clock;
  readonly log: Log;
  /** Each pod has been asked once: before that all sidecars are unhealthy for want of a name. */
  readonly isComplete: () => boolean;
}

export class WatchedSet {
  readonly #options: WatchedSetOptions;
  readonly #health = new Map<string, PodHealth>();
  #set: PodSet;
  #isListed = false;
  #ejections = 0;
  #panicTold = false;

  constructor(options: WatchedSetOptions) {
    this.#options = options;
    this.#set = emptyPodSet(options.digestsOf);
  }

  get now(): PodSet {
    return this.#set;
  }

  /** A source has listed its pods once. */
  get isListed(): boolean {
    return this.#isListed;
  }

  /** Since the start, of all pods. */
  get ejections(): number {
    return this.#ejections;
  }

  /** Undefined: nothing was heard of it yet. */
  healthOf(name: string): PodHealth | undefined {
    return this.#health.get(name);
  }

  /** What the source says now: all pods, each name once. Whether that is panic is yet to be told. */
  list(pods: readonly ListedPod[]): ListChanges {
    const before = this.#set;
    this.#set = withPods(before, pods, {
      verdictOf: (pod) => this.#verdict(pod, this.#healthIn(before, pod)),
      tellUids: this.#options.needsUids,
      first: !this.#isListed,
      nowMs: this.#options.clock.monotonicMs(),
    });
    this.#isListed = true;
    const changes = changesBetween(before, this.#set);
    for (const { name } of changes.removed) this.#health.delete(name);
    return changes;
  }

  /** Who answers for a pod has said who it is: another one than before starts with a clean record. */
  identified(name: string, uid: string): void {
    const pod = this.#set.byName.get(name);
    if (pod === undefined || pod.uid === uid) return;
    if (pod.uid !== '') this.#health.delete(name);
    this.#set = withUid(this.#set, name, uid, this.#options.clock.monotonicMs());
  }

  /** @param warm it has served before it was asked the first time */
  hear(name: string, event: HealthEvent, warm = false): PodHealth {
    const { clock, rules } = this.#options;
    const before = this.#health.get(name) ?? newHealth;
    const health = afterEvent(before, event, { rules, nowMs: clock.monotonicMs() });
    this.#health.set(name, health);
    if (health.ejections > before.ejections) this.#ejections++;
    this.show(name, warm);
    return health;
  }

  /** Puts what follows from a pod's health by now into the set. */
  show(name: string, warm = false): void {
    const { clock, log } = this.#options;
    const before = this.#set;
    const pod = before.byName.get(name);
    if (pod === undefined) return;
    const verdict = this.#verdict(pod, this.#health.get(name) ?? newHealth);
    this.#set = withState(before, name, verdict, { nowMs: clock.monotonicMs(), warm });
    if (pod.state !== verdict.state) {
      log.info({ pod: name, state: verdict.state, why: verdict.why }, 'a pod changed its state');
    }
    this.tellPanic();
  }

  /** How long the pod's ejection lasts from now on; Infinity: it is not ejected. An ejection ends by itself. */
  ejectedForMs(name: string): number {
    const leftMs = (this.#health.get(name)?.ejectedUntilMs ?? 0) - this.#options.clock.monotonicMs();
    return leftMs > 0 ? leftMs + 1 : Infinity;
  }

  /** Pins are made with other keys from now on, and read with those that `digestsOf` knows. */
  redigest(): void {
    this.#set = redigested(this.#set);
  }

  /** Once for each beginning and each end. */
  tellPanic(): void {
    const { isComplete, log } = this.#options;
    const { panic, unhealthy, pods } = this.#set;
    if (!isComplete() || panic === this.#panicTold) return;
    this.#panicTold = panic;
    const facts = { unhealthy: unhealthy.length, pods: pods.length };
    if (panic) log.warn(facts, 'more than half of the pods look unhealthy: they are used too, last');
    else log.info(facts, 'less than half of the pods look unhealthy again');
  }

  #verdict(pod: Pod, health: PodHealth): PodVerdict {
    const { needsUids, clock } = this.#options;
    return podVerdict(pod, health, { needsUid: needsUids, nowMs: clock.monotonicMs() });
  }

  /** What counts for the pod of a new list: another pod starts with a clean record. */
  #healthIn(before: PodSet, pod: Pod): PodHealth {
    const known = before.byName.get(pod.name);
    return (known !== undefined && isSamePod(known, pod) ? this.#health.get(pod.name) : undefined) ?? newHealth;
  }
}
