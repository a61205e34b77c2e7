/**
 * Reads the value of a request's Cookie field as the framework behind it does.
 *
 * Two readers that disagree about which cookie counts disagree about whose session it is. So a reader is named
 * after the framework family it copies, faults included: PHP turns ' ', '.' and an unclosed '[' of a name into
 * '_', keeps white space at a value's end and lets a cookie without '=' count as an empty one (measured, PHP 8.2);
 * Python's frameworks have python-cookies.ts; the others trim and skip. RFC 6265 section 5.4 says only what a client sends.
 *
 * Must not know what a cookie means. No regular expressions: this runs for every request.
 */

import { findDjangoCookie, findWerkzeugCookie } from './python-cookies.ts';

/**
 * How a framework reads: which of several cookies of one name it takes, and how it cuts names and values. 'only': none,
 * where there are several that differ.
 */
export type CookieReader = 'php' | 'first' | 'only' | 'django' | 'werkzeug';

/**
 * The undecoded value of the cookie `name`; undefined: none. '' where PHP sees an array or a name without value,
 * which hides later ones of that name.
 */
export function findCookie(line: string, name: string, reader: CookieReader): string | undefined {
  switch (reader) {
    case 'php':
      return findPhpCookie(line, name);
    case 'django':
      return findDjangoCookie(line, name);
    case 'werkzeug':
      return findWerkzeugCookie(line, name);
    case 'first':
    case 'only':
      return findTrimmedCookie(line, name, reader);
  }
}

function findTrimmedCookie(line: string, name: string, reader: 'first' | 'only'): string | undefined {
  let found: string | undefined;
  for (let start = 0; start < line.length;) {
    let end = line.indexOf(';', start);
    if (end === -1) end = line.length;
    const value = trimmedValue(line, name, start, end);
    if (value !== undefined) {
      if (reader === 'first') return value;
      if (found !== undefined && found !== value) return undefined;
      found = value;
    }
    start = end + 1;
  }
  return found;
}

/**
 * Calls `visit` for each cookie that has a name and a value, in order, until it answers true; at most `most` are
 * looked at. Names and values are trimmed.
 */
export function someCookie(line: string, most: number, visit: (name: string, value: string) => boolean): boolean {
  let left = most;
  let equals = -1;
  for (let start = 0; start < line.length && left > 0; left--) {
    let end = line.indexOf(';', start);
    if (end === -1) end = line.length;
    equals = nextEquals(line, equals, start);
    if (equals < end && visit(trimmed(line, start, equals), trimmed(line, equals + 1, end))) return true;
    start = end + 1;
  }
  return false;
}

/**
 * The line without the cookies of that name.
 * @returns undefined where there is none of them, null where nothing else is left.
 */
export function withoutCookie(line: string, name: string): string | null | undefined {
  if (!line.includes(name)) return undefined;
  let rest = '';
  let removed = false;
  for (let start = 0; start < line.length;) {
    let end = line.indexOf(';', start);
    if (end === -1) end = line.length;
    if (trimmedValue(line, name, start, end) === undefined) {
      const kept = line.slice(skipSpace(line, start, end), end);
      if (kept !== '') rest = rest === '' ? kept : `${rest}; ${kept}`;
    } else {
      removed = true;
    }
    start = end + 1;
  }
  if (!removed) return undefined;
  if (rest === '') return null;
  // White space at a value's end counts in PHP, but not at the end of a field.
  return isSpace(rest.charCodeAt(rest.length - 1)) ? `${rest};` : rest;
}

/**
 * Undoes %XX wherever two hexadecimal digits follow, and nothing else, as PHP does for cookies: '+' stays.
 */
export function percentDecoded(text: string): string {
  let at = text.indexOf('%');
  if (at === -1) return text;
  let out = '';
  let from = 0;
  for (; at !== -1; at = text.indexOf('%', at + 1)) {
    const high = hexDigit(text.charCodeAt(at + 1));
    const low = hexDigit(text.charCodeAt(at + 2));
    if (high < 0 || low < 0) continue;
    out += text.slice(from, at) + String.fromCharCode(high * 16 + low);
    at += 2;
    from = at + 1;
  }
  return out + text.slice(from);
}

/** Without one pair of quotes around it. */
export function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

function trimmedValue(line: string, name: string, start: number, end: number): string | undefined {
  const at = skipSpace(line, start, end);
  if (!line.startsWith(name, at)) return undefined;
  const equals = skipSpace(line, at + name.length, end);
  return equals < end && line.charCodeAt(equals) === 0x3d ? trimmed(line, equals + 1, end) : undefined;
}

/** The first cookie of the name, unless a later one is an array: that replaces a value, and nothing replaces it. */
function findPhpCookie(line: string, name: string): string | undefined {
  let found: string | undefined;
  let equals = -1;
  for (let start = 0; start < line.length;) {
    let end = line.indexOf(';', start);
    if (end === -1) end = line.length;
    const at = skipSpace(line, start, end);
    equals = nextEquals(line, equals, at);
    const to = Math.min(equals, end);
    const kind = to - at === name.length && line.startsWith(name, at) ? 'same' : phpName(line, name, at, to);
    if (kind === 'array') return '';
    if (kind === 'same' && found === undefined) {
      found = line.slice(to + 1, end);
      if (!line.includes('[', end)) return found;
    }
    start = end + 1;
  }
  return found;
}

/** Compares a cookie's name as php_register_variable_ex makes a variable of it. */
function phpName(line: string, name: string, at: number, end: number): 'same' | 'array' | 'other' {
  // PHP drops what would only become a prefixed name by these changes (CVE-2022-31629).
  if (name.startsWith('__Host-') || name.startsWith('__Secure-')) return 'other';
  let bracket = false;
  for (let index = 0; index <= name.length; index++) {
    if (at + index >= end) return index === name.length ? 'same' : 'other';
    let code = line.charCodeAt(at + index);
    if (code === 0x5b && !bracket) {
      const close = line.indexOf(']', at + index);
      if (close !== -1 && close < end) return index === name.length ? 'array' : 'other';
      bracket = true;
      code = 0x5f;
    } else if ((code === 0x20 || code === 0x2e) && !bracket) {
      code = 0x5f;
    }
    if (index === name.length || code !== name.charCodeAt(index)) return 'other';
  }
  return 'other';
}

/**
 * The first '=' at or after `from`, the line's length where there is none. `known` is the answer for an earlier place:
 * a line of thousands of nameless cookies is searched once, not once for each.
 */
function nextEquals(line: string, known: number, from: number): number {
  if (known >= from) return known;
  const equals = line.indexOf('=', from);
  return equals === -1 ? line.length : equals;
}

function trimmed(line: string, start: number, end: number): string {
  const from = skipSpace(line, start, end);
  let to = end;
  while (to > from && isSpace(line.charCodeAt(to - 1))) to--;
  return line.slice(from, to);
}

function skipSpace(line: string, start: number, end: number): number {
  let at = start;
  while (at < end && isSpace(line.charCodeAt(at))) at++;
  return at;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The value of a hexadecimal digit; -1 for anything else, the text's end included. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
