/**
 * The lines of a head, byte by byte: where each field's name and value stand, or the first byte that makes the
 * head illegal (RFC 9112 sections 2.2 and 5). Shared by requests and responses.
 *
 * Must not know what a field means. Nothing is allocated before a head is complete: places are noted in one
 * scratch table, which is free again as soon as `fieldsOf` returned.
 *
 * The verdict is reached line by line: a bad byte counts once its line has ended, by LF or by any byte behind a CR. So
 * the answer to a stream does not depend on how it was cut, and nobody has to look at a head again before another
 * CR or LF has arrived.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import { asciiLower, COLON, CR, HTAB, LF, SP, tokenLower, valueByte } from './grammar.ts';
import { usualNameAt, usualNames } from './usual-names.ts';
import { type Field, traitsOf } from './fields.ts';

/** Limits of one head. 0 means no limit of that kind, within the ceilings below. */
export interface HeadLimits {
  readonly headBytes: number;
  readonly targetBytes: number;
  readonly fields: number;
  /** Longest request body; only Content-Length is judged here, chunked bodies by their reader. Absent or 0: none. */
  readonly bodyBytes?: number;
}

export type HeadStep<Head> =
  | { readonly kind: 'more' }
  /** `end`: index of the first byte after the head. */
  | { readonly kind: 'head'; readonly head: Head; readonly end: number }
  | { readonly kind: 'refused'; readonly reason: CloseReason };

/** Where `limits.headBytes` is 0. */
export const headBytesCeiling = 1_048_576;
/** Where `limits.fields` is 0, and at most. */
export const fieldsCeiling = 10_000;

const placeWords = 5;
/**
 * For each field: start and end of its name, start and end of its value, what `usualNameAt` says of its name.
 */
const places = new Int32Array(fieldsCeiling * placeWords);

/** Where a scan stopped; one object for all scans. `reason` undefined: the bytes ran out. */
export interface HeadScan {
  at: number;
  reason: CloseReason | undefined;
  fields: number;
}

export const scan: HeadScan = { at: 0, reason: undefined, fields: 0 };

/** Notes where and why a scan stopped. @returns -1 */
export function stopScan(at: number, reason: CloseReason | undefined): -1 {
  scan.at = at;
  scan.reason = reason;
  return -1;
}

/**
 * Reads field lines up to the empty line.
 * @param limit index behind the last byte that may be looked at
 * @returns the index behind the empty line; -1 with `scan` telling where and why it stopped
 */
export function scanFieldLines(
  bytes: Buffer,
  from: number,
  { limit, fieldsMax }: { limit: number; fieldsMax: number },
): number {
  let at = from;
  let count = 0;
  for (;;) {
    const nameStart = at;
    while (at < limit && tokenLower[bytes[at]!] !== 0) at++;
    if (at >= limit) return stopScan(at, undefined);
    if (at === nameStart && bytes[at] === CR) {
      if (at + 1 >= limit) return stopScan(at, undefined);
      if (bytes[at + 1] !== LF) return stopScan(at + 1, 'bad-line-end');
      scan.fields = count;
      return at + 2;
    }
    // An empty name, white space before the colon, an obs-fold and a line without a colon all end here.
    if (bytes[at] !== COLON || at === nameStart) return stopScan(at, lineFault(bytes[at]!));
    if (count === fieldsMax) return stopScan(at, 'too-many-fields');
    const nameEnd = at++;
    while (at < limit && (bytes[at] === SP || bytes[at] === HTAB)) at++;
    const valueStart = at;
    while (at < limit && valueByte[bytes[at]!] === 1) at++;
    if (at >= limit) return stopScan(at, undefined);
    if (bytes[at] !== CR) return stopScan(at, lineFault(bytes[at]!));
    if (at + 1 >= limit) return stopScan(at, undefined);
    if (bytes[at + 1] !== LF) return stopScan(at + 1, 'bad-line-end');
    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
    const place = count * placeWords;
    places[place] = nameStart;
    places[place + 1] = nameEnd;
    places[place + 2] = valueStart;
    places[place + 3] = valueEnd;
    places[place + 4] = usualNameAt(bytes, nameStart, nameEnd);
    count++;
    at += 2;
  }
}

function lineFault(byte: number): CloseReason {
  return byte === LF ? 'bad-line-end' : 'bad-field';
}

/**
 * The fields that the last scan found.
 * @param text the head as latin1; `textStart`: the index of its first byte in the bytes that were scanned
 */
export function fieldsOf(text: string, textStart: number): Field[] {
  const fields: Field[] = [];
  for (let place = 0; place < scan.fields * placeWords; place += placeWords) {
    const start = places[place]! - textStart;
    const nameEnd = places[place + 1]! - textStart;
    const valueStart = places[place + 2]! - textStart;
    const valueEnd = places[place + 3]! - textStart;
    const found = places[place + 4]!;
    const usual = usualNames[found >> 1];
    const name = usual === undefined || (found & 1) === 1 ? text.substring(start, nameEnd) : usual.name;
    const lower = usual === undefined ? asciiLower(name) : usual.lower;
    const traits = usual === undefined ? traitsOf(lower) : usual.traits;
    const value = text.substring(valueStart, valueEnd);
    const asWritten =
      valueStart === nameEnd + 2 && text.charCodeAt(nameEnd + 1) === SP && text.charCodeAt(valueEnd) === CR;
    if (asWritten) fields.push({ name, lower, value, traits, start, end: valueEnd + 2 });
    else fields.push({ name, lower, value, traits, start: undefined, end: undefined });
  }
  return fields;
}

const more: HeadStep<never> = { kind: 'more' };

/**
 * What a scan that stopped means for the caller: more bytes, or a refusal.
 * @param overflow the reason if the head can not become complete within its limit
 */
export function stopped(bytes: Buffer, from: number, headBytesMax: number, overflow: CloseReason): HeadStep<never> {
  if (scan.reason !== undefined) {
    const limit = Math.min(bytes.length, from + headBytesMax);
    for (let at = scan.at; at < limit; at++) {
      if (bytes[at] === LF || (at > from && bytes[at - 1] === CR)) return { kind: 'refused', reason: scan.reason };
    }
  }
  return bytes.length - from >= headBytesMax ? { kind: 'refused', reason: overflow } : more;
}

/** The limits with their ceilings in the place of 0. */
export function effectiveHeadBytes(limits: HeadLimits): number {
  return limits.headBytes === 0 ? headBytesCeiling : limits.headBytes;
}

export function effectiveFields(limits: HeadLimits): number {
  return limits.fields === 0 || limits.fields > fieldsCeiling ? fieldsCeiling : limits.fields;
}
