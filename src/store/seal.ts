/**
 * Sealing of session contents with AES-256-GCM. Frameworks deserialize these bytes, so who can write to Redis
 * must not be able to make a pod read bytes that no sidecar wrote: unsealed, that is code execution.
 *
 * Each session has a key of its own, derived from the sealing key and the session's name. So a random 96-bit
 * nonce is drawn once for each write of one session, far from the 2^32 messages that NIST SP 800-38D, section 8.3,
 * allows one key. Application, name, version and mtime are authenticated with the bytes: a blob moved to another
 * name, application or version does not open. Not covered: putting back an older blob together with its version.
 *
 * Layout: format (1 byte), key id (4), nonce (12), ciphertext, tag (16).
 *
 * Must not know stores, nor what the bytes mean.
 */

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { deriveKey, followKeys, type KeySource } from '../base/keyring.ts';
import type { StoreName } from './contract.ts';

const format = 1;
const cipherName = 'aes-256-gcm';
const keyIdBytes = 4;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 1 + keyIdBytes + nonceBytes;

/** What a sealed blob is bound to, besides its application. */
export interface SealedAs {
  readonly name: StoreName;
  readonly version: number;
  readonly mtimeMs: number;
}

interface SealingKey {
  readonly id: Buffer;
  readonly bytes: Buffer;
}

/** Seals with the first secret, opens with all of them. */
export class Sealer {
  #keys: readonly SealingKey[] = [];
  readonly #application: string;

  /** @param application `store.prefix`. */
  constructor(source: KeySource, application: string) {
    followKeys(source, (secrets) => {
      this.#keys = secrets.map(sealingKey);
    });
    this.#application = application;
  }

  /** The sealed form, 33 bytes longer. */
  seal(bytes: Buffer, as: SealedAs): Buffer {
    const key = this.#keys[0]!;
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(cipherName, this.#sessionKey(key, as.name), nonce).setAAD(this.#bound(as));
    const sealed = cipher.update(bytes);
    return Buffer.concat([Buffer.of(format), key.id, nonce, sealed, cipher.final(), cipher.getAuthTag()]);
  }

  /** The bytes that were sealed; undefined: wrong key, changed, moved, or not sealed by us at all. */
  open(sealed: Buffer, as: SealedAs): Buffer | undefined {
    if (sealed.length < headBytes + tagBytes || sealed[0] !== format) return undefined;
    const id = sealed.subarray(1, 1 + keyIdBytes);
    for (const key of this.#keys) {
      if (!key.id.equals(id)) continue;
      const opened = this.#openWith(key, sealed, as);
      if (opened !== undefined) return opened;
    }
    return undefined;
  }

  #openWith(key: SealingKey, sealed: Buffer, as: SealedAs): Buffer | undefined {
    const nonce = sealed.subarray(1 + keyIdBytes, headBytes);
    const sessionKey = this.#sessionKey(key, as.name);
    const decipher = createDecipheriv(cipherName, sessionKey, nonce, { authTagLength: tagBytes });
    decipher.setAAD(this.#bound(as)).setAuthTag(sealed.subarray(-tagBytes));
    const bytes = decipher.update(sealed.subarray(headBytes, -tagBytes));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return bytes;
  }

  #sessionKey(key: SealingKey, name: StoreName): Buffer {
    return createHmac('sha256', key.bytes).update(name).digest();
  }

  /** No two different bindings give the same text: names are base64url, the application's length is in it. */
  #bound(as: SealedAs): Buffer {
    const { name, version, mtimeMs } = as;
    const application = `${Buffer.byteLength(this.#application)}:${this.#application}`;
    return Buffer.from(`holdfast/v1/session,${application},${name},${version},${mtimeMs}`);
  }
}

/** The id says which key to try; it is a digest of a derived key and tells nothing about the secret. */
function sealingKey(secret: Buffer): SealingKey {
  const bytes = deriveKey(secret, 'seal');
  return { id: createHash('sha256').update(bytes).digest().subarray(0, keyIdBytes), bytes };
}
