/**
 * The names that are met often, as a trie over bytes: the loop that checks a name's bytes walks it, and knows at the
 * colon which name it was, without making, folding or hashing any text.
 *
 * Must not know lines. The trie is fixed when the process starts; no client adds to it. Names that are not in it
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
X-Real-IP X-Request-ID X-Requested-With X-XSRF-TOKEN X-XSS-Protection traceparent tracestate`.split(/\s+/);

/** The class that several characters share; so no usual name may have one of them. */
const otherClass = 28;

/** 0 where a byte is no tchar, 1 to 26 for a letter, 27 for "-", 28 (`otherClass`) for every other tchar. */
export const nameByteClass: Uint8Array = tokenLower.map((lower) => {
  if (lower === 0) return 0;
  if (lower >= 97 && lower <= 122) return lower - 96;
  return lower === 45 ? 27 : otherClass;
});

/** A node's children are `nameTrie[(node << classBits) | class]`; node 1 is the root, node 0 "no usual name". */
export const classBits = 5;
export const rootNode = 1;

const nodesMax = 1 + names.reduce((sum, name) => sum + name.length, 1);
export const nameTrie = new Uint16Array(nodesMax << classBits);
/** The byte by which the usual spelling reaches a node. Names that share a beginning share its spelling. */
export const usualByte = new Uint8Array(nodesMax);
/** The name that ends at a node. */
export const usualNames: readonly (UsualName | undefined)[] = plant();

function plant(): (UsualName | undefined)[] {
  const ends = new Array<UsualName | undefined>(nodesMax).fill(undefined);
  let nodes = rootNode + 1;
  for (const name of names) {
    let node = rootNode;
    for (const byte of Buffer.from(name, 'latin1')) {
      const byteClass = nameByteClass[byte]!;
      assert(byteClass > 0 && byteClass < otherClass, 'a usual name has letters and "-" only');
      const edge = (node << classBits) | byteClass;
      if (nameTrie[edge] === 0) {
        nameTrie[edge] = nodes;
        usualByte[nodes++] = byte;
      }
      node = nameTrie[edge]!;
    }
    const lower = asciiLower(name);
    // The spelling that the nodes know, so that a name found without a difference is spelled exactly so.
    ends[node] = { name: spelling(lower), lower, traits: traitsOf(lower) };
  }
  return ends;
}

function spelling(lower: string): string {
  let node = rootNode;
  return String.fromCharCode(
    ...Array.from(lower, (character) => {
      node = nameTrie[(node << classBits) | nameByteClass[character.charCodeAt(0)]!]!;
      return usualByte[node]!;
    }),
  );
}
