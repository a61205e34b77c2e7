/**
 * AES-CBC decryption with a fixed key for short messages (NIST SP 800-38A, padding of RFC 5652 section 6.3).
 *
 * node:crypto's CBC decipher is bound to one IV: a native object for each message, and making it costs several times
 * the decryption. A block decipher (ECB without padding) has no state between blocks, so one serves all messages,
 * and chaining is what is left to do: each block is XORed with the encrypted one before it, the first with the IV.
 *
 * Must not know what is decrypted. Authenticates nothing: only for messages whose MAC was found right before.
 */

import { createDecipheriv, type Decipheriv } from 'node:crypto';

const blockLength = 16;

export class AesCbc {
  readonly #blocks: Decipheriv;

  /** @param key 16 or 32 bytes */
  constructor(key: Buffer) {
    this.#blocks = createDecipheriv(`aes-${key.length === 16 ? 128 : 256}-ecb`, key, null).setAutoPadding(false);
  }

  /** The clear bytes; undefined where the IV's or the message's length is impossible, or the padding wrong. */
  decrypted(message: Buffer, iv: Buffer): Buffer | undefined {
    const { length } = message;
    if (iv.length !== blockLength || length === 0 || length % blockLength !== 0) return undefined;
    const clear = this.#blocks.update(message);
    for (let index = 0; index < blockLength; index++) clear[index]! ^= iv[index]!;
    for (let index = blockLength; index < length; index++) clear[index]! ^= message[index - blockLength]!;
    return unpadded(clear);
  }
}

/** Without the last n bytes, each of which must be n, from 1 to a block's length. */
function unpadded(clear: Buffer): Buffer | undefined {
  const padding = clear[clear.length - 1]!;
  if (padding === 0 || padding > blockLength) return undefined;
  const end = clear.length - padding;
  for (let index = end; index < clear.length; index++) {
    if (clear[index] !== padding) return undefined;
  }
  return clear.subarray(0, end);
}
