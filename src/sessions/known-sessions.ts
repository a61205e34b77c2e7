/**
 * The sessions a keeper has in memory, by id and by their name in the store. Bounded: those unused for longest are
 * forgotten, except those that something is under way for. A forgotten session that is ours is taken up again at
 * its next request; its note tells that its file still holds.
 *
 * Names stay known as long as there is a note, since another keeper asks for a session by its name only.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { StoreName } from '../store/contract.ts';
import { SessionEntry } from './session-entry.ts';

export interface KnownSessionsOptions {
  readonly max: number;
  readonly ttlMs: number;
  readonly nameOf: (session: SessionId) => StoreName;
  /** An entry goes from memory; nothing is under way for it. */
  readonly forgotten: (entry: SessionEntry) => void;
}

/** Some 150 bytes each. Beyond it a session asked for by name is "not mine", and taken by force. */
const namesMax = 1_000_000;

export class KnownSessions {
  readonly #options: KnownSessionsOptions;
  readonly #idle: RecentMap<SessionId, SessionEntry>;
  /** Forgotten while something was under way for them; bounded by the exchanges and flows there are. */
  readonly #spared = new Map<SessionId, SessionEntry>();
  readonly #byName = new Map<StoreName, SessionId>();

  constructor(options: KnownSessionsOptions) {
    this.#options = options;
    this.#idle = new RecentMap(options.max, (id, entry) => this.#forgotten(id, entry));
  }

  get size(): number {
    return this.#idle.size + this.#spared.size;
  }

  get(id: SessionId): SessionEntry | undefined {
    return this.#idle.get(id) ?? this.#spared.get(id);
  }

  /** The same for who only looks: it counts as no use. */
  peek(id: SessionId): SessionEntry | undefined {
    return this.#idle.peek(id) ?? this.#spared.get(id);
  }

  /** The session's entry; a new one where it was not known. */
  open(id: SessionId): SessionEntry {
    const known = this.get(id);
    if (known !== undefined) return known;
    const name = this.#options.nameOf(id);
    const entry = new SessionEntry(id, name, this.#options.ttlMs);
    entry.noted = this.#byName.has(name);
    this.remember(name, id);
    this.#idle.set(id, entry);
    return entry;
  }

  /** The entry of a name that is known, or noted on disk. */
  openNamed(name: StoreName): SessionEntry | undefined {
    const id = this.#byName.get(name);
    return id === undefined ? undefined : this.open(id);
  }

  /** Makes a noted session findable by its name. */
  remember(name: StoreName, id: SessionId): void {
    if (this.#byName.size < namesMax) this.#byName.set(name, id);
  }

  /** All entries in memory, also while some come and go. */
  all(): readonly SessionEntry[] {
    return [...this.#idle.values(), ...this.#spared.values()];
  }

  /** Those that fit, at most so many; as a rule those that were used last. */
  newest(max: number, fits: (entry: SessionEntry) => boolean): readonly SessionEntry[] {
    const found: SessionEntry[] = [];
    const entries = this.#idle.values();
    for (let index = entries.length - 1; index >= 0 && found.length < max; index--) {
      const entry = entries[index]!;
      if (fits(entry)) found.push(entry);
    }
    return found;
  }

  #forgotten(id: SessionId, entry: SessionEntry): void {
    if (this.#spared.size > this.#options.max) this.#sweepSpared();
    if (entry.busy) this.#spared.set(id, entry);
    else this.#forget(entry);
  }

  /** Those that nothing is under way for any more go; run when there are many, so that it costs little each time. */
  #sweepSpared(): void {
    for (const [id, entry] of this.#spared) {
      if (entry.busy) continue;
      this.#spared.delete(id);
      this.#forget(entry);
    }
  }

  #forget(entry: SessionEntry): void {
    this.#options.forgotten(entry);
    if (!entry.noted) this.#byName.delete(entry.name);
  }
}
