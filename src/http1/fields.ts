/**
 * A field line as it was received, and what is known about its name.
 *
 * Must not know bytes or what is done with a field: it only says which names are special, and to whom.
 */

import { asciiLower } from './grammar.ts';

export interface Field {
  /** As spelled by the sender. */
  readonly name: string;
  readonly lower: string;
  /** latin1, without surrounding white space. */
  readonly value: string;
  /** What is known about the name (`trait`); always set by the parsers. */
  readonly traits?: number;
  /**
   * Where the whole line stands in its head's `source`, if it stands there as it would be written again:
   * `Name: value CRLF`. Absent otherwise.
   */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** What a name means to a proxy, as bits. */
export const trait = {
  connection: 1,
  contentLength: 1 << 1,
  transferEncoding: 1 << 2,
  host: 1 << 3,
  cookie: 1 << 4,
  setCookie: 1 << 5,
  expect: 1 << 6,
  upgrade: 1 << 7,
  /** For one connection only (RFC 9110 section 7.6.1, and the older Proxy-* and Keep-Alive): never forwarded. */
  hopByHop: 1 << 8,
  /** `Connection` can not name it away: stripping it would change what the application believes or how it reads on. */
  unstrippable: 1 << 9,
  /** Where the request came from, as proxies tell it: believed from some peers only. */
  forwarded: 1 << 10,
  forwardedFor: 1 << 11,
  forwardedProto: 1 << 12,
  forwardedHost: 1 << 13,
  requestId: 1 << 14,
  /** `x-holdfast-*`: between our own processes, never from or to others. */
  internal: 1 << 15,
  /** A name with `_`, or `.`: CGI and PHP read it as its spelling with `-` (PHP 8.2: `X.Real-IP` is X-Real-IP). */
  alias: 1 << 16,
  /** `Forwarded` itself, of the family above (RFC 7239). */
  forwardedNodes: 1 << 17,
  /** The trace that a request belongs to (W3C Trace Context), and what its vendors say of it. */
  traceParent: 1 << 18,
  traceState: 1 << 19,
} as const;

const special: Record<string, number> = {
  connection: trait.connection | trait.hopByHop,
  'content-length': trait.contentLength | trait.unstrippable,
  'transfer-encoding': trait.transferEncoding | trait.unstrippable,
  host: trait.host | trait.unstrippable,
  cookie: trait.cookie | trait.unstrippable,
  'set-cookie': trait.setCookie | trait.unstrippable,
  authorization: trait.unstrippable,
  expect: trait.expect | trait.unstrippable,
  upgrade: trait.upgrade | trait.hopByHop,
  'keep-alive': trait.hopByHop,
  'proxy-connection': trait.hopByHop,
  'proxy-authenticate': trait.hopByHop,
  'proxy-authorization': trait.hopByHop,
  te: trait.hopByHop,
  'http2-settings': trait.hopByHop,
  // Never a field of HTTP, but CGI makes it HTTP_PROXY (CVE-2016-5385).
  proxy: trait.hopByHop,
  forwarded: trait.forwarded | trait.forwardedNodes | trait.unstrippable,
  traceparent: trait.traceParent,
  tracestate: trait.traceState,
  'x-forwarded-for': trait.forwarded | trait.forwardedFor | trait.unstrippable,
  'x-forwarded-proto': trait.forwarded | trait.forwardedProto | trait.unstrippable,
  'x-forwarded-host': trait.forwarded | trait.forwardedHost | trait.unstrippable,
  'x-request-id': trait.requestId | trait.unstrippable,
};

/** Other names by which proxies tell the client's address, and applications believe it. */
const clientAddressNames = [
  'x-real-ip',
  'client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'forwarded-for',
  'x-forwarded',
];
for (const name of clientAddressNames) special[name] = trait.forwarded | trait.unstrippable;

const familyPrefixes = ['x-forwarded-', 'x-original-', 'x-rewrite-'] as const;

/** The traits of a name in lower case. */
export function traitsOf(lower: string): number {
  let traits = Object.hasOwn(special, lower) ? special[lower]! : 0;
  if (lower.startsWith('x-')) {
    if (lower.startsWith('x-holdfast-')) traits |= trait.internal | trait.unstrippable;
    if (familyPrefixes.some((prefix) => lower.startsWith(prefix))) traits |= trait.forwarded | trait.unstrippable;
  }
  return lower.includes('_') || lower.includes('.') ? traits | trait.alias : traits;
}

/** A field of ours, with its traits. */
export function makeField(name: string, value: string): Field {
  const lower = asciiLower(name);
  return { name, lower, value, traits: traitsOf(lower) };
}
