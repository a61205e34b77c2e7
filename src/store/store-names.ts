/**
 * From a session's id to its name in the store. The id is a bearer token; its name is an HMAC, so that a listing
 * of keys, a slow log or a dump gives no usable session.
 *
 * The key of this HMAC never rotates (rules of the configuration: `store.nameKey`): another key would be another
 * store. Must not know what is stored under a name.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import { Signer } from '../base/keyring.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { StoreName } from './contract.ts';

/** Names kept at hand: a name costs 4 us, and each request of a session wants it. */
const cachedNamesMax = 10_000;

/** Gives names; one for each application. */
export class StoreNames {
  readonly #signer: Signer;
  readonly #application: string;
  readonly #cache = new RecentMap<SessionId, StoreName>(cachedNamesMax);

  /**
   * @param nameSecret the bytes of `store.nameKey`, or of the single `store.key`.
   * @param application `store.prefix`: two applications never share a name.
   */
  constructor(nameSecret: Buffer, application: string) {
    this.#signer = new Signer([nameSecret], 'name');
    this.#application = application;
  }

  /** 32 characters of base64url. */
  of(session: SessionId): StoreName {
    let name = this.#cache.get(session);
    if (name === undefined) {
      name = this.#signer.sign([this.#application, session]) as StoreName;
      this.#cache.set(session, name);
    }
    return name;
  }
}
