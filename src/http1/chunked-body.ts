/**
 * The chunked coding, read as an automaton over bytes (RFC 9112 section 7.1): sizes, extensions, data, trailers.
 *
 * Must not know who holds bytes back. Nothing is kept of the body, so no size of piece makes it cost more, and a
 * stream's verdict can not depend on how it was cut. Line ends are CRLF only: the leniency of RFC 9112 section 2.2
 * does not cover chunk lines.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import type { BodyOptions, BodyReader, BodyScan } from './body-reader.ts';
import { COLON, CR, hexValue, HTAB, LF, SP, tokenLower, valueByte } from './grammar.ts';

/** Digits of one chunk size, leading zeros included. */
const sizeDigitsMax = 16;
/**
 * Bytes of extensions beyond those that data has paid for, byte by byte. So neither one chunk's extensions nor many
 * tiny chunks' can be much larger than the body (CVE-2023-39326), and long signed uploads pass.
 */
const extensionBytesMax = 131_072;

const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

/** Where in the grammar the next byte stands. */
const at = {
  size: 0,
  sizeMore: 1,
  /** White space after a size, or after a complete extension: ";" must follow. */
  extensionGap: 2,
  extensionName: 3,
  extensionNameMore: 4,
  /** White space after a name: "=" or ";" must follow. */
  extensionNameGap: 5,
  extensionValue: 6,
  extensionToken: 7,
  extensionQuoted: 8,
  extensionEscaped: 9,
  extensionQuoteEnd: 10,
  sizeLf: 11,
  data: 12,
  dataCr: 13,
  dataLf: 14,
  trailer: 15,
  trailerName: 16,
  trailerValue: 17,
  trailerLf: 18,
  lastLf: 19,
  illegal: 20,
} as const;

function isExtension(state: number): boolean {
  return state >= at.extensionGap && state <= at.extensionQuoteEnd;
}

export class ChunkedReader implements BodyReader {
  readonly #scan: BodyScan = { state: 'more', end: 0, markFrom: 0, markSpans: 0, trailerFrom: 0, reason: undefined };
  readonly #options: BodyOptions;
  #state: number = at.size;
  /** Value of the size being read, then the chunk's data that is still to come. */
  #left = 0;
  #digits = 0;
  #bodyBytes = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #trailerFields = 0;
  /** In the present piece; -1 if there is none of it. */
  #trailerFrom = -1;
  /** Bytes of earlier pieces in the possible end mark. */
  #marked = 0;

  constructor(options: BodyOptions) {
    this.#options = options;
  }

  scan(bytes: Buffer, from: number): BodyScan {
    // In this piece: where the possible mark begins; -1 if there is none.
    let mark = this.#marked > 0 ? from : -1;
    this.#trailerFrom = this.#state >= at.trailer ? from : -1;
    let extension = isExtension(this.#state) ? from : -1;
    let index = from;
    while (index < bytes.length) {
      if (this.#state === at.data) {
        index = this.#skipData(index, bytes.length);
        continue;
      }
      const byte = bytes[index]!;
      const before = this.#state;
      const after = this.#next(before, byte);
      this.#state = after;
      if (after === at.illegal) return this.#refuse(index, before >= at.trailer ? 'bad-trailer' : 'bad-chunk');
      if (this.#extensionBytes > extensionBytesMax) return this.#refuse(index, 'bad-chunk');
      if (this.#trailerBytes > this.#options.trailerBytesMax) return this.#refuse(index, 'head-too-large');
      if (this.#trailerFields > (this.#options.trailerFieldsMax ?? Infinity))
        return this.#refuse(index, 'too-many-fields');
      if (extension === -1 && isExtension(after)) extension = index;
      else if (extension !== -1 && after === at.sizeLf) {
        this.#options.onExtension?.(extension, index);
        extension = -1;
      }
      if (before === at.size) {
        mark = byte === 48 ? index : -1;
        this.#marked = 0;
      } else if (before === at.sizeMore && this.#left > 0 && after === at.sizeMore) {
        mark = -1;
        this.#marked = 0;
      } else if (before === at.sizeLf) {
        if (this.#left === 0) this.#trailerFrom = index + 1;
        else if (!this.#admitData()) return this.#refuse(index, 'body-too-large');
      }
      index++;
      if (before === at.lastLf) return this.#report('ended', index, mark);
    }
    if (extension !== -1) this.#options.onExtension?.(extension, index);
    return this.#report('more', index, mark);
  }

  #report(state: 'more' | 'ended', end: number, mark: number): BodyScan {
    const scan = this.#scan;
    scan.state = state;
    scan.end = end;
    scan.markFrom = mark === -1 ? end : mark;
    scan.markSpans = this.#marked;
    scan.trailerFrom = this.#trailerFrom === -1 ? end : this.#trailerFrom;
    if (mark !== -1) this.#marked += end - mark;
    return scan;
  }

  #refuse(index: number, reason: CloseReason): BodyScan {
    const scan = this.#report('more', index, -1);
    scan.state = 'refused';
    scan.reason = this.#options.sender === 'client' ? reason : 'upstream-bad-response';
    return scan;
  }

  #skipData(index: number, length: number): number {
    const end = Math.min(index + this.#left, length);
    this.#left -= end - index;
    this.#options.onData?.(index, end);
    if (this.#left === 0) this.#state = at.dataCr;
    return end;
  }

  /** Books the data of the chunk that begins. @returns false if the body is longer than it may be */
  #admitData(): boolean {
    this.#bodyBytes += this.#left;
    this.#extensionBytes = Math.max(0, this.#extensionBytes - this.#left);
    const max = this.#options.bodyBytesMax ?? 0;
    return max === 0 || this.#bodyBytes <= max;
  }

  /** The state after one byte of the frame. */
  #next(state: number, byte: number): number {
    switch (state) {
      case at.size:
        this.#left = 0;
        this.#digits = 0;
        return this.#sizeDigit(byte);
      case at.sizeMore:
        return hexValue[byte] === 255 ? this.#afterItem(byte, at.extensionGap) : this.#sizeDigit(byte);
      case at.sizeLf:
        if (byte !== LF) return at.illegal;
        return this.#left === 0 ? at.trailer : at.data;
      case at.dataCr:
        return byte === CR ? at.dataLf : at.illegal;
      case at.dataLf:
        return byte === LF ? at.size : at.illegal;
      default:
        return state >= at.trailer ? this.#nextInTrailer(state, byte) : this.#nextInExtension(state, byte);
    }
  }

  #sizeDigit(byte: number): number {
    const digit = hexValue[byte]!;
    if (digit === 255) return at.illegal;
    this.#digits++;
    this.#left = this.#left * 16 + digit;
    return this.#digits > sizeDigitsMax || this.#left > Number.MAX_SAFE_INTEGER ? at.illegal : at.sizeMore;
  }

  /** Behind a size, a name or a value: the line's end, the next extension, or white space before it. */
  #afterItem(byte: number, gap: number): number {
    if (byte === CR) return at.sizeLf;
    this.#extensionBytes++;
    if (byte === SEMICOLON) return at.extensionName;
    return byte === SP || byte === HTAB ? gap : at.illegal;
  }

  /** `*( BWS ";" BWS name [ BWS "=" BWS value ] )` (RFC 9112 section 7.1.1). */
  #nextInExtension(state: number, byte: number): number {
    const token = tokenLower[byte] !== 0;
    const blank = byte === SP || byte === HTAB;
    if (state === at.extensionNameMore || state === at.extensionToken || state === at.extensionQuoteEnd) {
      if (token && state !== at.extensionQuoteEnd) {
        this.#extensionBytes++;
        return state;
      }
      if (byte === EQUALS && state === at.extensionNameMore) return at.extensionValue;
      return this.#afterItem(byte, state === at.extensionNameMore ? at.extensionNameGap : at.extensionGap);
    }
    this.#extensionBytes++;
    switch (state) {
      case at.extensionGap:
        if (byte === SEMICOLON) return at.extensionName;
        return blank ? state : at.illegal;
      case at.extensionName:
        if (token) return at.extensionNameMore;
        return blank ? state : at.illegal;
      case at.extensionNameGap:
        if (byte === SEMICOLON) return at.extensionName;
        if (byte === EQUALS) return at.extensionValue;
        return blank ? state : at.illegal;
      case at.extensionValue:
        if (byte === QUOTE) return at.extensionQuoted;
        if (token) return at.extensionToken;
        return blank ? state : at.illegal;
      case at.extensionQuoted:
        if (byte === QUOTE) return at.extensionQuoteEnd;
        if (byte === BACKSLASH) return at.extensionEscaped;
        return valueByte[byte] === 1 ? state : at.illegal;
      default:
        return valueByte[byte] === 1 ? at.extensionQuoted : at.illegal;
    }
  }

  /** `*( field-line CRLF ) CRLF`, by the rules of the head's fields (RFC 9112 section 7.1.2). */
  #nextInTrailer(state: number, byte: number): number {
    this.#trailerBytes++;
    switch (state) {
      case at.trailer:
        if (byte === CR) return at.lastLf;
        this.#trailerFields++;
        return tokenLower[byte] === 0 ? at.illegal : at.trailerName;
      case at.trailerName:
        if (byte === COLON) return at.trailerValue;
        return tokenLower[byte] === 0 ? at.illegal : state;
      case at.trailerValue:
        if (byte === CR) return at.trailerLf;
        return valueByte[byte] === 1 ? state : at.illegal;
      case at.trailerLf:
        return byte === LF ? at.trailer : at.illegal;
      default:
        // The state after the last LF is never used: the body has ended.
        return byte === LF ? at.trailer : at.illegal;
    }
  }
}
