/**
 * The decision: which pods may serve an exchange, in which order, and why (rules 1, 7, 22, 23, 27, 30, 31).
 *
 * A session has a home: the pod its pin, the pin table or the store names, by the newest term. The exchange goes
 * there, unless the home is gone or its sessions have to leave; then to the other pods in the order that every
 * gateway computes alike, with the word that tells the new pod's sidecar to take the session over. Candidates are
 * found one at a time: nearly every exchange needs only the first.
 *
 * Pure: no I/O, no timers, no memory beyond the one exchange.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import { type Pod, shareOf } from '../pods/pod.ts';
import type { PodSet } from '../pods/pod-set.ts';
import { leastLoaded } from './least-loaded.ts';
import type { AffinityOutcome } from './outcome.ts';
import type { PinReading } from './pin-cookie.ts';
import type { TableEntry } from './pin-table.ts';
import type { Rebalance } from './rebalance.ts';
import { createRing, heaviest, type Ring } from './rendezvous.ts';
import type { SessionId } from './session-codec.ts';

/** The signed word of a planned move, for the sidecar that gets the session (rules 1). */
export type MoveWord = 'draining' | 'unhealthy' | 'gone';

export type PickReason = 'pin' | 'table' | 'owner' | 'hint' | 'hash' | 'balance' | 'rebalance';

export interface Pick {
  readonly pod: Pod;
  readonly reason: PickReason;
  /** The exchange's outcome if this pod serves, before the answer is seen; outcomeOf() has the last word. */
  readonly outcome: AffinityOutcome;
  /** To be signed for the pod's sidecar; always undefined for bare applications. */
  readonly move: MoveWord | 'rebalance' | undefined;
  /** Beside 'rebalance': the name of the pod that is to give the session, and serves if it does not. */
  readonly from?: string;
}

export type PickStep =
  | { readonly kind: 'pick'; readonly pick: Pick }
  /** `endPin`: the answer ends the pin (rules 31). `tried`: how many pods were picked before. */
  | { readonly kind: 'none'; readonly reason: CloseReason; readonly endPin: boolean; readonly tried: number };

/** Why the last pick did not serve. `unreachable`: refused, or not connected in time. The others: `unsent; ...`. */
export type PickFailure = 'unreachable' | 'draining' | 'not-here' | 'other';

export interface ChoiceInput {
  readonly session: SessionId | undefined;
  readonly pin: PinReading;
  readonly entry: TableEntry | undefined;
  /** The store's word, as far as it was asked in time; same shape as a table entry. */
  readonly owner: TableEntry | undefined;
  readonly pods: PodSet;
  readonly strict: boolean;
  /** The pods are sidecars with keepers: a session can follow. */
  readonly sidecars: boolean;
  /** Sidecars report the store down: nothing moves as long as its pod takes it (rules 7). */
  readonly storeDown: boolean;
  /** Evens out the pods; undefined: nobody does. */
  readonly rebalance: Rebalance | undefined;
  /** `affinity.boundedLoad`, a factor of the average load. */
  readonly boundedLoad: number;
  /** `health.slowStart`; 0: none. */
  readonly slowStartMs: number;
  /** [0, 1) */
  readonly random: () => number;
  /** Monotonic. */
  readonly nowMs: number;
}

/** Where a session lives. Pod undefined: it is gone. */
interface Home {
  readonly pod: Pod | undefined;
  readonly reason: 'pin' | 'table' | 'owner';
}

/** Ready; ready, but refused a connection just now; draining; unhealthy. */
type Rank = 0 | 1 | 2 | 3;
const ranks: readonly Rank[] = [0, 1, 2, 3];

const refusedForMs = 1000;

/** The ring of each list of names: they are hashed once, however often the pods' states change. */
const rings = new WeakMap<PodSet['names'], Ring>();

/** The candidates of one exchange, in order. */
export class PodChoice {
  readonly #input: ChoiceInput;
  readonly #home: Home | undefined;
  readonly #picked: Pod[] = [];
  /** Of them, those that looked healthy and did not take the connection. */
  #unreachable = 0;
  /** Why the session leaves its home; undefined: it has none, or stays. */
  #move: MoveWord | undefined;

  constructor(input: ChoiceInput) {
    this.#input = input;
    this.#home = homeOf(input);
    this.#move = this.#home === undefined ? undefined : moveFrom(this.#home.pod);
  }

  /** The first candidate (no argument), then the next one after each that did not serve. */
  next(failure?: PickFailure): PickStep {
    const { session, pods, strict, sidecars } = this.#input;
    if (failure !== undefined) this.#learn(failure);
    if (pods.pods.length === 0) return this.#none('no-pods');
    if (session === undefined) return this.#balanced();

    const home = this.#home;
    if (home === undefined) return this.#elsewhere();
    if (home.pod === undefined) {
      return strict && !sidecars ? this.#none('pod-not-available', true) : this.#elsewhere();
    }
    if (strict && this.#move !== undefined) return this.#none('pod-not-available');
    if (this.#picked.includes(home.pod)) return this.#elsewhere();
    if (failure === 'not-here' || this.#staysHome(home.pod)) {
      return this.#evenedOut(session, home.pod) ?? this.#pickHome(home.pod, home.reason);
    }
    // A pod that is going away, or is unhealthy, still knows its session better than another one like it.
    const step = this.#elsewhere(1);
    return step.kind === 'none' ? this.#pickHome(home.pod, home.reason) : step;
  }

  /** Whether the home is asked before any other pod, in whatever state it is. */
  #staysHome(pod: Pod): boolean {
    return pod.state === 'ready' || !this.#input.sidecars || this.#input.storeDown;
  }

  #learn(failure: PickFailure): void {
    if (failure === 'unreachable' && this.#picked.at(-1)?.state !== 'unhealthy') this.#unreachable++;
    if (this.#picked.at(-1) !== this.#home?.pod || this.#home?.pod === undefined) return;
    if (failure === 'draining') this.#move = 'draining';
    else this.#move ??= 'unhealthy';
  }

  /** The first pick of a session that is well where it is: now and then a pod with fewer, which its home may give it to. */
  #evenedOut(session: SessionId, home: Pod): PickStep | undefined {
    const { rebalance, strict, storeDown } = this.#input;
    if (rebalance === undefined || strict || storeDown || home.state !== 'ready' || this.#picked.length > 0) {
      return undefined;
    }
    const pod = rebalance.target(session, home, this.#input);
    if (pod === undefined) return undefined;
    return this.#pick({ pod, reason: 'rebalance', outcome: 'hit', move: 'rebalance', from: home.name });
  }

  #pickHome(pod: Pod, reason: PickReason): PickStep {
    return this.#pick({ pod, reason, outcome: 'hit', move: undefined });
  }

  #elsewhere(rankMax: Rank = 3): PickStep {
    const { pin, pods, sidecars } = this.#input;
    const outcome = this.#outcomeElsewhere();
    const move = sidecars ? this.#move : undefined;
    if (this.#home === undefined && pin.kind === 'hint') {
      const hinted = pods.byDigest.get(pin.pod);
      if (hinted?.state === 'ready' && !this.#picked.includes(hinted)) {
        return this.#pick({ pod: hinted, reason: 'hint', outcome, move });
      }
    }
    const pod = this.#heaviest(rankMax);
    return pod === undefined ? this.#none('no-pod-ready') : this.#pick({ pod, reason: 'hash', outcome, move });
  }

  #outcomeElsewhere(): AffinityOutcome {
    if (this.#move !== undefined) return `moved-${this.#move}`;
    const { kind } = this.#input.pin;
    return kind === 'invalid' || kind === 'hint' ? 'invalid' : 'expired';
  }

  /** The next pod in rendezvous order, from the best class that still has one. */
  #heaviest(rankMax: Rank): Pod | undefined {
    const { session, pods } = this.#input;
    const ring = ringOf(pods);
    for (const rank of ranks) {
      if (rank > rankMax) break;
      const index = heaviest(ring, session ?? '', (each) => this.#rankOf(pods.pods[each]!) === rank);
      if (index !== -1) return pods.pods[index];
    }
    return undefined;
  }

  #balanced(): PickStep {
    const { pods, boundedLoad, random, slowStartMs, nowMs } = this.#input;
    const someWarmUp = nowMs - pods.warmingSinceMs < slowStartMs;
    for (const rank of ranks) {
      const inBest = rank === 0;
      const pod = leastLoaded(inBest ? pods.ready : pods.pods, {
        isEligible: (each) => this.#rankOf(each) === rank,
        inFlight: inBest ? pods.readyLoad.inFlight : undefined,
        boundedLoad,
        random,
        shareOf: someWarmUp ? (each) => shareOf(each, { slowStartMs, nowMs }) : undefined,
      });
      if (pod !== undefined) return this.#pick({ pod, reason: 'balance', outcome: 'none', move: undefined });
    }
    return this.#none('no-pod-ready');
  }

  /**
   * The class in which a pod comes for a session that is not at home there; undefined: not at all. A draining pod
   * is better than none: the last one of a rollout still serves. Unhealthy ones come only in a panic.
   */
  #rankOf(pod: Pod): Rank | undefined {
    const { nowMs } = this.#input;
    if (this.#picked.includes(pod) || pod === this.#home?.pod) return undefined;
    if (pod.state === 'ready') {
      const { refusedAtMs } = pod.load;
      return refusedAtMs !== undefined && nowMs - refusedAtMs < refusedForMs ? 1 : 0;
    }
    if (pod.state === 'draining') return 2;
    return this.#panic ? 3 : undefined;
  }

  /** More than half look unhealthy (rules 31), those that this exchange has just found so included. */
  get #panic(): boolean {
    const { panic, unhealthy, pods } = this.#input.pods;
    return panic || (unhealthy.length + this.#unreachable) * 2 > pods.length;
  }

  #pick(pick: Pick): PickStep {
    this.#picked.push(pick.pod);
    return { kind: 'pick', pick };
  }

  #none(reason: CloseReason, endPin = false): PickStep {
    return { kind: 'none', reason, endPin, tried: this.#picked.length };
  }
}

/**
 * The outcome once the answer's head is there. A sidecar that fetched the session, or did not find it, knows
 * better than the gateway; and what was hashed for want of knowledge was at home if the sidecar says so.
 * @param sidecar the outcome the sidecar's answer named; undefined: a bare application
 * @param isSet the answer sets the session's cookie
 */
export function outcomeOf(
  picked: AffinityOutcome,
  { sidecar, isSet }: { readonly sidecar: AffinityOutcome | undefined; readonly isSet: boolean },
): AffinityOutcome {
  if (picked === 'none') return isSet ? 'new' : 'none';
  if (sidecar === 'restored' || sidecar === 'restore-failed' || sidecar === 'expired') return sidecar;
  return picked === 'expired' && sidecar === 'hit' ? 'hit' : picked;
}

/** The newest term wins; where terms are equal, the pin before the table before the store (rules 23). */
function homeOf({ session, pin, entry, owner, pods }: ChoiceInput): Home | undefined {
  if (session === undefined) return undefined;
  const epoch = pin.kind === 'valid' ? pin.epoch : -1;
  const told = owner !== undefined && owner.epoch > (entry?.epoch ?? -1) ? owner : entry;
  if (told !== undefined && told.epoch > epoch) {
    return { pod: podOf(pods, told), reason: told === owner ? 'owner' : 'table' };
  }
  if (pin.kind !== 'valid') return undefined;
  const pod = pods.byDigest.get(pin.pod);
  return { pod: pod?.state === 'gone' ? undefined : pod, reason: 'pin' };
}

/** The pod of an identity. While a pod has not told its uid its name has to do. */
function podOf(pods: PodSet, { pod: { name, uid } }: TableEntry): Pod | undefined {
  const pod = pods.byName.get(name);
  return pod !== undefined && (pod.uid === uid || pod.uid === '' || uid === '') ? pod : undefined;
}

/** Why a session leaves its home, or would if it may not; undefined: no reason. */
function moveFrom(pod: Pod | undefined): MoveWord | undefined {
  if (pod === undefined) return 'gone';
  return pod.state === 'ready' ? undefined : pod.state;
}

function ringOf({ names }: PodSet): Ring {
  let ring = rings.get(names);
  if (ring === undefined) {
    ring = createRing(names);
    rings.set(names, ring);
  }
  return ring;
}
