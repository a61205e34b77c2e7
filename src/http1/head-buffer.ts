/**
 * Is the head complete? Collects the bytes of one head across reads, within a bound, and finds the surplus.
 *
 * Must not know what a head says: it calls the reader of the side it is used on. A head that comes whole in one
 * piece is read where it lies; only the pieces of a cut head are copied.
 */

import { CR, LF } from './grammar.ts';
import { effectiveHeadBytes, type HeadLimits, type HeadStep } from './head-lines.ts';

/** Reads a head at `from`: readRequestHead or readResponseHead with its limits. */
export type ReadHead<Head> = (bytes: Buffer, from: number) => HeadStep<Head>;

const more: HeadStep<never> = { kind: 'more' };
const firstCapacity = 2048;

export class HeadBuffer {
  readonly #bytesMax: number;
  #kept: Buffer | undefined;
  #length = 0;

  constructor(limits: HeadLimits) {
    this.#bytesMax = effectiveHeadBytes(limits);
  }

  /** Bytes of an unfinished head that are kept here: whether the next head has begun. */
  get length(): number {
    return this.#length;
  }

  /**
   * Goes on with the head at `from` in the next piece.
   * @returns the step; `end` is an index in `piece`, behind the head. Where it is 'head' or 'refused' the buffer is
   *   empty again. Never throws if `read` does not.
   */
  step<Head>(piece: Buffer, from: number, read: ReadHead<Head>): HeadStep<Head> {
    if (from >= piece.length) return more;
    if (this.#length === 0) {
      const step = read(piece, from);
      if (step.kind === 'more') this.#keep(piece, from);
      return step;
    }
    const before = this.#length;
    const news = this.#kept![before - 1] === CR || piece.indexOf(LF, from) !== -1 || piece.indexOf(CR, from) !== -1;
    this.#keep(piece, from);
    // Without a line's end or the limit reached the verdict can't have changed: this bounds a slow sender's cost.
    if (!news && this.#length < this.#bytesMax) return more;
    const step = read(this.#kept!.subarray(0, this.#length), 0);
    if (step.kind === 'more') return step;
    this.#length = 0;
    this.#kept = undefined;
    return step.kind === 'head' ? { kind: 'head', head: step.head, end: from + step.end - before } : step;
  }

  /** Copies what may still belong to the head; a read-ahead buffer of 64 KiB is not kept alive by a few bytes of it. */
  #keep(piece: Buffer, from: number): void {
    const length = Math.min(this.#length + piece.length - from, this.#bytesMax);
    if (this.#kept === undefined || this.#kept.length < length) {
      const capacity = Math.min(this.#bytesMax, Math.max(firstCapacity, length * 2));
      const grown = Buffer.allocUnsafeSlow(capacity);
      this.#kept?.copy(grown, 0, 0, this.#length);
      this.#kept = grown;
    }
    piece.copy(this.#kept, this.#length, from, from + length - this.#length);
    this.#length = length;
  }
}
