/**
 * What some recent texts meant: a memory of fixed size for long texts that are new nearly every time.
 *
 * A Map would do the same at several times the price: V8 copies each text it is asked for into its table of
 * internalised strings, old generation, found or not. Here each two places belong together: a text's pair follows from
 * a hash of a few of its characters, and of all that share a pair the newest two are known, the others
 * forgotten. A text counts as known only if it is the same to the last character. Whoever makes texts that share
 * their places makes them forgotten, no more.
 *
 * Must not know what texts mean. Keep nothing here that can't be found out again.
 */

import { ownText } from './own-text.ts';

/** Characters that are looked at for a place, about; spread over the text, as its beginning may be always the same. */
const samples = 32;

export class RecentTexts<Meaning> {
  /** All bits of a place but the last: the newer of a pair has the even place. */
  readonly #mask: number;
  readonly #texts: (string | undefined)[];
  readonly #meanings: (Meaning | undefined)[];

  /** @param max how many at most, from 2 on; made up to a power of two. */
  constructor(max: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(max, 2)));
    this.#mask = size - 2;
    this.#texts = new Array<string | undefined>(size).fill(undefined);
    this.#meanings = new Array<Meaning | undefined>(size).fill(undefined);
  }

  get(text: string): Meaning | undefined {
    const place = placeOf(text) & this.#mask;
    if (this.#texts[place] === text) return this.#meanings[place];
    return this.#texts[place + 1] === text ? this.#meanings[place + 1] : undefined;
  }

  clear(): void {
    this.#texts.fill(undefined);
    this.#meanings.fill(undefined);
  }

  /** Keeps a copy of the text, which must be latin1. */
  set(text: string, meaning: Meaning): void {
    const place = placeOf(text) & this.#mask;
    if (this.#texts[place] !== text) {
      this.#texts[place + 1] = this.#texts[place];
      this.#meanings[place + 1] = this.#meanings[place];
      this.#texts[place] = ownText(text);
    }
    this.#meanings[place] = meaning;
  }
}

/** FNV-1a over the samples, its high bits mixed into the low ones. */
function placeOf(text: string): number {
  const step = Math.ceil(text.length / samples);
  let hash = 0x811c9dc5 ^ text.length;
  for (let index = text.length - 1; index >= 0; index -= step) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash ^ (hash >>> 15);
}
