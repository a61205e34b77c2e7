/**
 * What frames a message's body (RFC 9112 section 6.3), with nothing repaired: where two readers could disagree,
 * the message is refused.
 *
 * Must not know sockets or where a body ends in the bytes (body-end.ts).
 */

import type { CloseReason } from '../base/close-reasons.ts';
import { type Field, trait } from './fields.ts';
import { asciiLower } from './grammar.ts';

export type Framing =
  | { readonly kind: 'none' }
  /** length > 0; a Content-Length of 0 is 'none'. */
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  /** Responses only: the body ends with the connection. */
  | { readonly kind: 'close' };

export const noBody: Framing = { kind: 'none' };
const chunked: Framing = { kind: 'chunked' };
const untilClose: Framing = { kind: 'close' };

export type FramingVerdict = Framing | { readonly kind: 'refused'; readonly reason: CloseReason };

/** The framing of a request. Reasons are those of close-reasons.ts for a client. */
export function requestFraming(fields: readonly Field[], minor: 0 | 1): FramingVerdict {
  return declaredFraming(fields, minor) ?? noBody;
}

/**
 * The framing of a response.
 * @param bodyless an answer to HEAD, 1xx, 204 or 304: no body whatever the fields say, but they must be legal
 */
export function responseFraming(fields: readonly Field[], minor: 0 | 1, bodyless: boolean): FramingVerdict {
  const declared = declaredFraming(fields, minor);
  if (declared?.kind === 'refused') return declared;
  return bodyless ? noBody : (declared ?? untilClose);
}

/** Content-Length and Transfer-Encoding (RFC 9112 sections 6.1 to 6.3); undefined: neither is there. */
function declaredFraming(fields: readonly Field[], minor: 0 | 1): FramingVerdict | undefined {
  let length: number | undefined;
  let coded = false;
  for (const { traits = 0, value } of fields) {
    if ((traits & (trait.contentLength | trait.transferEncoding)) === 0) continue;
    if ((traits & trait.contentLength) !== 0) {
      // A second one is refused even if it is equal: the next reader may take another than we did.
      if (length !== undefined) return { kind: 'refused', reason: 'bad-content-length' };
      length = readLength(value);
      if (length === undefined) return { kind: 'refused', reason: 'bad-content-length' };
    } else {
      if (coded || minor === 0 || asciiLower(value) !== 'chunked') {
        return { kind: 'refused', reason: 'bad-transfer-encoding' };
      }
      coded = true;
    }
  }
  if (coded) return length === undefined ? chunked : { kind: 'refused', reason: 'ambiguous-length' };
  if (length === undefined) return undefined;
  return length === 0 ? noBody : { kind: 'length', length };
}

/** 1*DIGIT up to 2^53-1; undefined for anything else. `Number()` would take "0x5", "5e0", " 5" and "". */
function readLength(text: string): number | undefined {
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return text === '' ? undefined : length;
}
