/**
 * Reads the heads of one attempt's answer: any number of interim ones (1xx), up to a bound, then the final one.
 *
 * Must not know sockets or what is done with a head.
 */

import { HeadBuffer } from '../http1/head-buffer.ts';
import type { HeadLimits } from '../http1/request-head.ts';
import { type Answering, readResponseHead, type ResponseHead } from '../http1/response-head.ts';

/** More 1xx heads than this answer no request: an upstream that sends them is broken. */
const interimHeadsMax = 32;

export type ResponseStep =
  | { readonly kind: 'more' }
  /** `end`: index of the first byte behind the head. A 101 is final: nothing of HTTP follows it. */
  | { readonly kind: 'interim' | 'final'; readonly head: ResponseHead; readonly end: number }
  | { readonly kind: 'malformed' };

const more: ResponseStep = { kind: 'more' };
const malformed: ResponseStep = { kind: 'malformed' };

export class ResponseReader {
  readonly #limits: HeadLimits;
  readonly #answering: Answering;
  /** Made only for a head that did not come in one piece. */
  #cut: HeadBuffer | undefined;
  #interim = 0;

  constructor(limits: HeadLimits, answering: Answering) {
    this.#limits = limits;
    this.#answering = answering;
  }

  /** Goes on at `from`. After 'interim' it is called again for the rest of the piece, after 'final' no more. */
  read(bytes: Buffer, from: number): ResponseStep {
    if (from >= bytes.length) return more;
    const step = this.#step(bytes, from);
    if (step.kind === 'more') return more;
    if (step.kind === 'refused') return malformed;
    const { status } = step.head;
    if (status >= 200 || status === 101) return { kind: 'final', head: step.head, end: step.end };
    this.#interim++;
    return this.#interim > interimHeadsMax ? malformed : { kind: 'interim', head: step.head, end: step.end };
  }

  #step(bytes: Buffer, from: number): ReturnType<typeof readResponseHead> {
    if (this.#cut === undefined) {
      const step = readResponseHead(bytes, from, this.#limits, this.#answering);
      if (step.kind !== 'more') return step;
      this.#cut = new HeadBuffer(this.#limits);
    }
    return this.#cut.step(bytes, from, (piece, start) => readResponseHead(piece, start, this.#limits, this.#answering));
  }
}
