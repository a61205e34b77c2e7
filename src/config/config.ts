/**
 * The configuration as the rest of the program reads it: base units, no defaults left open, secrets as bytes,
 * one shape for each role.
 *
 * Must not know where values came from.
 */

import type { Address } from '../base/address.ts';
import type { Secrets } from '../base/keyring.ts';
import type { Limits, Timeouts } from '../base/limits.ts';
import type { Preset } from '../affinity/session-codec.ts';
import type { ListenPlace } from '../proxy/listen-place.ts';
import type { Keys } from './schema.ts';

export type Place =
  { readonly kind: 'tcp'; readonly address: Address } | { readonly kind: 'unix'; readonly path: string };

export interface SessionConfig {
  readonly preset: Preset;
  /** Undefined: preset laravel finds it by decoding. */
  readonly cookie: string | undefined;
  /** Laravel: the decoded keys (16 or 32 bytes). Others: the secret's bytes. The newest first. */
  readonly keys: readonly Buffer[];
  readonly lifetimeMs: number;
}

export interface StoreConfig {
  readonly kind: 'memory' | 'redis';
  /** May hold a password: never for a log. */
  readonly url: string;
  /** The url without what must not be shown. */
  readonly shownUrl: string;
  /** Undefined only for a gateway before bare applications. */
  readonly keys: Secrets | undefined;
  /** Names sessions in the store; undefined exactly where `keys` is. */
  readonly nameKey: Buffer | undefined;
  readonly prefix: string;
  readonly tls: Keys['store']['tls'];
  /** Who we are to the sentinels. */
  readonly sentinel: Keys['store']['sentinel'];
  /** Undefined: writes wait for no replica. */
  readonly wait: { readonly replicas: number; readonly timeoutMs: number } | undefined;
}

interface CommonConfig {
  /** A sidecar's first plain one is the one whose port other pods are told. */
  readonly listen: readonly [ListenPlace, ...ListenPlace[]];
  readonly admin: {
    /** Undefined: off. */
    readonly place: Place | undefined;
    /** Nobody asked for this place: if it can't be taken, a warning is enough (rules 37). */
    readonly byDefault: boolean;
    readonly token: string | undefined;
  };
  readonly probes: Address | undefined;
  /** Networks (CIDR) or addresses. */
  readonly trustedProxies: readonly string[];
  readonly session: SessionConfig;
  readonly store: StoreConfig;
  readonly log: Keys['log'];
  readonly timeouts: Timeouts;
  readonly limits: Limits;
}

export interface NamedAddress {
  readonly name: string;
  readonly address: Address;
}

/** Where a gateway learns who its pods are. */
export type PodsPlace =
  | { readonly kind: 'static'; readonly pods: readonly NamedAddress[] }
  /** A name, and the port of every address it has. */
  | { readonly kind: 'dns'; readonly host: string; readonly port: number }
  | {
      readonly kind: 'kubernetes';
      /** Undefined: the gateway's own. */
      readonly namespace: string | undefined;
      readonly service: string;
      /** A name in the Service, or a number at the pods; undefined: the only one there is. */
      readonly port: string | number | undefined;
      /** Each pod is annotated with the number of its sessions. */
      readonly deletionCost: boolean;
    };

export interface GatewayConfig extends CommonConfig {
  readonly role: 'gateway';
  readonly pods: { readonly place: PodsPlace; readonly sidecars: boolean };
  readonly affinity: {
    readonly pin: 'cookie' | 'table';
    /** `affinity.pinKey`, else the store's keys (each purpose derives its own from them); undefined: pin is table. */
    readonly pinKeys: Secrets | undefined;
    /** The pin cookie's name; undefined: `hf_` and a hash. */
    readonly cookie: string | undefined;
    readonly boundedLoad: number;
    readonly strict: boolean;
  };
  /** Processes that share the listeners. */
  readonly workers: number;
  readonly health: {
    readonly intervalMs: number;
    readonly fails: number;
    readonly passes: number;
    readonly path: string | undefined;
    /** 0: none. */
    readonly slowStartMs: number;
  };
}

export interface SidecarConfig extends CommonConfig {
  readonly role: 'sidecar';
  readonly store: StoreConfig & { readonly keys: Secrets; readonly nameKey: Buffer };
  readonly pod: { readonly name: string; readonly uid: string | undefined };
  readonly peer: { readonly listen: Address; readonly advertise: Address };
  readonly application: Address;
  readonly sessions: {
    readonly directory: string;
    /** Where the notes are; undefined: `.holdfast` in the directory. */
    readonly notes: string | undefined;
    readonly replicate: 'sync' | 'async';
    readonly onStoreDown: 'serve' | 'refuse';
    readonly elsewhere: 'forward' | 'adopt';
    /** Requests of one session one at a time. */
    readonly serialize: boolean;
    /** Gives and takes idle sessions where gateways even out the pods. */
    readonly rebalance: boolean;
    readonly maxBytes: number;
    /** Permission bits; undefined: as the application's own files. */
    readonly mode: number | undefined;
    readonly skip: { readonly paths: readonly string[]; readonly methods: readonly string[] };
    readonly ignore: { readonly paths: readonly string[]; readonly userAgents: readonly string[] };
  };
}

export type Config = GatewayConfig | SidecarConfig;
