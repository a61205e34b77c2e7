/**
 * What each preset's decoder is: how its framework picks the cookie, and how an id is read out of the value.
 *
 * Must not know which preset is configured, nor pods, files or the store.
 */

import type { CookieReader } from '../cookie-line.ts';
import type { SessionId } from '../session-codec.ts';

export interface Decoded {
  readonly id: SessionId;
  /** The value itself proves that it was made for a cookie of this name. */
  readonly bound: boolean;
}

export interface SessionIdDecoder {
  readonly reader: CookieReader;
  /** Reads an undecoded cookie value; undefined: no session. Never throws, whatever a client sends. */
  decode(value: string, cookieName: string): Decoded | undefined;
}

/** Reads a text as a session id, if it has the exact shape. */
export type SessionIdShape = (text: string) => SessionId | undefined;

/**
 * The one place where a text becomes a SessionId.
 * @param alphabet the ASCII characters allowed
 */
export function shapeOf(alphabet: string, length: { readonly min: number; readonly max: number }): SessionIdShape {
  const allowed = new Uint8Array(128);
  for (let index = 0; index < alphabet.length; index++) allowed[alphabet.charCodeAt(index)] = 1;
  return (text) => {
    if (text.length < length.min || text.length > length.max) return undefined;
    for (let index = 0; index < text.length; index++) {
      if (allowed[text.charCodeAt(index)] !== 1) return undefined;
    }
    return text as SessionId;
  };
}

export const digits = '0123456789';
export const smallLetters = 'abcdefghijklmnopqrstuvwxyz';
export const alphanumerics = digits + smallLetters + smallLetters.toUpperCase();

/** A decoder for frameworks whose cookie is the id itself. */
export function plainDecoder(
  reader: CookieReader,
  shape: SessionIdShape,
  unescape: ((value: string) => string) | undefined,
): SessionIdDecoder {
  return {
    reader,
    decode(value) {
      const id = shape(unescape === undefined ? value : unescape(value));
      return id === undefined ? undefined : { id, bound: false };
    },
  };
}
