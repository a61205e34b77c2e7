/**
 * How a session is named in logs and in the window: a keyed digest, the same in every process that has the
 * same key, useless without it. Computed once for each session and remembered, since every exchange asks.
 *
 * Must not know what a session is.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { deriveKey } from './keyring.ts';
import { RecentMap } from './recent-map.ts';

const digestCharacters = 16;
const rememberedMax = 20_000;

export class SessionDigest {
  readonly #key: Buffer;
  readonly #known = new RecentMap<string, string>(rememberedMax);

  /** `secret`: undefined where the process has none; then digests are comparable within this process only. */
  constructor(secret: Buffer | undefined) {
    this.#key = deriveKey(secret ?? randomBytes(32), 'log');
  }

  /** 16 hexadecimal digits for a session id. */
  of(session: string): string {
    const known = this.#known.get(session);
    if (known !== undefined) return known;
    const digest = createHmac('sha256', this.#key).update(session).digest('hex').slice(0, digestCharacters);
    this.#known.set(session, digest);
    return digest;
  }
}
