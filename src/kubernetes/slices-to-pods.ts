/**
 * From all slices of a Service to its pods: a pure fold, whose result does not depend on the order in which slices came.
 *
 * A pod may be in several slices: in one for each address family, in two while it moves, in one for each number that a
 * named port has in its pods. It is one pod all the same, by its uid, at one address. Once it is terminating it never
 * comes back, so one slice that says so is enough; for everything else the slice that was written last counts.
 *
 * Must not know how slices come here.
 */

import type { PodCondition } from '../pods/pod.ts';
import type { ListedPod } from '../pods/pod-set.ts';
import type { AddressFamily, Slice, SliceEndpoint } from './endpoint-slice.ts';

export interface FoldOptions {
  /** A port's name in the Service; a number is the pods' own, whatever slices say; undefined: the only one there is. */
  readonly port: string | number | undefined;
  /** The family of a pod that has addresses of both. */
  readonly family: AddressFamily;
}

/** Why endpoints are left out. */
export type SkipReason = 'no-port' | 'no-address' | 'too-many';

export interface FoldedPods {
  /** By name. */
  readonly pods: readonly ListedPod[];
  readonly skipped: ReadonlyMap<SkipReason, number>;
  /** Port names that slices have, for words about a missing one; a few. */
  readonly portNames: readonly string[];
}

/** One endpoint with what its slice says of it. */
interface Sighting {
  readonly name: string;
  readonly uid: string | undefined;
  readonly endpoint: SliceEndpoint;
  readonly port: number;
  readonly family: AddressFamily;
  readonly slice: Slice;
}

/** Pods that a gateway may have; more are left out, and counted. */
const podsMax = 10_000;
const portNamesMax = 10;

export function podsOf(slices: Iterable<Slice>, { port, family }: FoldOptions): FoldedPods {
  const skipped = new Map<SkipReason, number>([
    ['no-port', 0],
    ['no-address', 0],
    ['too-many', 0],
  ]);
  const skip = (reason: SkipReason, count: number): void =>
    void skipped.set(reason, (skipped.get(reason) ?? 0) + count);
  const portNames = new Set<string>();
  const byName = new Map<string, Sighting[]>();
  for (const slice of slices) {
    for (const { name } of slice.ports) if (portNames.size < portNamesMax) portNames.add(name);
    const number = portOf(slice, port);
    if (slice.family === undefined || number === undefined) {
      skip(slice.family === undefined ? 'no-address' : 'no-port', slice.endpoints.length);
      continue;
    }
    for (const endpoint of slice.endpoints) {
      const name = endpoint.pod?.name ?? endpoint.address;
      const sighting = { name, uid: endpoint.pod?.uid, endpoint, port: number, family: slice.family, slice };
      const known = byName.get(name);
      if (known === undefined) byName.set(name, [sighting]);
      else known.push(sighting);
    }
  }
  const names = [...byName.keys()].toSorted();
  skip('too-many', Math.max(0, names.length - podsMax));
  const pods = names.slice(0, podsMax).map((name) => podFrom(presentOf(byName.get(name)!), family));
  return { pods, skipped, portNames: [...portNames].toSorted() };
}

function portOf({ ports }: Slice, wanted: string | number | undefined): number | undefined {
  if (typeof wanted === 'number') return wanted;
  if (wanted === undefined) return ports.length === 1 ? ports[0]?.port : undefined;
  return ports.find(({ name }) => name === wanted)?.port;
}

/** Of two pods that had the same name one after the other (a StatefulSet's) the one that is there now. */
function presentOf(sightings: readonly Sighting[]): readonly Sighting[] {
  if (sightings.length === 1) return sightings;
  const groups = [...Map.groupBy(sightings, ({ uid }) => uid).values()];
  return groups.reduce((one, other) => {
    const oneLeaves = leaves(one);
    if (oneLeaves !== leaves(other)) return oneLeaves ? other : one;
    return compare(newestOf(one), newestOf(other)) >= 0 ? one : other;
  });
}

function leaves(sightings: readonly Sighting[]): boolean {
  return sightings.some(({ endpoint }) => endpoint.terminating);
}

function podFrom(sightings: readonly Sighting[], family: AddressFamily): ListedPod {
  const preferred = sightings.filter((sighting) => sighting.family === family);
  const newest = newestOf(preferred.length > 0 ? preferred : sightings);
  const { name, uid, endpoint, port } = newest;
  return {
    name,
    uid,
    address: { host: endpoint.address, port },
    condition: conditionOf(endpoint, leaves(sightings)),
    zone: endpoint.zone,
  };
}

/** `serving` and not `ready`: with publishNotReadyAddresses everything is ready. */
function conditionOf({ serving }: SliceEndpoint, terminating: boolean): PodCondition {
  if (terminating) return serving ? 'terminating' : 'ending';
  return serving ? 'ready' : 'not-ready';
}

function newestOf(sightings: readonly Sighting[]): Sighting {
  return sightings.reduce((one, other) => (compare(one, other) >= 0 ? one : other));
}

/** Above 0: the first was written later. Versions grow; where they are alike the rest decides, the same everywhere. */
function compare(one: Sighting, other: Sighting): number {
  return (
    one.slice.version.length - other.slice.version.length ||
    compareText(one.slice.version, other.slice.version) ||
    compareText(one.slice.name, other.slice.name) ||
    compareText(one.uid ?? '', other.uid ?? '') ||
    compareText(one.endpoint.address, other.endpoint.address)
  );
}

function compareText(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
