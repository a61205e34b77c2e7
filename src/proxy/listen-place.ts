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
}

/** Whoever connects may begin with a request: our own processes do. */
export function isPlain(place: ListenPlace): boolean {
  return place.proxyProtocol !== true;
}
