/**
 * A bound on how many do something at once, and on how many wait for it.
 *
 * Must not know what is done.
 */

/** Whoever waits is served in order; who finds the queue full is turned away. */
export class Turns {
  readonly #atOnceMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #active = 0;

  /** `atOnceMax` 0: no bound. */
  constructor(atOnceMax: number, waitingMax: number) {
    this.#atOnceMax = atOnceMax === 0 ? Infinity : atOnceMax;
    this.#waitingMax = waitingMax;
  }

  get active(): number {
    return this.#active;
  }

  /** True: go on, and call leave() in the end. False: too many wait already. */
  enter(): boolean | Promise<boolean> {
    if (this.#active < this.#atOnceMax) {
      this.#active++;
      return true;
    }
    if (this.#waiting.length >= this.#waitingMax) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiting.push(() => resolve(true));
    return promise;
  }

  /** Hands the turn to the next in the queue, if there is one. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#active--;
    else next();
  }
}

/** Runs `work` for each item, at most `atOnceMax` at a time. `work` must not reject. */
export async function forEachBounded<Item>(
  items: Iterable<Item>,
  atOnceMax: number,
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnceMax }, worker));
}
