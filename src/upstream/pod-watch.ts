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
  isSilent,
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
  terminatingVerdict,
  withPods,
  withState,
  withUid,
} from '../pods/pod-set.ts';
import type { Hello, HelloSigner, HelloTarget } from './hello.ts';
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
  /**
   * A pod's sidecar was asked `fails` times in a row and did not say a word: it is frozen or cut off, and so is who has
   * heard nothing of it since `beforeMs` (monotonic) or longer. Called again after each further question. Never called
   * for bare applications: theirs may only be slow.
   */
  readonly silent: (pod: Pod, beforeMs: number) => void;
}

/** Probes under way at once: a thousand pods are not asked in one tick, and black holes do not keep the others waiting long. */
const probesMax = 256;
/**
 * Nobody is told of a silence who has not waited for so long, however often pods are asked: a process that only paused
 * would answer yet, and what was given up is executed all the same when it wakes up.
 */
const silenceMinMs = 4000;
/** How soon a pod is asked again whose answers don't come from the one it was known as; no sooner a second time. */
const relearnMs = 200;

export class PodWatch {
  readonly #options: PodWatchOptions;
  readonly #health = new Map<string, PodHealth>();
  readonly #hellos = new Map<string, Hello>();
  readonly #probing = new Set<string>();
  /** Due, and waiting until fewer are asked. */
  readonly #waiting = new Set<string>();
  readonly #relearning = new Set<string>();
  readonly #timers = new Map<string, Timer>();
  readonly #asked = new Set<string>();
  /** Pods whose sidecars have other keys than ours, and how they differ. */
  readonly #wrongKeys = new Map<string, string>();
  #set: PodSet;
  #ejections = 0;
  #panicTold = false;
  #stopped = false;

  constructor(options: PodWatchOptions) {
    this.#options = options;
    this.#set = withPods(emptyPodSet(options.digestsOf), options.pods);
    if (options.hello === undefined) return;
    const at = { nowMs: options.clock.monotonicMs(), warm: true };
    for (const { name, terminating } of options.pods)
      if (terminating !== true) this.#set = withState(this.#set, name, unidentified('it was not asked yet'), at);
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

  /** What is known of a pod's health beyond its state; undefined: nothing was heard yet. */
  healthOf(name: string): PodHealth | undefined {
    return this.#health.get(name);
  }

  /** Ejections since the start, of all pods. */
  get ejections(): number {
    return this.#ejections;
  }

  /**
   * Begins to probe; resolves when each pod was asked once. The second round is spread over one interval, and so are
   * all that follow.
   */
  async start(): Promise<void> {
    const { pods } = this.#set;
    const turns = pods.entries();
    const askInTurn = async (): Promise<void> => {
      for (const [index, { name }] of turns) await this.#round(name, (index + 1) / pods.length);
    };
    await Promise.all(Array.from({ length: Math.min(probesMax, pods.length) }, askInTurn));
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#waiting.clear();
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

  /** Asks a pod. `part`: of the interval, until it is asked again. Never rejects. */
  async #round(name: string, part = 1): Promise<void> {
    const pod = this.#set.byName.get(name);
    if (pod === undefined || this.#stopped || this.#probing.has(name)) return;
    if (this.#probing.size >= probesMax) {
      this.#waiting.add(name);
      return;
    }
    this.#relearning.delete(name);
    this.#probing.add(name);
    const { hello, path, timeoutMs, intervalMs, clock } = this.#options;
    const askedAtMs = clock.monotonicMs();
    const told = this.#toldTerminating(pod);
    const result = await probe(pod.address, { timeoutMs, signer: hello, path, terminating: told });
    this.#probing.delete(name);
    if (this.#isStopped()) return;
    // One that answers the first time it is asked has served before we came.
    const warm = !this.#asked.has(name);
    this.#asked.add(name);
    this.#compareKeys(name, result);
    if (result.kind === 'failed') {
      this.#hellos.delete(name);
      this.#hear(name, { kind: 'probe-failed', why: result.why, silent: result.silent === true });
      this.#tellSilence(name);
    } else {
      this.#passed(pod, result.hello, warm);
    }
    // Until it has said who it is nothing can be signed for it, so it gets no session: it is asked often.
    // A terminating pod is told at once: its application may have less than a second left.
    const known = this.#set.byName.get(name);
    const isUnknown = hello !== undefined && (known?.uid === '' || this.#isUntold(known));
    // A silence has used up its interval by itself: who waits at the pod waits for this.
    const isSilence = result.kind === 'failed' && result.silent === true;
    const usualMs = isSilence ? Math.max(0, intervalMs - (clock.monotonicMs() - askedAtMs)) : intervalMs * part;
    const askedAgainMs = isUnknown ? Math.min(relearnMs, intervalMs) : usualMs;
    this.#next(name, Math.min(askedAgainMs, this.#ejectedForMs(name)));
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    void this.#round(next);
  }

  /**
   * Whom to tell that its pod is terminating: with each question until it is gone, since any of them can be lost.
   * Undefined: it is not, or its sidecar has not said yet how it is told.
   */
  #toldTerminating({ name, terminating }: Pod): HelloTarget | undefined {
    const hello = terminating ? this.#hellos.get(name) : undefined;
    return hello?.run === undefined ? undefined : { uid: hello.uid, run: hello.run };
  }

  /** It can be told that its pod is terminating, and does not know it. */
  #isUntold(pod: Pod | undefined): boolean {
    const hello = pod?.terminating === true ? this.#hellos.get(pod.name) : undefined;
    return hello?.run !== undefined && !hello.draining;
  }

  #tellSilence(name: string): void {
    const { rules, timeoutMs, clock, silent } = this.#options;
    const pod = this.#set.byName.get(name);
    const health = this.#health.get(name);
    if (pod === undefined || health === undefined || !isSilent(health, rules)) return;
    // The questions that brought no answer took as long as this together, or longer.
    silent(pod, clock.monotonicMs() - Math.max(rules.fails * timeoutMs, silenceMinMs));
  }

  /** How long the pod's ejection lasts from now on; Infinity: it is not ejected. An ejection ends by itself. */
  #ejectedForMs(name: string): number {
    const leftMs = (this.#health.get(name)?.ejectedUntilMs ?? 0) - this.#options.clock.monotonicMs();
    return leftMs > 0 ? leftMs + 1 : Infinity;
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

  #passed(pod: Pod, hello: Hello | undefined, warm: boolean): void {
    const { name } = pod;
    if (hello !== undefined) {
      this.#hellos.set(name, hello);
      if (hello.uid !== pod.uid) {
        // Another pod under the same name starts with a clean record.
        if (pod.uid !== '') this.#health.delete(name);
        this.#set = withUid(this.#set, name, hello.uid, this.#options.clock.monotonicMs());
      }
      this.#hear(
        name,
        hello.draining ? { kind: 'draining', why: 'its sidecar is draining' } : { kind: 'not-draining' },
        warm,
      );
    }
    const current = this.#set.byName.get(name);
    if (current !== undefined) delete current.load.refusedAtMs;
    this.#hear(name, { kind: 'probe-passed' }, warm);
  }

  #hear(name: string, event: HealthEvent, warm = false): void {
    const { clock, rules } = this.#options;
    const nowMs = clock.monotonicMs();
    const before = this.#health.get(name) ?? newHealth;
    const health = afterEvent(before, event, { rules, nowMs });
    this.#health.set(name, health);
    if (health.ejections > before.ejections) this.#ejections++;
    this.#show(name, health, warm);
    // An ejection ends by itself: the pod is asked at that moment, not an interval later.
    if (event.kind === 'refused' && health.ejectedUntilMs > nowMs) this.#next(name, this.#ejectedForMs(name));
  }

  /** Puts what follows from a pod's health into the set, and tells of each change once. */
  #show(name: string, health: PodHealth, warm = false): void {
    const { clock, log } = this.#options;
    const before = this.#set;
    const pod = before.byName.get(name);
    const verdict = this.#verdict(pod, health);
    this.#set = withState(before, name, verdict, { nowMs: clock.monotonicMs(), warm });
    if (pod !== undefined && pod.state !== verdict.state) {
      log.info({ pod: name, state: verdict.state, why: verdict.why }, 'a pod changed its state');
    }
    this.#tellPanic();
  }

  /** Only once every pod was asked: before that all sidecars are unhealthy for want of a name. */
  #tellPanic(): void {
    const { panic, unhealthy, pods } = this.#set;
    if (!this.complete || panic === this.#panicTold) return;
    this.#panicTold = panic;
    const facts = { unhealthy: unhealthy.length, pods: pods.length };
    if (panic) this.#options.log.warn(facts, 'more than half of the pods look unhealthy: they are used too, last');
    else this.#options.log.info(facts, 'less than half of the pods look unhealthy again');
  }

  #verdict(pod: Pod | undefined, health: PodHealth): HealthVerdict {
    if (pod?.terminating === true) return terminatingVerdict;
    const verdict = verdictOf(health, this.#options.clock.monotonicMs());
    if (this.#options.hello === undefined || pod?.uid !== '' || verdict.state !== 'ready') return verdict;
    return unidentified(health.probeWhy);
  }

  #next(name: string, afterMs: number): void {
    this.#timers.get(name)?.cancel();
    const timer = this.#options.clock.after(afterMs, () => {
      const health = this.#health.get(name);
      if (health !== undefined) this.#show(name, health);
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
