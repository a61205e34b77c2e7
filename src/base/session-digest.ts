/**
 * How a session is named in logs and in the window: a keyed digest, the same in every process that has the
 * same key, useless without it. Computed once for each session and remembered, since every exchange asks.
 *
 * Must not know what a session is.
 */

import { randomBytes } from 'node:crypto';
import { HmacSha256 } from './hmac-sha256.ts';
import { deriveKey } from './keyring.ts';
import { RecentMap } from './recent-map.ts';

const digestCharacters = 16;
/** UTF-16 units; longer ids cost more. */
const usualLengthMax = 256;
const rememberedMax = 20_000;

export class SessionDigest {
  readonly #hmac: HmacSha256;
  readonly #known = new RecentMap<string, string>(rememberedMax);

  /** `secret`: undefined where the process has none; then digests are comparable within this process only. */
  constructor(secret: Buffer | undefined) {
    this.#hmac = new HmacSha256(deriveKey(secret ?? randomBytes(32), 'log'), { textLengthMax: usualLengthMax });
  }

  /** 16 hexadecimal digits for a session id. */
  of(session: string): string {
    const known = this.#known.get(session);
    if (known !== undefined) return known;
    const digest = this.#hmac.hex(session).slice(0, digestCharacters);
    this.#known.set(session, digest);
    return digest;
  }
}
