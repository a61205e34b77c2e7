/**
 * Flask-Session's cookie: the session's id, a UUID up to version 0.5 and token_urlsafe since, of any length. With
 * SESSION_USE_SIGNER it is id + '.' + signature: itsdangerous' Signer with salt 'flask-session' and key derivation
 * 'hmac', so HMAC-SHA1(HMAC-SHA1(SECRET_KEY, salt), id) in base64url; of several keys any may have made it.
 *
 * Flask's own session, without Flask-Session, is the whole content in the cookie: it has dots, is no id of this shape,
 * and needs no keeper.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { pythonUnquoted } from '../python-cookies.ts';
import { alphanumerics, plainDecoder, shapeOf, type SessionIdDecoder } from './decoder.ts';

export const flaskShape = shapeOf(`${alphanumerics}_-`, { min: 1, max: 250 });

/** @param secrets the application's SECRET_KEY and SECRET_KEY_FALLBACKS where it signs; none where it does not. */
export function flaskDecoder(secrets: readonly string[]): SessionIdDecoder {
  if (secrets.length === 0) return plainDecoder('werkzeug', flaskShape, pythonUnquoted);
  const keys = secrets.map((secret) => hmac(Buffer.from(secret, 'utf8'), 'flask-session'));
  return {
    reader: 'werkzeug',
    decode(value) {
      const text = pythonUnquoted(value);
      const dot = text.lastIndexOf('.');
      if (dot === -1) return undefined;
      const id = flaskShape(text.slice(0, dot));
      if (id === undefined) return undefined;
      // Compared as bytes: itsdangerous takes every spelling of base64 that decodes to them, and so does Node.
      const signature = Buffer.from(text.slice(dot + 1), 'base64url');
      const right = keys.some((key) => {
        const own = hmac(key, id);
        return own.length === signature.length && timingSafeEqual(own, signature);
      });
      return right ? { id, bound: false } : undefined;
    },
  };
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha1', key).update(text).digest();
}
