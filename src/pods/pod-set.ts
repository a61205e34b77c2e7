/**
 * All pods of the application at one moment. Immutable: each change makes a new set, so that an exchange decides on
 * what it saw first. Pods keep their load object from set to set.
 *
 * Pods that left are remembered as gone, bounded, so that a pin of one still tells its name.
 *
 * Must not know where pods come from, why their state changes, nor what pins look like.
 */

import type { Address } from '../base/address.ts';
import type { LoadSum, Pod, PodCondition, PodVerdict } from './pod.ts';
import { conditionVerdict } from './pod-verdict.ts';

/** Digests under which pins may name a pod. */
export type PodDigests = (name: string, uid: string) => readonly string[];

/** A pod as a source lists it. */
export interface ListedPod {
  readonly name: string;
  readonly address: Address;
  /** Undefined: the source doesn't know it; what was learned by withUid() stays. Another one is another pod. */
  readonly uid?: string | undefined;
  /** By default ready. */
  readonly condition?: PodCondition;
  readonly zone?: string | undefined;
}

/** How a list is taken in. */
export interface Listing {
  /** The state of each pod of the list, as it is by now. */
  readonly verdictOf: (pod: Pod) => PodVerdict;
  /** Pods tell their uids themselves (withUid()); the list's only say which pod is another one. */
  readonly tellUids: boolean;
  /** Nobody listed pods before: those of the list have served before we came, and are warm. */
  readonly first: boolean;
  /** Monotonic. */
  readonly nowMs: number;
}

export interface PodSet {
  /** Every pod but those gone, by name. */
  readonly pods: readonly Pod[];
  /** Their names, in the same order; the same list in all sets that have the same names. */
  readonly names: readonly string[];
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
  return build([], [], { digestsOf, names: [] });
}

/**
 * The set after a source listed its pods: all of them, each name once. A pod with a known name and the same (or no)
 * uid stays the pod it was, and so does one that is listed again under its uid after it was gone for a moment; another
 * uid is another pod, and the old one is gone.
 */
export function withPods(set: PodSet, list: readonly ListedPod[], listing: Listing = believed): PodSet {
  const { verdictOf, tellUids, first, nowMs } = listing;
  const kept = new Set<Pod>();
  const pods = list.map((listed) => {
    const known = knownAs(set, listed);
    if (known !== undefined) kept.add(known);
    const warmingSinceMs = first ? undefined : nowMs;
    const fresh = { ...newPod(listed.name, tellUids ? '' : (listed.uid ?? ''), nowMs), warmingSinceMs };
    const pod = renewed(known ?? fresh, listed);
    return moved(pod, verdictOf(pod), { nowMs, warm: false });
  });
  const left = set.pods.filter((pod) => !kept.has(pod)).map(asGone);
  return build(pods, [...left, ...set.gone], set);
}

/**
 * The set after a pod told its uid. Another one than before: another pod, ready since `nowMs` and cold, with no load yet.
 */
export function withUid(set: PodSet, name: string, uid: string, nowMs: number): PodSet {
  const known = set.byName.get(name);
  if (known === undefined || known.uid === uid) return set;
  if (known.uid === '') return replaced(set, known, { ...known, uid });
  const others = set.pods.filter((pod) => pod !== known);
  const { address, listedUid, condition, zone } = known;
  const fresh = newPod(name, uid, nowMs);
  const other: Pod = { ...fresh, address, listedUid, condition, zone, warmingSinceMs: nowMs };
  return build([...others, other], [asGone(known), ...set.gone], set);
}

/**
 * Whether the uid that a pod's address tells is certainly not the pod's: it has called itself as its source does, or
 * another pod is listed under this uid. A sidecar that never did may make its own uids (rules 28).
 */
export function isForeignUid(set: PodSet, pod: Pod, uid: string | undefined): boolean {
  if (uid === undefined || pod.listedUid === undefined || uid === pod.listedUid) return false;
  return pod.uid === pod.listedUid || set.pods.some(({ listedUid }) => listedUid === uid);
}

/**
 * The set after a pod's state changed, at `nowMs`; the same set where it did not. `warm`: a pod that was unhealthy and is
 * ready now needs no slow start.
 */
export function withState(
  set: PodSet,
  name: string,
  verdict: PodVerdict,
  at: { readonly nowMs: number; readonly warm: boolean },
): PodSet {
  const known = set.byName.get(name);
  if (known === undefined) return set;
  const after = moved(known, verdict, at);
  return after === known ? set : replaced(set, known, after);
}

/** The same pods after the digests of all have changed: the keys that make them have. */
export function redigested(set: PodSet): PodSet {
  return build(set.pods, set.gone, set);
}

/** What a source says, where nobody else says anything. */
const believed: Listing = {
  verdictOf: (pod) => conditionVerdict(pod) ?? { state: pod.state === 'gone' ? 'ready' : pod.state, why: pod.why },
  tellUids: false,
  first: true,
  nowMs: 0,
};

function knownAs(set: PodSet, { name, uid }: ListedPod): Pod | undefined {
  const known = set.byName.get(name);
  if (known !== undefined) return uid === undefined || (known.listedUid ?? uid) === uid ? known : undefined;
  return uid === undefined ? undefined : set.gone.find((pod) => pod.name === name && pod.listedUid === uid);
}

/** The pod in another state; the same one where nothing changes. */
function moved(
  pod: Pod,
  { state, why }: PodVerdict,
  { nowMs, warm }: { readonly nowMs: number; readonly warm: boolean },
): Pod {
  if (pod.state === state) return pod.why === why ? pod : { ...pod, why };
  const warmingSinceMs = pod.state === 'unhealthy' && state === 'ready' && !warm ? nowMs : undefined;
  return { ...pod, state, why, sinceMs: nowMs, warmingSinceMs };
}

function build(pods: readonly Pod[], gone: readonly Pod[], before: Pick<PodSet, 'digestsOf' | 'names'>): PodSet {
  const { digestsOf } = before;
  const sorted = pods.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const present = new Set(sorted.map(identity));
  const remembered = gone.filter((pod) => !present.has(identity(pod))).slice(0, goneMax);
  const byDigest = new Map<string, Pod>();
  for (const pod of [...remembered, ...sorted]) {
    for (const digest of digestsOf(pod.name, pod.uid)) byDigest.set(digest, pod);
  }
  const byName = new Map(sorted.map((pod) => [pod.name, pod]));
  return byState(sorted, { names: namesOf(sorted, before.names), gone: remembered, byName, byDigest, digestsOf });
}

/** What follows from the pods' states. */
function byState(
  pods: readonly Pod[],
  known: Pick<PodSet, 'names' | 'gone' | 'byName' | 'byDigest' | 'digestsOf'>,
): PodSet {
  const ready = pods.filter((pod) => pod.state === 'ready');
  const unhealthy = pods.filter((pod) => pod.state === 'unhealthy');
  return {
    ...known,
    pods,
    ready,
    readyLoad: summed(ready, [...known.gone, ...pods]),
    draining: pods.filter((pod) => pod.state === 'draining'),
    unhealthy,
    panic: unhealthy.length * 2 > pods.length,
    warmingSinceMs: ready.reduce((last, pod) => Math.max(last, pod.warmingSinceMs ?? -Infinity), -Infinity),
  };
}

/** The same list as before where the pods have the same names: what is computed from it stays good. */
function namesOf(sorted: readonly Pod[], before: readonly string[]): readonly string[] {
  const isSame = sorted.length === before.length && sorted.every(({ name }, index) => name === before[index]);
  return isSame ? before : sorted.map(({ name }) => name);
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

/** With another snapshot of one pod; nobody is sorted or hashed for it. */
function replaced(set: PodSet, old: Pod, by: Pod): PodSet {
  const pods = set.pods.map((pod) => (pod === old ? by : pod));
  const byName = new Map(set.byName).set(by.name, by);
  const byDigest = new Map(set.byDigest);
  if (old.uid !== by.uid) for (const digest of set.digestsOf(old.name, old.uid)) byDigest.delete(digest);
  for (const digest of set.digestsOf(by.name, by.uid)) byDigest.set(digest, by);
  return byState(pods, { ...set, byName, byDigest });
}

function newPod(name: string, uid: string, nowMs: number): Pod {
  return {
    name,
    uid,
    listedUid: undefined,
    address: nowhere,
    condition: 'ready',
    zone: undefined,
    state: 'ready',
    why: 'listed',
    sinceMs: nowMs,
    warmingSinceMs: undefined,
    load: { inFlight: 0 },
  };
}

/** Until the list is read. */
const nowhere: Address = { host: '', port: 0 };

function renewed(pod: Pod, { address, uid, condition = 'ready', zone }: ListedPod): Pod {
  return { ...pod, address, listedUid: uid ?? pod.listedUid, condition, zone };
}

function asGone(pod: Pod): Pod {
  return { ...pod, state: 'gone', why: 'no longer listed' };
}

function identity(pod: Pod): string {
  return `${pod.name}\n${pod.uid}`;
}
