/**
 * Keeps the set of pods up to date: takes in what their source lists, probes each pod in turn, hears of refused
 * connections, learns who answers at an address, and gives every change as a new immutable set.
 *
 * Must not know sessions or requests, what decides on the set, nor where lists come from.
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type HealthEvent, type HealthRules, isSilent, type PodHealth } from '../pods/health.ts';
import { isSamePlace, isSamePod } from '../pods/list-changes.ts';
import { isTerminating, type Pod } from '../pods/pod.ts';
import { isForeignUid, type ListedPod, type PodDigests, type PodSet } from '../pods/pod-set.ts';
import type { Hello, HelloSigner } from './hello.ts';
import { PodWords } from './pod-words.ts';
import { foreignAnswer, probe } from './probe.ts';
import { ProbeTurns } from './probe-turns.ts';
import { tellList } from './told-list.ts';
import { WatchedSet } from './watched-set.ts';

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
  readonly #watched: WatchedSet;
  readonly #words: PodWords;
  readonly #turns: ProbeTurns;
  readonly #relearning = new Set<string>();
  readonly #asked = new Set<string>();
  /** Pods that came after the first list, until they were asked. */
  readonly #newcomers = new Set<string>();
  #isStarted = false;
  #stopped = false;

  constructor(options: PodWatchOptions) {
    this.#options = options;
    const { hello, log, clock } = options;
    this.#watched = new WatchedSet({ ...options, needsUids: hello !== undefined, isComplete: () => this.complete });
    this.#words = new PodWords(log);
    this.#turns = new ProbeTurns({
      clock,
      turn: (name, part) => this.#turn(name, part),
      due: (name) => this.#watched.show(name),
    });
    if (options.pods !== undefined) this.list(options.pods);
  }

  get set(): PodSet {
    return this.#watched.now;
  }

  /** Each pod has been asked once, whatever it answered. */
  get complete(): boolean {
    return this.#asked.size >= this.set.pods.length;
  }

  /** @see PodWords.storeDown */
  get storeDown(): boolean {
    return this.#words.storeDown;
  }

  /** @see PodWords.wrongKeys */
  get wrongKeys(): string | undefined {
    return this.#words.wrongKeys;
  }

  /** The last word of a pod's sidecar, if it answered when it was asked last. */
  saidBy(name: string): Hello | undefined {
    return this.#words.of(name);
  }

  /** What is known of a pod's health beyond its state; undefined: nothing was heard yet. */
  healthOf(name: string): PodHealth | undefined {
    return this.#watched.healthOf(name);
  }

  /** Ejections since the start, of all pods. */
  get ejections(): number {
    return this.#watched.ejections;
  }

  /**
   * What the source says now: all pods, each name once. Those that are new, or are somewhere else than before, are asked
   * at once.
   */
  list(pods: readonly ListedPod[]): void {
    if (this.#stopped) return;
    const first = !this.#watched.isListed;
    const changes = this.#watched.list(pods);
    for (const { name } of changes.removed) this.#forget(name);
    if (!first) {
      for (const { name } of changes.added) this.#newcomers.add(name);
      tellList(changes, this.set, this.#options.log);
    }
    this.#watched.tellPanic();
    const toTell = changes.turned.filter(isTerminating);
    if (this.#isStarted) void this.#askAll([...changes.added, ...changes.moved, ...toTell]);
  }

  /**
   * Begins to probe; resolves when each pod was asked once. The second round is spread over one interval, and so are
   * all that follow.
   */
  start(): Promise<void> {
    this.#isStarted = true;
    return this.#askAll(this.set.pods);
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
    return uid === '' ? undefined : this.set.pods.find((pod) => pod.uid === uid);
  }

  /** Pins are made with other keys from now on, and read with those that `digestsOf` knows. */
  pinKeysChanged(): void {
    this.#watched.redigest();
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
    const pod = this.set.byName.get(name);
    if (pod === undefined || this.#stopped) return undefined;
    this.#relearning.delete(name);
    const { hello, path, timeoutMs, intervalMs, clock } = this.#options;
    const askedAtMs = clock.monotonicMs();
    const terminating = this.#words.terminating(pod);
    const answer = await probe(pod.address, { timeoutMs, signer: hello, path, terminating });
    const present = this.set.byName.get(name);
    if (this.#isStopped() || present === undefined) return undefined;
    // Whoever answered, it is another pod by now, or elsewhere.
    if (!isSamePod(present, pod) || !isSamePlace(present, pod)) return 0;
    const isForeign = answer.kind === 'passed' && isForeignUid(this.set, present, answer.hello?.uid);
    const result = isForeign ? foreignAnswer : answer;
    // One that answers the first time it is asked has served before we came.
    const warm = !this.#asked.has(name) && !this.#newcomers.delete(name);
    this.#asked.add(name);
    this.#words.hear(name, result);
    if (result.kind === 'failed') {
      this.#hear(name, { kind: 'probe-failed', why: result.why, silent: result.silent === true });
      this.#tellSilence(name);
    } else {
      this.#passed(name, result.hello, warm);
    }
    // Until it has said who it is nothing can be signed for it, so it gets no session: it is asked often.
    // A terminating pod is told at once: its application may have less than a second left.
    const known = this.set.byName.get(name);
    const isUnknown = hello !== undefined && known !== undefined && (known.uid === '' || this.#words.isUntold(known));
    // A silence has used up its interval by itself: who waits at the pod waits for this.
    const isSilence = result.kind === 'failed' && result.silent === true;
    const usualMs = isSilence ? Math.max(0, intervalMs - (clock.monotonicMs() - askedAtMs)) : intervalMs * part;
    const askedAgainMs = isUnknown ? Math.min(relearnMs, intervalMs) : usualMs;
    return Math.min(askedAgainMs, this.#watched.ejectedForMs(name));
  }

  #tellSilence(name: string): void {
    const { rules, timeoutMs, clock, silent } = this.#options;
    const pod = this.set.byName.get(name);
    const health = this.#watched.healthOf(name);
    if (pod === undefined || health === undefined || !isSilent(health, rules)) return;
    // The questions that brought no answer took as long as this together, or longer.
    silent(pod, clock.monotonicMs() - Math.max(rules.fails * timeoutMs, silenceMinMs));
  }

  #passed(name: string, hello: Hello | undefined, warm: boolean): void {
    if (hello !== undefined) {
      this.#watched.identified(name, hello.uid);
      this.#hear(
        name,
        hello.draining ? { kind: 'draining', why: 'its sidecar is draining' } : { kind: 'not-draining' },
        warm,
      );
    }
    const current = this.set.byName.get(name);
    if (current !== undefined) delete current.load.refusedAtMs;
    this.#hear(name, { kind: 'probe-passed' }, warm);
  }

  #hear(name: string, event: HealthEvent, warm = false): void {
    this.#watched.hear(name, event, warm);
    const ejectedForMs = this.#watched.ejectedForMs(name);
    // An ejection ends by itself: the pod is asked at that moment, not an interval later.
    if (event.kind === 'refused' && ejectedForMs < Infinity) this.#turns.askAfter(name, ejectedForMs);
  }

  #forget(name: string): void {
    this.#turns.forget(name);
    this.#words.forget(name);
    this.#asked.delete(name);
    this.#newcomers.delete(name);
    this.#relearning.delete(name);
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}
