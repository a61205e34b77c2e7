/**
 * Where a proxy listens, and what a connection has to show there before its first request is read.
 *
 * Must not know how either is done.
 */

import type { Address } from '../base/address.ts';

/** Nothing but host and port: requests come at once, as plain text. */
export interface ListenPlace extends Address {
  /** Each connection begins with a PROXY header, version 1 or 2, from one of `trustedProxies`. */
  readonly proxyProtocol?: boolean;
  /** Connections are TLS, behind the PROXY header where there is one. */
  readonly tls?: TlsSettings;
}

/** Text in PEM: given as it is, or in a file that may change while the process runs. */
export type PemSource =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'file'; readonly path: string };

export interface TlsSettings {
  /** The first serves clients that name no host, or one that no certificate is for. */
  readonly certificates: readonly { readonly certificate: PemSource; readonly key: PemSource }[];
  readonly minVersion: '1.2' | '1.3';
  readonly clientCertificate: 'off' | 'optional' | 'required';
  /** Who signs client certificates; undefined: 'off'. */
  readonly clientCa: PemSource | undefined;
  /** Shared by processes that resume each other's sessions; undefined: this process's own. */
  readonly ticketKey: Buffer | undefined;
}

/** Whoever connects may begin with a request: our own processes do. */
export function isPlain(place: ListenPlace): boolean {
  return place.proxyProtocol !== true && place.tls === undefined;
}
