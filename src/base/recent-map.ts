/**
 * A bounded Map of what was used last, which takes memory only for what is in it: a table of a million costs nothing
 * while ten sessions are known.
 *
 * It has two generations. What is asked for or set is in the younger one; once that has half of the maximum, it becomes
 * the older one, and what nobody asked for since the last such change is forgotten in one step. So a key outlives at
 * least half of the maximum of other keys, and a use costs one look into a Map, a second one if it is the first in its
 * generation.
 *
 * Must not know what it remembers.
 */

export class RecentMap<Key, Value> {
  readonly #generationMax: number;
  readonly #forgotten: ((key: Key, value: Value) => void) | undefined;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  /**
   * @param max entries at most, from 2 on; an odd one counts as the even one below it.
   * @param forgotten told of each entry that had to make room, when it is no longer in the map; up to half of the
   *   maximum, one after another. It must not throw, nor use the map.
   */
  constructor(max: number, forgotten?: (key: Key, value: Value) => void) {
    this.#generationMax = Math.max(1, Math.floor(max / 2));
    this.#forgotten = forgotten;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: Key): Value | undefined {
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const older = this.#old.get(key);
    if (older !== undefined) {
      this.#old.delete(key);
      this.#add(key, older);
    }
    return older;
  }

  /** The same for who only looks: it counts as no use. */
  peek(key: Key): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** All values, those of the older generation first. */
  values(): readonly Value[] {
    return [...this.#old.values(), ...this.#young.values()];
  }

  set(key: Key, value: Value): void {
    if (this.#young.has(key)) {
      this.#young.set(key, value);
      return;
    }
    this.#old.delete(key);
    this.#add(key, value);
  }

  delete(key: Key): void {
    if (!this.#young.delete(key)) this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }

  #add(key: Key, value: Value): void {
    if (this.#young.size >= this.#generationMax) this.#ageAll();
    this.#young.set(key, value);
  }

  #ageAll(): void {
    const unused = this.#old;
    this.#old = this.#young;
    this.#young = new Map();
    if (this.#forgotten === undefined) return;
    for (const [key, value] of unused) this.#forgotten(key, value);
  }
}
