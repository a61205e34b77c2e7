/**
 * A field line as it was received, and what is known about its name.
 *
 * Must not know bytes or what is done with a field: it only says which names are special, and to whom.
 */

import { asciiLower, tokenLower } from './grammar.ts';

export interface Field {
  /** As spelled by the sender. */
  readonly name: string;
  readonly lower: string;
  /** latin1, without surrounding white space. */
  readonly value: string;
  /** What is known about the name (`trait`); always set by the parsers. */
  readonly traits?: number;
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
  /** A name with `_`: CGI and PHP read it as its spelling with `-`. */
  underscore: 1 << 16,
} as const;

const special: Readonly<Record<string, number>> = {
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
  forwarded: trait.forwarded | trait.unstrippable,
  'x-real-ip': trait.forwarded | trait.unstrippable,
  'x-forwarded-for': trait.forwarded | trait.forwardedFor | trait.unstrippable,
  'x-forwarded-proto': trait.forwarded | trait.forwardedProto | trait.unstrippable,
  'x-forwarded-host': trait.forwarded | trait.forwardedHost | trait.unstrippable,
  'x-request-id': trait.requestId | trait.unstrippable,
};

/** The traits of a name in lower case. */
export function traitsOf(lower: string): number {
  let traits = Object.hasOwn(special, lower) ? special[lower]! : 0;
  if (lower.startsWith('x-')) {
    if (lower.startsWith('x-holdfast-')) traits |= trait.internal | trait.unstrippable;
    if (/^x-(?:forwarded|original|rewrite)-/.test(lower)) traits |= trait.forwarded | trait.unstrippable;
  }
  return lower.includes('_') ? traits | trait.underscore : traits;
}

/** A field of ours, with its traits. */
export function makeField(name: string, value: string): Field {
  const lower = asciiLower(name);
  return { name, lower, value, traits: traitsOf(lower) };
}

/** A name that is met often: looked up by its bytes, so that no text has to be made and folded for it. */
interface KnownName {
  readonly hash: number;
  /** The usual spelling, shared by all fields that use it. */
  readonly name: string;
  readonly lower: string;
  readonly traits: number;
}

const usualNames = `Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Credentials
Access-Control-Allow-Headers Access-Control-Allow-Methods Access-Control-Allow-Origin Access-Control-Expose-Headers
Access-Control-Max-Age Access-Control-Request-Headers Access-Control-Request-Method Age Allow Alt-Svc Authorization
Cache-Control Connection Content-Disposition Content-Encoding Content-Language Content-Length Content-Location
Content-Range Content-Security-Policy Content-Type Cookie Date DNT ETag Expect Expires Forwarded From Host If-Match
If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Last-Modified Link Location Origin Permissions-Policy
Pragma Priority Proxy-Authenticate Proxy-Authorization Proxy-Connection Range Referer Referrer-Policy Retry-After
Sec-CH-UA sec-ch-ua-mobile sec-ch-ua-platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-GPC
Sec-WebSocket-Accept Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version Server
Set-Cookie Strict-Transport-Security TE Trailer Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent Vary Via
Warning WWW-Authenticate X-Content-Type-Options X-CSRF-Token X-Forwarded-For X-Forwarded-Host X-Forwarded-Port
X-Forwarded-Proto X-Frame-Options X-Inertia X-Livewire X-Powered-By X-Real-IP X-Request-ID X-Requested-With X-XSRF-TOKEN
X-XSS-Protection traceparent tracestate`.split(/\s+/);

const slotMask = 1023;
const slots: readonly (readonly KnownName[] | undefined)[] = fillSlots();

function fillSlots(): (KnownName[] | undefined)[] {
  const filled = new Array<KnownName[] | undefined>(slotMask + 1).fill(undefined);
  for (const name of usualNames) {
    const bytes = Buffer.from(name, 'latin1');
    let hash = 0;
    for (const byte of bytes) hash = nameHash(hash, tokenLower[byte]!);
    const lower = asciiLower(name);
    (filled[hash & slotMask] ??= []).push({ hash, name, lower, traits: traitsOf(lower) });
  }
  return filled;
}

/** One step of the hash over a name's lower-case bytes. It only finds names of the fixed list: floods gain nothing. */
export function nameHash(hash: number, lowerByte: number): number {
  return (Math.imul(hash, 31) + lowerByte) | 0;
}

/** The field at `bytes[nameStart..nameEnd)`, whose hash was made by `nameHash` over its bytes. */
export function fieldAt(bytes: Buffer, name: { start: number; end: number; hash: number }, value: string): Field {
  const { start, end, hash } = name;
  const candidates = slots[hash & slotMask];
  if (candidates !== undefined) {
    for (const known of candidates) {
      if (known.hash === hash && known.lower.length === end - start) {
        const same = compareName(bytes, start, known);
        if (same === 'spelling') return { name: known.name, lower: known.lower, value, traits: known.traits };
        if (same === 'folded') {
          return { name: bytes.toString('latin1', start, end), lower: known.lower, value, traits: known.traits };
        }
      }
    }
  }
  return makeField(bytes.toString('latin1', start, end), value);
}

function compareName(bytes: Buffer, start: number, known: KnownName): 'spelling' | 'folded' | 'other' {
  const { name, lower } = known;
  let spelled = true;
  for (let at = 0; at < lower.length; at++) {
    const byte = bytes[start + at]!;
    if (byte !== name.charCodeAt(at)) {
      if (tokenLower[byte] !== lower.charCodeAt(at)) return 'other';
      spelled = false;
    }
  }
  return spelled ? 'spelling' : 'folded';
}
