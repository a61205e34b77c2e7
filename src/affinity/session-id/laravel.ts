/**
 * Laravel's session cookie: base64 of JSON {iv, value, mac, tag} as Illuminate\Encryption\Encrypter makes it, inside
 * it the HMAC prefix that binds a value to its cookie's name (CookieValuePrefix), and the id. Written with a new IV
 * for every answer, so the text changes although the id does not.
 *
 * Understood: AES-128 and AES-256, CBC with its MAC and GCM, APP_KEY and APP_PREVIOUS_KEYS, values that are PHP
 * serialized (EncryptCookies::$serialize) or not, with the prefix or (before Laravel 7.22) without.
 *
 * Must not know which cookie is the session's.
 */

import { createDecipheriv, createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { AesCbc } from './aes-cbc.ts';
import { alphanumerics, shapeOf, type SessionIdDecoder } from './decoder.ts';
import { HmacSha256 } from '../../base/hmac-sha256.ts';
import { laravelPayload, laravelValueLengthMax, type LaravelPayload } from './laravel-payload.ts';

/** Session\Store::isValidId. */
export const laravelShape = shapeOf(alphanumerics, { min: 40, max: 40 });

const prefixLength = 41;
/** Of the call of hasPrefix: what is compared. */
const givenPrefix = Buffer.alloc(prefixLength);

interface LaravelKey {
  readonly key: KeyObject;
  readonly bits: 128 | 256;
  readonly mac: HmacSha256;
  readonly cbc: AesCbc;
  /** The prefix of the last cookie name asked for; there is one, or a few while the cookie is being looked for. */
  prefix: { readonly name: string; readonly text: Buffer } | undefined;
}

/**
 * The bytes of an APP_KEY as Laravel reads it: `base64:...`, else the text itself.
 * @returns undefined where it is neither 16 nor 32 bytes long.
 */
export function laravelKeyBytes(text: string): Buffer | undefined {
  const bytes = text.startsWith('base64:') ? Buffer.from(text.slice(7), 'base64') : Buffer.from(text, 'utf8');
  return bytes.length === 16 || bytes.length === 32 ? bytes : undefined;
}

/** @param keyBytes APP_KEY and previous keys, 16 or 32 bytes each. */
export function laravelDecoder(keyBytes: readonly Buffer[]): SessionIdDecoder {
  const keys = keyBytes.map(laravelKey);
  return {
    reader: 'php',
    decode(value, cookieName) {
      const payload = laravelPayload(value);
      if (payload === undefined) return undefined;
      for (const key of keys) {
        const clear = decrypted(payload, key);
        if (clear !== undefined) return idOf(unserialized(clear), cookieName, keys);
      }
      return undefined;
    },
  };
}

function laravelKey(bytes: Buffer): LaravelKey {
  return {
    key: createSecretKey(bytes),
    bits: bytes.length === 16 ? 128 : 256,
    // The decoded JSON is shorter than its base64, and so is what is authenticated of it.
    mac: new HmacSha256(bytes, { textLengthMax: laravelValueLengthMax }),
    cbc: new AesCbc(bytes),
    prefix: undefined,
  };
}

/** The clear text; undefined where this key did not make the payload. */
function decrypted(payload: LaravelPayload, key: LaravelKey): string | undefined {
  if (payload.tag !== '') return decryptedGcm(payload, key);
  if (!key.mac.isRight(payload.iv + payload.value, payload.mac)) return undefined;
  const bytes = Buffer.from(payload.value, 'base64');
  return key.cbc.decrypted(bytes, Buffer.from(payload.iv, 'base64'))?.toString('latin1');
}

function decryptedGcm(payload: LaravelPayload, { key, bits }: LaravelKey): string | undefined {
  const iv = Buffer.from(payload.iv, 'base64');
  const tag = Buffer.from(payload.tag, 'base64');
  // A shorter tag would be accepted by OpenSSL, and could be guessed.
  if (iv.length !== 12 || tag.length !== 16) return undefined;
  try {
    const decipher = createDecipheriv(`aes-${bits}-gcm`, key, iv, { authTagLength: 16 });
    decipher.setAuthTag(tag);
    return decipher.update(Buffer.from(payload.value, 'base64'), undefined, 'latin1') + decipher.final('latin1');
  } catch {
    return undefined;
  }
}

/** `s:81:"...";` gives what is between the quotes; anything else stays as it is. */
function unserialized(clear: string): string {
  if (!clear.startsWith('s:') || !clear.endsWith('";')) return clear;
  const quote = clear.indexOf(':"', 2);
  const inner = clear.slice(quote + 2, -2);
  return quote !== -1 && clear.slice(2, quote) === String(inner.length) ? inner : clear;
}

/** Any of the keys may have made the prefix (CookieValuePrefix::validate); a prefix of another cookie is refused. */
function idOf(text: string, cookieName: string, keys: readonly LaravelKey[]): ReturnType<SessionIdDecoder['decode']> {
  const bound = text.length !== 40;
  if (bound && !keys.some((key) => hasPrefix(text, cookieName, key))) return undefined;
  const id = laravelShape(bound ? text.slice(prefixLength) : text);
  return id === undefined ? undefined : { id, bound };
}

function hasPrefix(text: string, cookieName: string, key: LaravelKey): boolean {
  if (key.prefix?.name !== cookieName) {
    const hex = createHmac('sha1', key.key).update(`${cookieName}v2`).digest('hex');
    key.prefix = { name: cookieName, text: Buffer.from(`${hex}|`, 'latin1') };
  }
  if (text.length < prefixLength) return false;
  givenPrefix.write(text, 0, prefixLength, 'latin1');
  return timingSafeEqual(givenPrefix, key.prefix.text);
}
