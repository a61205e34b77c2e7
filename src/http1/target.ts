/**
 * Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3.2).
 *
 * Must not know heads. The bytes have passed grammar.ts's `targetByte` or `valueByte` before.
 */

import { hexValue, hostByte } from './grammar.ts';

export type Target =
  /** `target` in origin-form or `*`; `authority` is what an absolute-form target named, else undefined. */
  | { readonly kind: 'target'; readonly target: string; readonly authority: string | undefined }
  /** A legal CONNECT target. */
  | { readonly kind: 'authority' }
  | { readonly kind: 'bad' };

const bad: Target = { kind: 'bad' };

/** Which form a request target has, and what is left of it. Only http and https URIs are reduced. */
export function readTarget(method: string, raw: string): Target {
  if (method === 'CONNECT') {
    // The port is not optional here, nor is the host (section 3.2.3).
    return isAuthority(raw) && /[^:]:\d+$/.test(raw) ? { kind: 'authority' } : bad;
  }
  if (raw.startsWith('/')) return { kind: 'target', target: raw, authority: undefined };
  if (raw === '*') return method === 'OPTIONS' ? { kind: 'target', target: raw, authority: undefined } : bad;
  const match = /^https?:\/\/([^/?]+)(.*)$/i.exec(raw);
  const authority = match?.[1];
  // A URI with an empty host is no http URI (RFC 9110 section 4.2.1).
  if (match === null || authority === undefined || authority.startsWith(':') || !isAuthority(authority)) return bad;
  const rest = match[2] ?? '';
  if (rest.startsWith('/')) return { kind: 'target', target: rest, authority };
  // `OPTIONS http://host` means the server itself (section 3.2.4).
  const target = rest === '' && method === 'OPTIONS' ? '*' : `/${rest}`;
  return { kind: 'target', target, authority };
}

/**
 * Whether the text is `uri-host [":" port]`, as Host needs it (RFC 9112 section 3.2); the empty host is.
 * An IPv6 zone id (RFC 6874) passes. User information never does.
 */
export function isAuthority(text: string): boolean {
  let at = 0;
  if (text.startsWith('[')) {
    at = text.indexOf(']') + 1;
    if (at === 0 || !isIpLiteral(text.slice(1, at - 1))) return false;
  } else {
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code > 127 || hostByte[code] === 0) {
        if (code !== 37 || !isEncodedByte(text, at)) break;
        at += 2;
      }
      at++;
    }
  }
  if (at === text.length) return true;
  if (text[at] !== ':') return false;
  for (at++; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

function isEncodedByte(text: string, at: number): boolean {
  return at + 2 < text.length && isHex(text.charCodeAt(at + 1)) && isHex(text.charCodeAt(at + 2));
}

function isHex(code: number): boolean {
  return code < 128 && hexValue[code] !== 255;
}

function isIpLiteral(text: string): boolean {
  if (/^v[0-9a-f]+\.[-._~!$&'()*+,;=:0-9a-z]+$/i.test(text)) return true;
  const address = /^([0-9a-f:.]+)(?:%25(?:[-._~0-9a-z]|%[0-9a-f]{2})+)?$/i.exec(text)?.[1];
  return address !== undefined && isIpv6(address);
}

/** IPv6address (RFC 3986 section 3.2.2): eight groups, or fewer around one "::"; the last two may be an IPv4 address. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const tail = groups.at(-1);
  const endsInIpv4 = tail !== undefined && text.endsWith(tail) && ipv4.test(tail);
  if (endsInIpv4) groups.splice(-1, 1, '0', '0');
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
