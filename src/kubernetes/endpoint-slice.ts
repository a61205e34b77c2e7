/**
 * One EndpointSlice (discovery.k8s.io/v1) as it is kept: only what leads to pods. What the API server sends is read
 * field by field, and what is not as documented is left out, so that one odd object costs nothing but itself.
 *
 * Must not know how slices come here, nor what follows from several of them.
 */

import { field, text } from './object-fields.ts';

export type AddressFamily = 'IPv4' | 'IPv6';

export interface Slice {
  readonly name: string;
  /** Of its last change; only compared. */
  readonly version: string;
  /** Undefined: FQDN, or a family that did not exist yet. */
  readonly family: AddressFamily | undefined;
  /** TCP ports only. A name is '' where the Service's port has none. */
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SliceEndpoint {
  /** The first of its addresses: the others have no meaning any more (KEP-752). */
  readonly address: string;
  /** The pod's own name and uid; undefined: the slice was not made from pods. */
  readonly pod: { readonly name: string; readonly uid: string } | undefined;
  readonly ready: boolean;
  /** Its readiness probe passes, whether it is terminating or not. */
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zone: string | undefined;
}

/** What the API allows in one slice. */
const endpointsMax = 1000;
const portsMax = 100;

/** Undefined: it is no EndpointSlice. */
export function readSlice(object: unknown): Slice | undefined {
  const metadata = field(object, 'metadata');
  const name = text(field(metadata, 'name'));
  if (name === undefined) return undefined;
  const type = field(object, 'addressType');
  return {
    name,
    version: text(field(metadata, 'resourceVersion')) ?? '',
    family: type === 'IPv4' || type === 'IPv6' ? type : undefined,
    ports: list(field(object, 'ports'), portsMax).flatMap(readPort),
    endpoints: list(field(object, 'endpoints'), endpointsMax).flatMap(readEndpoint),
  };
}

/** Its name alone, of one that was deleted. */
export function nameOfSlice(object: unknown): string | undefined {
  return text(field(field(object, 'metadata'), 'name'));
}

/** The version up to which a list or a bookmark tells everything. */
export function versionOf(object: unknown): string | undefined {
  const version = text(field(field(object, 'metadata'), 'resourceVersion'));
  return version === '' ? undefined : version;
}

function list(value: unknown, max: number): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, max) : [];
}

function readPort(object: unknown): Slice['ports'] {
  const port = field(object, 'port');
  const protocol = field(object, 'protocol') ?? 'TCP';
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return [];
  return protocol === 'TCP' ? [{ name: text(field(object, 'name')) ?? '', port }] : [];
}

function readEndpoint(object: unknown): readonly SliceEndpoint[] {
  const address = text(list(field(object, 'addresses'), 1)[0]);
  if (address === undefined) return [];
  const conditions = field(object, 'conditions');
  const terminating = field(conditions, 'terminating') === true;
  // Unknown is true; and `serving` is `ready` where nobody says otherwise.
  const ready = field(conditions, 'ready') !== false;
  const serving = field(conditions, 'serving') ?? ready;
  const target = field(object, 'targetRef');
  const name = field(target, 'kind') === 'Pod' ? text(field(target, 'name')) : undefined;
  const uid = text(field(target, 'uid'));
  return [
    {
      address,
      pod: name === undefined || uid === undefined ? undefined : { name, uid },
      ready,
      serving: serving !== false,
      terminating,
      zone: text(field(object, 'zone')),
    },
  ];
}
