/**
 * Reads an answer's Set-Cookie values: whose they are, their attributes byte for byte, and how long they live
 * (RFC 6265 section 5.2).
 *
 * Must not know sessions or pins.
 */

export interface SetCookie {
  readonly value: string;
  /** Everything after the first `;`, without it; '' where there is none. */
  readonly attributes: string;
}

export interface CookieLife {
  /** Max-Age of 0 or less, or an Expires that has passed: the client drops the cookie. */
  readonly ended: boolean;
  /** Seconds from now; undefined: the cookie ends with the browser (or has ended). */
  readonly lifetimeSeconds: number | undefined;
}

/** Value and attributes of a Set-Cookie line, if it sets the cookie `name`. */
export function setCookieOf(line: string, name: string): SetCookie | undefined {
  if (!line.startsWith(name) || line.charCodeAt(name.length) !== 0x3d) return undefined;
  return cutAt(line, name.length);
}

/** Name, value and attributes of any Set-Cookie line; undefined where it has no name. */
export function splitSetCookie(line: string): (SetCookie & { readonly name: string }) | undefined {
  const equals = line.indexOf('=');
  const semicolon = line.indexOf(';');
  if (equals < 1 || (semicolon !== -1 && semicolon < equals)) return undefined;
  return { name: line.slice(0, equals), ...cutAt(line, equals) };
}

function cutAt(line: string, equals: number): SetCookie {
  const end = line.indexOf(';', equals);
  return end === -1
    ? { value: line.slice(equals + 1), attributes: '' }
    : { value: line.slice(equals + 1, end), attributes: line.slice(end + 1) };
}

/** What attributes say about a cookie's life, whatever the time is. */
export interface Lifetime {
  readonly maxAgeSeconds: number | undefined;
  /** Expires, wall clock; undefined: none that can be read, or Max-Age goes before it. */
  readonly untilMs: number | undefined;
}

/**
 * How long a cookie with these attributes lives. Max-Age goes before Expires, the last of each kind counts, and
 * one that can't be read counts as absent (RFC 6265 sections 5.2.1, 5.2.2, 5.3).
 * @param nowMs wall clock, for Expires.
 */
export function cookieLife(attributes: string, nowMs: number): CookieLife {
  return lifeAt(readLifetime(attributes), nowMs);
}

/** The first half of cookieLife, which costs most of it and does not depend on the time. */
export function readLifetime(attributes: string): Lifetime {
  let maxAge: number | undefined;
  let expires: string | undefined;
  for (let start = 0; start < attributes.length;) {
    const end = segmentEnd(attributes, start);
    const equals = attributes.indexOf('=', start);
    if (equals !== -1 && equals < end) {
      const kind = lifeKind(attributes, start, equals);
      if (kind === 'max-age') maxAge = seconds(attributes.slice(equals + 1, end).trim()) ?? maxAge;
      else if (kind === 'expires') expires = attributes.slice(equals + 1, end).trim();
    }
    start = end + 1;
  }
  const untilMs = maxAge !== undefined || expires === undefined ? NaN : Date.parse(expires);
  return { maxAgeSeconds: maxAge, untilMs: Number.isNaN(untilMs) ? undefined : untilMs };
}

/** @param nowMs wall clock, for Expires. */
export function lifeAt({ maxAgeSeconds, untilMs }: Lifetime, nowMs: number): CookieLife {
  const left = maxAgeSeconds ?? (untilMs === undefined ? undefined : Math.floor((untilMs - nowMs) / 1000));
  if (left === undefined) return { ended: false, lifetimeSeconds: undefined };
  return left <= 0 ? { ended: true, lifetimeSeconds: undefined } : { ended: false, lifetimeSeconds: left };
}

/** The attributes without Max-Age and Expires, the others byte for byte. */
export function withoutLife(attributes: string): string {
  const kept: string[] = [];
  for (let start = 0; start < attributes.length;) {
    const end = segmentEnd(attributes, start);
    const equals = attributes.indexOf('=', start);
    if (lifeKind(attributes, start, equals === -1 || equals > end ? end : equals) === undefined) {
      kept.push(attributes.slice(start, end));
    }
    start = end + 1;
  }
  return kept.join(';');
}

/** Whether the attributes have one of that name, with or without a value. `lower`: in small letters. */
export function hasAttribute(attributes: string, lower: string): boolean {
  for (let start = 0; start < attributes.length;) {
    const end = segmentEnd(attributes, start);
    const equals = attributes.indexOf('=', start);
    if (isNamed(attributes, start, { end: equals === -1 || equals > end ? end : equals, lower })) return true;
    start = end + 1;
  }
  return false;
}

function segmentEnd(attributes: string, start: number): number {
  const end = attributes.indexOf(';', start);
  return end === -1 ? attributes.length : end;
}

function lifeKind(attributes: string, start: number, end: number): 'max-age' | 'expires' | undefined {
  if (isNamed(attributes, start, { end, lower: 'max-age' })) return 'max-age';
  return isNamed(attributes, start, { end, lower: 'expires' }) ? 'expires' : undefined;
}

function isNamed(attributes: string, start: number, name: { end: number; lower: string }): boolean {
  let at = start;
  while (at < name.end && isSpace(attributes.charCodeAt(at))) at++;
  let to = name.end;
  while (to > at && isSpace(attributes.charCodeAt(to - 1))) to--;
  if (to - at !== name.lower.length) return false;
  for (let index = 0; index < name.lower.length; index++) {
    const code = attributes.charCodeAt(at + index);
    const small = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
    if (small !== name.lower.charCodeAt(index)) return false;
  }
  return true;
}

function seconds(text: string): number | undefined {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
