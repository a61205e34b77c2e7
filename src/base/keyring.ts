/**
 * Secrets and what is derived from them: one HKDF label for each purpose, several keys in rotation,
 * signatures over lists of parts that cannot run into each other.
 *
 * Must not know what is signed or sealed, and never shows a key in an error or a log.
 */

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { HmacSha256 } from './hmac-sha256.ts';

/** Each purpose has a key of its own, so that a signature for one never serves for another. */
export type KeyPurpose =
  'pin' | 'seal' | 'name' | 'gateway' | 'move' | 'hop' | 'release' | 'hello' | 'log' | 'fingerprint' | 'ticket';

/** Secrets in rotation: the first signs and seals, all verify and open. Never empty. */
export type Secrets = readonly [Buffer, ...Buffer[]];

/** Secrets that a reload may replace while the process runs. Who derives keys from them follows it. */
export class KeyRing {
  #secrets: Secrets;
  readonly #followers: ((secrets: Secrets) => void)[] = [];

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  get secrets(): Secrets {
    return this.#secrets;
  }

  /** All who follow have derived anew when this returns: nobody signs with one key and reads with another. */
  replace(secrets: Secrets): void {
    this.#secrets = secrets;
    for (const derive of this.#followers) derive(secrets);
  }

  follow(derive: (secrets: Secrets) => void): void {
    this.#followers.push(derive);
    derive(this.#secrets);
  }
}

/** Secrets for good, or those of a ring as they change. */
export type KeySource = Secrets | KeyRing;

/** Calls `derive` now, and for a ring again whenever its secrets are replaced. For what lives as long as the process. */
export function followKeys(source: KeySource, derive: (secrets: Secrets) => void): void {
  if (source instanceof KeyRing) source.follow(derive);
  else derive(source);
}

/** Characters: 24 bytes, which have one spelling only. */
const signatureLength = 32;
/** UTF-16 units. What requests make us sign is shorter; more is signed at several times the price. */
const usualTextMax = 512;

/**
 * The bytes of a configured secret: `base64:...` is decoded (Laravel's spelling), other text is taken as UTF-8.
 * @returns undefined for fewer than 16 bytes, which is too little to be a secret.
 */
export function parseSecret(text: string): Buffer | undefined {
  const bytes = text.startsWith('base64:') ? Buffer.from(text.slice(7), 'base64') : Buffer.from(text, 'utf8');
  return bytes.length < 16 ? undefined : bytes;
}

/** A 32-byte key for one purpose (HKDF-SHA256, RFC 5869). */
export function deriveKey(secret: Buffer, purpose: KeyPurpose): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'holdfast', `holdfast/v1/${purpose}`, 32));
}

/**
 * 8 hexadecimal digits by which people and processes compare keys; `scope` for what is used in one. They lead to no key
 * that is as random as it should be.
 */
export function keyFingerprint(secret: Buffer, scope = ''): string {
  const key = deriveKey(secret, 'fingerprint');
  return createHmac('sha256', key).update(scope).digest('hex').slice(0, 8);
}

/** HMAC-SHA256 with keys in rotation, over parts whose lengths are covered too. */
export class Signer {
  #keys: readonly HmacSha256[] = [];
  /** Of the call of verify: the two that are compared. */
  readonly #given = Buffer.alloc(signatureLength);
  readonly #right = Buffer.alloc(signatureLength);

  constructor(source: KeySource, purpose: KeyPurpose) {
    followKeys(source, (secrets) => {
      this.#keys = secrets.map((secret) => new HmacSha256(deriveKey(secret, purpose), { textLengthMax: usualTextMax }));
    });
  }

  /** A base64url signature of 32 characters, made with the first key. */
  sign(parts: readonly string[]): string {
    return signatureOf(this.#keys[0]!, parts);
  }

  /** Whether one of the keys made this signature. Constant time for each key. */
  verify(parts: readonly string[], signature: string): boolean {
    // A character beyond ASCII becomes several bytes, none of which is a signature's.
    if (signature.length !== signatureLength || this.#given.write(signature, 'utf8') !== signatureLength) return false;
    return this.#keys.some((key) => {
      this.#right.write(signatureOf(key, parts), 'latin1');
      return timingSafeEqual(this.#right, this.#given);
    });
  }
}

/** A signature by one key. Of 32 bytes the first 24: they are the first 32 of 43 characters. */
function signatureOf(key: HmacSha256, parts: readonly string[]): string {
  let text = '';
  for (const part of parts) text += `${Buffer.byteLength(part)}:${part},`;
  return key.base64url(text).slice(0, signatureLength);
}
