/**
 * The gateway's own memory of where sessions live, for clients without our cookie and for terms newer than a pin.
 * Bounded; of a full table the half that was unused for longest goes at once. Newest term wins (rules 23, 30).
 *
 * A million entries are meant to cost less than 200 bytes each: pods are shared between entries, ids are copied out
 * of the requests they came in.
 *
 * Must not know pins or the store.
 */

import { RecentMap } from '../base/recent-map.ts';
import { ownText } from './own-text.ts';
import type { SessionId } from './session-codec.ts';

/** A pod's identity: never its address. */
export interface PodIdentity {
  readonly name: string;
  /** '' for bare applications. */
  readonly uid: string;
}

export interface TableEntry {
  readonly pod: PodIdentity;
  /** The ownership term the pod served it under; 0: none known. */
  readonly epoch: number;
}

const podsMax = 10_000;

export class PinTable {
  readonly #entries: RecentMap<SessionId, TableEntry>;
  readonly #pods: RecentMap<string, PodIdentity>;

  constructor(options: { readonly entriesMax: number }) {
    this.#entries = new RecentMap(options.entriesMax);
    this.#pods = new RecentMap(podsMax);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(session: SessionId): TableEntry | undefined {
    return this.#entries.get(session);
  }

  /**
   * Remembers where a session was served. Of two terms the newer one stays, whatever came last: an answer may have
   * been on its way while the session moved. Where the terms are equal (or there are none) the last word counts.
   */
  put(session: SessionId, pod: PodIdentity, epoch: number): void {
    const known = this.#entries.get(session);
    if (known === undefined) {
      this.#entries.set(ownText(session) as SessionId, { pod: this.#shared(pod), epoch });
      return;
    }
    if (known.epoch > epoch) return;
    if (known.epoch === epoch && known.pod.name === pod.name && known.pod.uid === pod.uid) return;
    this.#entries.set(session, { pod: this.#shared(pod), epoch });
  }

  /** The session has ended. */
  remove(session: SessionId): void {
    this.#entries.delete(session);
  }

  #shared(pod: PodIdentity): PodIdentity {
    const key = `${pod.name}\n${pod.uid}`;
    let shared = this.#pods.get(key);
    if (shared === undefined) {
      shared = { name: ownText(pod.name), uid: ownText(pod.uid) };
      this.#pods.set(key, shared);
    }
    return shared;
  }
}
