/**
 * express-session's cookie: `s:` + id + `.` + signature, percent-encoded. The signature is HMAC-SHA256 of the id in
 * base64 without padding (cookie-signature); of several secrets any may have made it. An unsigned or badly signed
 * cookie is no session there, so it is none here: the id becomes a file name, and session-file-store checks nothing.
 *
 * The package `cookie` under it takes quotes off a value before it undoes the percent-encoding.
 */

import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { percentDecoded, unquoted } from '../cookie-line.ts';
import { alphanumerics, shapeOf, type SessionIdDecoder } from './decoder.ts';

/** uid-safe of 24 bytes. */
export const expressShape = shapeOf(`${alphanumerics}_-`, { min: 32, max: 32 });

const signatureLength = 43;

/** @param secrets as given to express-session; at least one. */
export function expressDecoder(secrets: readonly string[]): SessionIdDecoder {
  const keys = secrets.map((secret) => createSecretKey(Buffer.from(secret, 'utf8')));
  return {
    reader: 'first',
    decode(value) {
      const text = percentDecoded(unquoted(value));
      if (!text.startsWith('s:')) return undefined;
      const dot = text.lastIndexOf('.');
      if (text.length - dot - 1 !== signatureLength) return undefined;
      const id = expressShape(text.slice(2, dot));
      if (id === undefined) return undefined;
      const signature = Buffer.from(text.slice(dot + 1), 'latin1');
      return keys.some((key) => timingSafeEqual(signatureOf(id, key), signature)) ? { id, bound: false } : undefined;
    },
  };
}

/** 43 bytes of base64 text. Compared as text: several spellings of base64 decode to the same bytes. */
function signatureOf(id: string, key: KeyObject): Buffer {
  return Buffer.from(createHmac('sha256', key).update(id).digest('base64').slice(0, signatureLength), 'latin1');
}
