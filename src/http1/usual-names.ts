/**
 * The names that are met often, found by their bytes: no text is made, folded or hashed for them.
 *
 * Must not know lines. The table is fixed when the process starts; no client adds to it. Names that are not in it
 * are as legal as the others, only slower.
 */

import assert from 'node:assert/strict';
import { traitsOf } from './fields.ts';
import { asciiLower, tokenLower } from './grammar.ts';

export interface UsualName {
  /** The usual spelling, shared by all fields that use it. */
  readonly name: string;
  readonly lower: string;
  readonly traits: number;
}

const names = `Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Credentials
Access-Control-Allow-Headers Access-Control-Allow-Methods Access-Control-Allow-Origin Access-Control-Expose-Headers
Access-Control-Max-Age Access-Control-Request-Headers Access-Control-Request-Method Age Allow Alt-Svc Authorization
Cache-Control Connection Content-Disposition Content-Encoding Content-Language Content-Length Content-Location
Content-Range Content-Security-Policy Content-Type Cookie Date DNT ETag Expect Expires Forwarded From Host If-Match
If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Last-Modified Link Location Origin
Permissions-Policy Pragma Priority Proxy Proxy-Authenticate Proxy-Authorization Proxy-Connection Range Referer
Referrer-Policy Retry-After sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site
Sec-Fetch-User Sec-GPC Sec-WebSocket-Accept Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol
Sec-WebSocket-Version Server Set-Cookie Strict-Transport-Security TE Trailer Transfer-Encoding Upgrade
Upgrade-Insecure-Requests User-Agent Vary Via Warning WWW-Authenticate X-Content-Type-Options X-CSRF-Token
X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Frame-Options X-Inertia X-Livewire X-Powered-By
X-Real-IP X-Request-ID X-Requested-With X-XSRF-TOKEN X-XSS-Protection traceparent tracestate
x-holdfast-from x-holdfast-hop x-holdfast-move x-holdfast-own x-holdfast-pod`.split(/\s+/);

/** The names by number; number 0 is none. */
export const usualNames: readonly (UsualName | undefined)[] = [
  undefined,
  ...names.map((name) => ({ name, lower: asciiLower(name), traits: traitsOf(asciiLower(name)) })),
];

const letters = Buffer.from(names.join(''), 'latin1');
const lowerLetters = letters.map((byte) => tokenLower[byte]!);
// Numbers and lengths are kept in single bytes.
assert(names.length < 256 && names.every((name) => name.length < 256), 'too many usual names');
/** By number: where its letters begin, and how many they are. */
const offsets = new Uint16Array(names.length + 1);
const lengths = new Uint8Array(names.length + 1);
/** Names in one slot are a chain: the slot's first number, then each number's next one, 0 at the end. */
const slotMask = 511;
const firstInSlot = new Uint8Array(slotMask + 1);
const nextInSlot = new Uint8Array(names.length + 1);

let offset = 0;
for (const [index, name] of names.entries()) {
  const number = index + 1;
  offsets[number] = offset;
  lengths[number] = name.length;
  const slot = slotOf(letters, offset, offset + name.length);
  offset += name.length;
  nextInSlot[number] = firstInSlot[slot]!;
  firstInSlot[slot] = number;
}

/** Three bytes and the length tell the usual names apart well enough: chains are short, and fixed. */
function slotOf(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  const first = tokenLower[bytes[start]!]!;
  const middle = tokenLower[bytes[start + (length >> 1)]!]!;
  const last = tokenLower[bytes[end - 1]!]!;
  return (first * 7 + middle * 31 + last * 67 + length * 13) & slotMask;
}

/**
 * The usual name that stands at `bytes[start..end)`, which must be a token.
 * @returns twice its number, and 1 more if it is spelled otherwise; 0 for any other name
 */
export function usualNameAt(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  for (let number = firstInSlot[slotOf(bytes, start, end)]!; number !== 0; number = nextInSlot[number]!) {
    if (lengths[number] !== length) continue;
    const known = offsets[number]!;
    let at = 0;
    while (at < length && letters[known + at] === bytes[start + at]) at++;
    if (at === length) return number * 2;
    while (at < length && lowerLetters[known + at] === tokenLower[bytes[start + at]!]) at++;
    if (at === length) return number * 2 + 1;
  }
  return 0;
}
