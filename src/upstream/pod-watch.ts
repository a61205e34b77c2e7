/**
 * Keeps the set of pods up to date: takes in what their source lists, probes each pod in turn, hears of refused
 * connections, learns who answers at an address, and gives every change as a new immutable set.
 *
 * Must not know sessions or requests, what decides on the set, nor where lists come from.
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { afterEvent, type HealthEvent, type HealthRules, isSilent, newHealth, type PodHealth } from '../pods/health.ts';
import { changesBetween, isSamePlace, isSamePod } from '../pods/list-changes.ts';
import { isTerminating, type Pod, type PodVerdict } from '../pods/pod.ts';
import {
  emptyPodSet,
  isForeignUid,
  type ListedPod,
  type PodDigests,
  type PodSet,
  redigested,
  withPods,
  withState,
  withUid,
} from '../pods/pod-set.ts';
import { podVerdict } from '../pods/pod-verdict.ts';
import type { Hello, HelloSigner, HelloTarget } from './hello.ts';
import { foreignAnswer, probe } from './probe.ts';
import { ProbeTurns } from './probe-turns.ts';
import { tellList } from './told-list.ts';
import { WrongKeys } from './wrong-keys.ts';

export interface PodWatchOptions {
  /** The first list, where there is one already; see list(). */
  readonly pods?: readonly ListedPod[] | undefined;
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
  readonly #turns: ProbeTurns;
  readonly #relearning = new Set<string>();
  readonly #asked = new Set<string>();
  /** Pods that came after the first list, until they were asked. */
  readonly #newcomers = new Set<string>();
  readonly #wrongKeys: WrongKeys;
  #set: PodSet;
  #isListed = false;
  #isStarted = false;
  #ejections = 0;
  #panicTold = false;
  #stopped = false;

  constructor(options: PodWatchOptions) {
    this.#options = options;
    this.#set = emptyPodSet(options.digestsOf);
    this.#wrongKeys = new WrongKeys(options.log);
    this.#turns = new ProbeTurns({
      clock: options.clock,
      turn: (name, part) => this.#turn(name, part),
      due: (name) => this.#show(name, this.#health.get(name)),
    });
    if (options.pods !== undefined) this.list(options.pods);
  }

  get set(): PodSet {
    return this.#set;
  }

  /** Each pod has been asked once, whatever it answered. */
  get complete(): boolean {
    return this.#asked.size >= this.#set.pods.length;
  }

  /** A sidecar says that it does not reach the store: planned moves wait until it does (rules 7). */
  get storeDown(): boolean {
    for (const hello of this.#hellos.values()) if (hello.store === 'down') return true;
    return false;
  }

  /** How the keys of some sidecar differ from ours; undefined: of none that is known. */
  get wrongKeys(): string | undefined {
    return this.#wrongKeys.words;
  }

  /** The last word of a pod's sidecar, if it answered when it was asked last. */
  saidBy(name: string): Hello | undefined {
    return this.#hellos.get(name);
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
   * What the source says now: all pods, each name once. Those that are new, or are somewhere else than before, are asked
   * at once.
   */
  list(pods: readonly ListedPod[]): void {
    if (this.#stopped) return;
    const before = this.#set;
    const first = !this.#isListed;
    this.#isListed = true;
    this.#set = withPods(before, pods, {
      verdictOf: (pod) => this.#verdict(pod, this.#healthIn(before, pod)),
      tellUids: this.#options.hello !== undefined,
      first,
      nowMs: this.#options.clock.monotonicMs(),
    });
    const changes = changesBetween(before, this.#set);
    for (const { name } of changes.removed) this.#forget(name);
    if (!first) {
      for (const { name } of changes.added) this.#newcomers.add(name);
      tellList(changes, this.#set, this.#options.log);
    }
    this.#tellPanic();
    const toTell = changes.turned.filter(isTerminating);
    if (this.#isStarted) void this.#askAll([...changes.added, ...changes.moved, ...toTell]);
  }

  /**
   * Begins to probe; resolves when each pod was asked once. The second round is spread over one interval, and so are
   * all that follow.
   */
  start(): Promise<void> {
    this.#isStarted = true;
    return this.#askAll(this.#set.pods);
  }

  stop(): void {
    this.#stopped = true;
    this.#turns.stop();
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

  /** Pins are made with other keys from now on, and read with those that `digestsOf` knows. */
  pinKeysChanged(): void {
    this.#set = redigested(this.#set);
  }

  /** An answer shows that another pod than the known one is at this address: it is asked again now (rules 28). */
  doubted(pod: Pod): void {
    if (this.#relearning.has(pod.name)) return;
    this.#relearning.add(pod.name);
    this.#turns.askAfter(pod.name, relearnMs);
  }

  async #askAll(pods: readonly Pod[]): Promise<void> {
    await Promise.all(pods.map(({ name }, index) => this.#turns.ask(name, (index + 1) / pods.length)));
  }

  /** Asks a pod. `part`: of the interval, until it is asked again. @see ProbeTurnsOptions.turn */
  async #turn(name: string, part: number): Promise<number | undefined> {
    const pod = this.#set.byName.get(name);
    if (pod === undefined || this.#stopped) return undefined;
    this.#relearning.delete(name);
    const { hello, path, timeoutMs, intervalMs, clock } = this.#options;
    const askedAtMs = clock.monotonicMs();
    const told = this.#toldTerminating(pod);
    const answer = await probe(pod.address, { timeoutMs, signer: hello, path, terminating: told });
    const present = this.#set.byName.get(name);
    if (this.#isStopped() || present === undefined) return undefined;
    // Whoever answered, it is another pod by now, or elsewhere.
    if (!isSamePod(present, pod) || !isSamePlace(present, pod)) return 0;
    const isForeign = answer.kind === 'passed' && isForeignUid(this.#set, present, answer.hello?.uid);
    const result = isForeign ? foreignAnswer : answer;
    // One that answers the first time it is asked has served before we came.
    const warm = !this.#asked.has(name) && !this.#newcomers.delete(name);
    this.#asked.add(name);
    this.#wrongKeys.hear(name, result);
    if (result.kind === 'failed') {
      this.#hellos.delete(name);
      this.#hear(name, { kind: 'probe-failed', why: result.why, silent: result.silent === true });
      this.#tellSilence(name);
    } else {
      this.#passed(present, result.hello, warm);
    }
    // Until it has said who it is nothing can be signed for it, so it gets no session: it is asked often.
    // A terminating pod is told at once: its application may have less than a second left.
    const known = this.#set.byName.get(name);
    const isUnknown = hello !== undefined && (known?.uid === '' || this.#isUntold(known));
    // A silence has used up its interval by itself: who waits at the pod waits for this.
    const isSilence = result.kind === 'failed' && result.silent === true;
    const usualMs = isSilence ? Math.max(0, intervalMs - (clock.monotonicMs() - askedAtMs)) : intervalMs * part;
    const askedAgainMs = isUnknown ? Math.min(relearnMs, intervalMs) : usualMs;
    return Math.min(askedAgainMs, this.#ejectedForMs(name));
  }

  /**
   * Whom to tell that its pod is terminating: with each question until it is gone, since any of them can be lost.
   * Undefined: it is not, its sidecar has not said yet how it is told, or its source means another: a list may be old,
   * and the address another pod's by now, which would drain with no way back.
   */
  #toldTerminating(pod: Pod): HelloTarget | undefined {
    const hello = isTerminating(pod) ? this.#hellos.get(pod.name) : undefined;
    if (hello?.run === undefined || (pod.listedUid ?? hello.uid) !== hello.uid) return undefined;
    return { uid: hello.uid, run: hello.run };
  }

  /** It can be told that its pod is terminating, and does not know it. */
  #isUntold(pod: Pod | undefined): boolean {
    if (pod === undefined || this.#toldTerminating(pod) === undefined) return false;
    return this.#hellos.get(pod.name)?.draining === false;
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
    if (event.kind === 'refused' && health.ejectedUntilMs > nowMs) this.#turns.askAfter(name, this.#ejectedForMs(name));
  }

  /** Puts what follows from a pod's health into the set, and tells of each change once. */
  #show(name: string, health = newHealth, warm = false): void {
    const { clock, log } = this.#options;
    const before = this.#set;
    const pod = before.byName.get(name);
    if (pod === undefined) return;
    const verdict = this.#verdict(pod, health);
    this.#set = withState(before, name, verdict, { nowMs: clock.monotonicMs(), warm });
    if (pod.state !== verdict.state) {
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

  #verdict(pod: Pod, health: PodHealth): PodVerdict {
    const { hello, clock } = this.#options;
    return podVerdict(pod, health, { needsUid: hello !== undefined, nowMs: clock.monotonicMs() });
  }

  /** What counts for the pod of a new list: another pod starts with a clean record. */
  #healthIn(before: PodSet, pod: Pod): PodHealth {
    const known = before.byName.get(pod.name);
    return (known !== undefined && isSamePod(known, pod) ? this.#health.get(pod.name) : undefined) ?? newHealth;
  }

  #forget(name: string): void {
    this.#turns.forget(name);
    this.#health.delete(name);
    this.#hellos.delete(name);
    this.#asked.delete(name);
    this.#newcomers.delete(name);
    this.#relearning.delete(name);
    this.#wrongKeys.forget(name);
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}
