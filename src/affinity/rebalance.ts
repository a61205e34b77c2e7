/**
 * Evens out how many active sessions the pods have, as after a scale-up (`sessions.rebalance`): which request takes its
 * session along to a pod with fewer, and how many do. A gateway decides, because only it knows the pods and can send the
 * session's next requests to the new one; the owner's sidecar agrees or keeps the session; the store fences.
 *
 * The numbers are the sidecars' own, from their last hello. Between two of them what was moved since is added up, and a
 * pod gives away at most a quarter of its surplus, so that gateways which don't know of each other don't empty it
 * together. Nothing is moved from a pod within a tenth of the average, so that numbers which are even enough stay.
 *
 * Pure but for its own memory of the pods: no I/O, no timers.
 */

import { type Pod, shareOf } from '../pods/pod.ts';
import type { PodSet } from '../pods/pod-set.ts';
import { createRing, heaviest, type Ring } from './rendezvous.ts';
import type { SessionId } from './session-codec.ts';

export interface RebalanceOptions {
  /** The pod's last hello; its `active` is undefined where its sidecar takes no part. */
  readonly saidBy: (name: string) => { readonly active?: number | undefined } | undefined;
  /** `health.slowStart`: until it is over nothing is sent to a new pod for this. */
  readonly slowStartMs: number;
}

/** How long a look at all the pods is used. */
const planMs = 200;
/** Moves a second; each costs the store three calls and a pod one file. */
const movesPerSecond = 50;
const movesAtOnce = 10;
/** Above the average by more than this part, and by more than two: a pod with a surplus. */
const tolerance = 0.1;
const toleranceSessions = 2;
const partOfSurplus = 1 / 4;
/** An owner that keeps a session is left alone, at first so long, doubled each time up to the other. */
const keptPauseMs = 100;
const keptPauseMaxMs = 60_000;

/** What is known of one pod that takes part. */
interface PodShare {
  /** The word that its numbers come from. */
  said: object;
  /** Active sessions, with what was moved since that word. */
  active: number;
  /** What may still leave it before its next word. */
  mayLeave: number;
  /** Moves in a row that came to nothing. */
  kept: number;
  pausedUntilMs: number;
}

interface Plan {
  readonly untilMs: number;
  /** Names of the pods that have a surplus. */
  readonly over: ReadonlySet<string>;
  /** Pods below the average, in the order of `ring`. */
  readonly under: readonly Pod[];
  readonly ring: Ring;
  readonly average: number;
}

export class Rebalance {
  readonly #options: RebalanceOptions;
  #shares = new Map<string, PodShare>();
  #plan: Plan | undefined;
  #tokens = movesAtOnce;
  #tokensAtMs = -Infinity;
  /** Sessions that moved, and those that their pod kept. */
  readonly counters = { moved: 0, kept: 0 };

  constructor(options: RebalanceOptions) {
    this.#options = options;
  }

  /**
   * Where this request takes its session along; undefined: nowhere, as nearly always. A pod that is returned counts as
   * tried: settled() is told what became of it.
   */
  target(
    session: SessionId,
    home: Pod,
    { pods, nowMs }: { readonly pods: PodSet; readonly nowMs: number },
  ): Pod | undefined {
    const plan = this.#planAt(pods, nowMs);
    if (!plan.over.has(home.name)) return undefined;
    const share = this.#shares.get(home.name);
    if (share === undefined || share.mayLeave < 1 || share.pausedUntilMs > nowMs) return undefined;
    const index = heaviest(plan.ring, session, (each) => this.#hasRoom(plan, each));
    const target = index === -1 ? undefined : pods.byName.get(plan.under[index]!.name);
    if (target?.state !== 'ready' || target === home || !this.#takeToken(nowMs)) return undefined;
    share.mayLeave--;
    share.active--;
    this.#shares.get(target.name)!.active++;
    return target;
  }

  /** A session moved from `home` as target() said, or its owner kept it. */
  settled(home: string, moved: boolean, nowMs: number): void {
    this.counters[moved ? 'moved' : 'kept']++;
    const share = this.#shares.get(home);
    if (share === undefined) return;
    share.kept = moved ? 0 : share.kept + 1;
    if (!moved) share.pausedUntilMs = nowMs + Math.min(keptPauseMs * 2 ** Math.min(share.kept, 20), keptPauseMaxMs);
  }

  #hasRoom(plan: Plan, index: number): boolean {
    return (this.#shares.get(plan.under[index]!.name)?.active ?? Infinity) + 1 <= plan.average;
  }

  #planAt(pods: PodSet, nowMs: number): Plan {
    const plan = this.#plan;
    if (plan !== undefined && nowMs < plan.untilMs) return plan;
    this.#plan = this.#look(pods, nowMs);
    return this.#plan;
  }

  #look(pods: PodSet, nowMs: number): Plan {
    const { saidBy, slowStartMs } = this.#options;
    const shares = new Map<string, PodShare>();
    const taking: Pod[] = [];
    let sum = 0;
    for (const pod of pods.ready) {
      const said = saidBy(pod.name);
      if (said?.active === undefined) continue;
      const known = this.#shares.get(pod.name);
      const share: PodShare = known ?? { said: {}, active: 0, mayLeave: 0, kept: 0, pausedUntilMs: 0 };
      if (share.said !== said) Object.assign(share, { said, active: said.active, mayLeave: Infinity });
      shares.set(pod.name, share);
      taking.push(pod);
      sum += share.active;
    }
    this.#shares = shares;
    const average = taking.length === 0 ? 0 : sum / taking.length;
    const over = new Set<string>();
    for (const [name, share] of shares) {
      if (share.active <= average * (1 + tolerance) + toleranceSessions) continue;
      over.add(name);
      share.mayLeave = Math.min(share.mayLeave, Math.ceil((share.active - average) * partOfSurplus));
    }
    const under = taking.filter(
      (pod) => shares.get(pod.name)!.active + 1 <= average && shareOf(pod, { slowStartMs, nowMs }) === 1,
    );
    const ring = createRing(under.map((pod) => pod.name));
    return { untilMs: nowMs + planMs, over, under, ring, average };
  }

  #takeToken(nowMs: number): boolean {
    const gained = ((nowMs - this.#tokensAtMs) * movesPerSecond) / 1000;
    this.#tokens = Math.min(movesAtOnce, this.#tokens + gained);
    this.#tokensAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
