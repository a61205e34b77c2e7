/**
 * All pods of the application at one moment. Immutable: each change makes a new set, so that an exchange decides on
 * what it saw first. Pods keep their load object from set to set.
 *
 * Pods that left are remembered as gone, bounded, so that a pin of one still tells its name.
 *
 * Must not know where pods come from, why their state changes, nor what pins look like.
 */

import type { Address } from '../base/address.ts';
import type { LoadSum, Pod, PodState } from './pod.ts';

/** Digests under which pins may name a pod. */
export type PodDigests = (name: string, uid: string) => readonly string[];

/** A pod as a source lists it. */
export interface ListedPod {
  readonly name: string;
  readonly address: Address;
  /** Undefined: the source doesn't know it; what was learned by withUid() stays. */
  readonly uid?: string;
  /** It is terminating, whatever else is said of it. */
  readonly terminating?: boolean;
}

export interface PodSet {
  /** Every pod but those gone, by name. */
  readonly pods: readonly Pod[];
  readonly ready: readonly Pod[];
  /** Of the ready ones together; kept only in the newest set. */
  readonly readyLoad: Readonly<LoadSum>;
  readonly draining: readonly Pod[];
  readonly unhealthy: readonly Pod[];
  /** More than half look unhealthy: perhaps it is us who can't see (rules 31). */
  readonly panic: boolean;
  /** When the last of the ready pods began to warm up, monotonic; -Infinity: none does. */
  readonly warmingSinceMs: number;
  /** The newest first. */
  readonly gone: readonly Pod[];
  readonly byName: ReadonlyMap<string, Pod>;
  /** Gone ones too. */
  readonly byDigest: ReadonlyMap<string, Pod>;
  readonly digestsOf: PodDigests;
}

/** The state of a pod whose source says that it is terminating. */
export const terminatingVerdict = { state: 'draining', why: 'terminating' } as const;
/** Pods remembered after they left. */
const goneMax = 256;

export function emptyPodSet(digestsOf: PodDigests): PodSet {
  return build([], [], digestsOf);
}

/**
 * The set after a source listed its pods: all of them, each name once. A pod with a known name and the same (or no)
 * uid stays the pod it was; another uid is another pod, and the old one is gone.
 */
export function withPods(set: PodSet, list: readonly ListedPod[]): PodSet {
  const pods: Pod[] = [];
  const kept = new Set<Pod>();
  for (const listed of list) {
    const known = set.byName.get(listed.name);
    if (known !== undefined && (listed.uid === undefined || known.uid === '' || known.uid === listed.uid)) {
      kept.add(known);
      pods.push(renewed(known, listed));
    } else {
      pods.push(renewed(newPod(listed.name, listed.uid ?? '', listed.address), listed));
    }
  }
  const left = set.pods.filter((pod) => !kept.has(pod)).map(asGone);
  return build(pods, [...left, ...set.gone], set.digestsOf);
}

/**
 * The set after a pod told its uid. Another one than before: another pod, ready since `nowMs` and cold, with no load yet.
 */
export function withUid(set: PodSet, name: string, uid: string, nowMs: number): PodSet {
  const known = set.byName.get(name);
  if (known === undefined || known.uid === uid) return set;
  if (known.uid === '') return replaced(set, known, { ...known, uid });
  const others = set.pods.filter((pod) => pod !== known);
  const other: Pod = { ...newPod(name, uid, known.address), sinceMs: nowMs, warmingSinceMs: nowMs };
  return build([...others, other], [asGone(known), ...set.gone], set.digestsOf);
}

/**
 * The set after a pod's state changed, at `nowMs`; the same set where it did not. `warm`: a pod that was unhealthy and is
 * ready now needs no slow start.
 */
export function withState(
  set: PodSet,
  name: string,
  { state, why }: { readonly state: Exclude<PodState, 'gone'>; readonly why: string },
  { nowMs, warm }: { readonly nowMs: number; readonly warm: boolean },
): PodSet {
  const known = set.byName.get(name);
  if (known === undefined || (known.state === state && known.why === why)) return set;
  if (known.state === state) return replaced(set, known, { ...known, why });
  const warmingSinceMs = known.state === 'unhealthy' && state === 'ready' && !warm ? nowMs : undefined;
  return replaced(set, known, { ...known, state, why, sinceMs: nowMs, warmingSinceMs });
}

function build(pods: readonly Pod[], gone: readonly Pod[], digestsOf: PodDigests): PodSet {
  const sorted = pods.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const present = new Set(sorted.map(identity));
  const remembered = gone.filter((pod) => !present.has(identity(pod))).slice(0, goneMax);
  const byDigest = new Map<string, Pod>();
  for (const pod of [...remembered, ...sorted]) {
    for (const digest of digestsOf(pod.name, pod.uid)) byDigest.set(digest, pod);
  }
  const ready = sorted.filter((pod) => pod.state === 'ready');
  const unhealthy = sorted.filter((pod) => pod.state === 'unhealthy');
  return {
    pods: sorted,
    ready,
    readyLoad: summed(ready, [...remembered, ...sorted]),
    draining: sorted.filter((pod) => pod.state === 'draining'),
    unhealthy,
    panic: unhealthy.length * 2 > sorted.length,
    warmingSinceMs: ready.reduce((last, pod) => Math.max(last, pod.warmingSinceMs ?? -Infinity), -Infinity),
    gone: remembered,
    byName: new Map(sorted.map((pod) => [pod.name, pod])),
    byDigest,
    digestsOf,
  };
}

/** The sum of the ready pods' loads, which they keep from now on; no other of the pods counts in it. */
function summed(ready: readonly Pod[], all: readonly Pod[]): LoadSum {
  const sum: LoadSum = { inFlight: 0 };
  for (const { load } of all) load.sum = undefined;
  for (const { load } of ready) {
    load.sum = sum;
    sum.inFlight += load.inFlight;
  }
  return sum;
}

function replaced(set: PodSet, old: Pod, by: Pod): PodSet {
  return build(
    set.pods.map((pod) => (pod === old ? by : pod)),
    set.gone,
    set.digestsOf,
  );
}

function newPod(name: string, uid: string, address: Address): Pod {
  return {
    name,
    uid,
    address,
    terminating: false,
    state: 'ready',
    why: 'listed',
    sinceMs: 0,
    warmingSinceMs: undefined,
    load: { inFlight: 0 },
  };
}

function renewed(pod: Pod, { address, uid, terminating = false }: ListedPod): Pod {
  const same = { ...pod, address, terminating, uid: uid ?? pod.uid };
  return terminating ? { ...same, ...terminatingVerdict } : same;
}

function asGone(pod: Pod): Pod {
  return { ...pod, state: 'gone', why: 'no longer listed' };
}

function identity(pod: Pod): string {
  return `${pod.name}\n${pod.uid}`;
}
