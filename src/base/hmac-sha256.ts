/**
 * HMAC-SHA256 with a fixed key for short texts, as two one-shot hashes (RFC 2104): H(opad, H(ipad, text)).
 *
 * node:crypto's createHmac makes a native object for each text; making it and collecting it cost several times the
 * hashing. Here both padded keys stand ready in front of the bytes that are hashed.
 *
 * Must not know what is authenticated.
 */

import assert from 'node:assert/strict';
import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/** Of SHA-256, in bytes. */
const blockLength = 64;
const digestLength = 32;
const hexLength = 2 * digestLength;

/** UTF-8 has at most so many bytes for each UTF-16 unit. */
const utf8BytesMax = 3;

export class HmacSha256 {
  readonly #key: Buffer;
  readonly #textLengthMax: number;
  /** The key with ipad, then the text of the call. */
  readonly #inner: Buffer;
  /** The key with opad, then the inner digest of the call. */
  readonly #outer: Buffer;
  /** The beginnings of `#inner` that were hashed, by length: a view costs as much as a part of the hashing. */
  readonly #beginnings = new Map<number, Buffer>();
  /** Of the call of isRight: the two that are compared. */
  readonly #right = Buffer.alloc(hexLength);
  readonly #given = Buffer.alloc(hexLength);

  /**
   * @param key at most 64 bytes: longer ones would have to be hashed first
   * @param options.textLengthMax in UTF-16 units; longer texts cost what createHmac does
   */
  constructor(key: Buffer, options: { readonly textLengthMax: number }) {
    assert(key.length <= blockLength);
    this.#key = key;
    this.#textLengthMax = options.textLengthMax;
    this.#inner = Buffer.alloc(blockLength + options.textLengthMax * utf8BytesMax);
    this.#outer = Buffer.alloc(blockLength + digestLength);
    for (let index = 0; index < blockLength; index++) {
      const byte = key[index] ?? 0;
      this.#inner[index] = byte ^ 0x36;
      this.#outer[index] = byte ^ 0x5c;
    }
  }

  /** Whether `hex` is this text's, in small digits; compared in constant time. */
  isRight(text: string, hex: string): boolean {
    // A character beyond ASCII becomes several bytes, none of which is a digit.
    if (hex.length !== hexLength || this.#given.write(hex, 'utf8') !== hexLength) return false;
    this.#right.write(this.hex(text), 'latin1');
    return timingSafeEqual(this.#given, this.#right);
  }

  /** 64 small hexadecimal digits. The text is taken as UTF-8. */
  hex(text: string): string {
    return this.#digest(text, 'hex');
  }

  /** The same as 43 characters. */
  base64url(text: string): string {
    return this.#digest(text, 'base64url');
  }

  #digest(text: string, encoding: 'hex' | 'base64url'): string {
    if (text.length > this.#textLengthMax) return createHmac('sha256', this.#key).update(text, 'utf8').digest(encoding);
    const end = blockLength + this.#inner.write(text, blockLength, 'utf8');
    // A digest as text, one byte a character, is made without a Buffer of its own.
    this.#outer.write(hash('sha256', this.#beginning(end), 'binary'), blockLength, 'binary');
    return hash('sha256', this.#outer, encoding);
  }

  #beginning(end: number): Buffer {
    let beginning = this.#beginnings.get(end);
    if (beginning === undefined) {
      beginning = this.#inner.subarray(0, end);
      this.#beginnings.set(end, beginning);
    }
    return beginning;
  }
}
