/**
 * Keeps the set of pods up to date: probes each pod in turn, hears of refused connections, learns who answers at
 * an address, and gives every change as a new immutable set.
 *
 * Must not know sessions or requests, nor what decides on the set.
 */

import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import {
  afterEvent,
  type HealthEvent,
  type HealthRules,
  type HealthVerdict,
  newHealth,
  type PodHealth,
  verdictOf,
} from '../pods/health.ts';
import type { Pod } from '../pods/pod.ts';
import {
  emptyPodSet,
  type ListedPod,
  type PodDigests,
  type PodSet,
  withPods,
  withState,
  withUid,
} from '../pods/pod-set.ts';
import type { Hello, HelloSigner } from './hello.ts';
import { probe, type ProbeResult } from './probe.ts';

export interface PodWatchOptions {
  readonly pods: readonly ListedPod[];
  readonly digestsOf: PodDigests;
  /** Undefined: bare applications. */
  readonly hello: HelloSigner | undefined;
  /** The application's health path, if one is configured. */
  readonly path: string | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rules: HealthRules;
  readonly clock: Clock;
  readonly log: Log;
}

/** How soon a pod is asked again whose answers don't come from the one it was known as; no sooner a second time. */
const relearnMs = 200;

export class PodWatch {
  readonly #options: PodWatchOptions;
  readonly #health = new Map<string, PodHealth>();
  readonly #hellos = new Map<string, Hello>();
  readonly #probing = new Set<string>();
  readonly #relearning = new Set<string>();
  readonly #timers = new Map<string, Timer>();
  readonly #asked = new Set<string>();
  /** Pods whose sidecars have other keys than ours, and how they differ. */
  readonly #wrongKeys = new Map<string, string>();
  #set: PodSet;
  #stopped = false;

  constructor(options: PodWatchOptions) {
    this.#options = options;
    this.#set = withPods(emptyPodSet(options.digestsOf), options.pods);
    if (options.hello === undefined) return;
    for (const { name } of options.pods) this.#set = withState(this.#set, name, unidentified('it was not asked yet'));
  }

  get set(): PodSet {
    return this.#set;
  }

  /** Each pod has been asked once, whatever it answered. */
  get complete(): boolean {
    return this.#asked.size >= this.#options.pods.length;
  }

  /** A sidecar says that it does not reach the store: planned moves wait until it does (rules 7). */
  get storeDown(): boolean {
    for (const hello of this.#hellos.values()) if (hello.store === 'down') return true;
    return false;
  }

  /** How the keys of some sidecar differ from ours; undefined: of none that is known. */
  get wrongKeys(): string | undefined {
    const [first] = this.#wrongKeys;
    if (first === undefined) return undefined;
    const others = this.#wrongKeys.size === 1 ? '' : ` (and ${this.#wrongKeys.size - 1} more)`;
    return `${first[0]}${others}: ${first[1]}`;
  }

  /** Begins to probe; resolves when each pod was asked once. Each takes at most the probe's timeout. */
  async start(): Promise<void> {
    await Promise.all(this.#set.pods.map((pod) => this.#round(pod.name)));
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  /** A connection to the pod was refused or not made in time. */
  refused(pod: Pod): void {
    pod.load.refusedAtMs = this.#options.clock.monotonicMs();
    this.#hear(pod.name, { kind: 'refused' });
  }

  /** The pod took a connection. Called for each answer, so the usual case costs one comparison. */
  connected(pod: Pod): void {
    if (pod.load.refusedAtMs === undefined) return;
    delete pod.load.refusedAtMs;
    this.#hear(pod.name, { kind: 'connected' });
  }

  /**
   * The pod with this uid, as its source names it: a sidecar's own name for itself may be another. Few ask, and pods
   * are few, so that they are gone through.
   */
  podOf(uid: string): Pod | undefined {
    return uid === '' ? undefined : this.#set.pods.find((pod) => pod.uid === uid);
  }

  /** An answer shows that another pod than the known one is at this address: it is asked again now (rules 28). */
  doubted(pod: Pod): void {
    if (this.#relearning.has(pod.name)) return;
    this.#relearning.add(pod.name);
    this.#next(pod.name, relearnMs);
  }

  async #round(name: string): Promise<void> {
    const pod = this.#set.byName.get(name);
    if (pod === undefined || this.#stopped || this.#probing.has(name)) return;
    this.#relearning.delete(name);
    this.#probing.add(name);
    const { hello, path, timeoutMs, intervalMs } = this.#options;
    const result = await probe(pod.address, { timeoutMs, signer: hello, path });
    this.#probing.delete(name);
    if (this.#isStopped()) return;
    this.#asked.add(name);
    this.#compareKeys(name, result);
    if (result.kind === 'failed') {
      this.#hellos.delete(name);
      this.#hear(name, { kind: 'probe-failed', why: result.why });
    } else {
      this.#passed(pod, result.hello);
    }
    // Until it has said who it is nothing can be signed for it, so it gets no session: it is asked often.
    const isUnknown = hello !== undefined && this.#set.byName.get(name)?.uid === '';
    this.#next(name, isUnknown ? Math.min(relearnMs, intervalMs) : intervalMs);
  }

  /** Said once for each pod, and again after its keys were right. */
  #compareKeys(name: string, result: ProbeResult): void {
    if (result.kind === 'passed') {
      this.#wrongKeys.delete(name);
    } else if (result.wrongKeys === true && this.#wrongKeys.get(name) !== result.why) {
      this.#wrongKeys.set(name, result.why);
      this.#options.log.error({ pod: name, why: result.why }, 'the keys of a sidecar are not ours');
    }
  }

  #passed(pod: Pod, hello: Hello | undefined): void {
    const { name } = pod;
    if (hello !== undefined) {
      this.#hellos.set(name, hello);
      if (hello.uid !== pod.uid) {
        // Another pod under the same name starts with a clean record.
        if (pod.uid !== '') this.#health.delete(name);
        this.#set = withUid(this.#set, name, hello.uid);
      }
      this.#hear(
        name,
        hello.draining ? { kind: 'draining', why: 'its sidecar is draining' } : { kind: 'not-draining' },
      );
    }
    const current = this.#set.byName.get(name);
    if (current !== undefined) delete current.load.refusedAtMs;
    this.#hear(name, { kind: 'probe-passed' });
  }

  #hear(name: string, event: HealthEvent): void {
    const { clock, rules, log } = this.#options;
    const nowMs = clock.monotonicMs();
    const health = afterEvent(this.#health.get(name) ?? newHealth, event, { rules, nowMs });
    this.#health.set(name, health);
    const pod = this.#set.byName.get(name);
    const before = pod?.state;
    const verdict = this.#verdict(pod, health);
    this.#set = withState(this.#set, name, verdict);
    if (before !== undefined && before !== verdict.state) {
      log.info({ pod: name, state: verdict.state, why: verdict.why }, 'a pod changed its state');
    }
    // An ejection ends by itself: the pod is asked at that moment, not an interval later.
    if (event.kind === 'refused' && health.ejectedUntilMs > nowMs) this.#next(name, health.ejectedUntilMs - nowMs + 1);
  }

  #verdict(pod: Pod | undefined, health: PodHealth): HealthVerdict {
    const verdict = verdictOf(health, this.#options.clock.monotonicMs());
    if (this.#options.hello === undefined || pod?.uid !== '' || verdict.state !== 'ready') return verdict;
    return unidentified(health.probeWhy);
  }

  #next(name: string, afterMs: number): void {
    this.#timers.get(name)?.cancel();
    const timer = this.#options.clock.after(afterMs, () => {
      const health = this.#health.get(name);
      if (health !== undefined) {
        this.#set = withState(this.#set, name, this.#verdict(this.#set.byName.get(name), health));
      }
      void this.#round(name);
    });
    this.#timers.set(name, timer);
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}

/** A sidecar that has not said who it is can't be signed to, and its pins can't be read: it comes last (rules 28). */
function unidentified(why: string): HealthVerdict {
  return { state: 'unhealthy', why: `has not said who it is: ${why}` };
}
