/**
 * One answer on its way to the client: which of its bytes may leave now, and in which framing.
 *
 * What is held is the end mark: the last byte of a Content-Length, the last chunk with its trailers, our own last
 * chunk where the body came framed by the connection's end, the head where there is no body (rules 8). The head is
 * held too where the role asks for it, and whenever the body's end came before the head was written (rules 9): then
 * a refusal is a clean answer and no cut. While the head is held up to `holdBytes` of the body wait with it; then
 * the head leaves and the end mark alone is held (rules 10).
 *
 * An HTTP/1.0 client can't read chunks. What must be held is collected for it and gets a Content-Length; what
 * outgrows that, or need not be held, ends with the connection (rules 11).
 *
 * Must not know sockets, pods or why an answer is held.
 */

import { appendPiece } from '../base/append-piece.ts';
import { type BodyReader, type BodyScan, createBodyReader } from '../http1/body-end.ts';
import { chunkEnd, chunkHead, lastChunk } from '../http1/chunk-writer.ts';
import type { ClientFraming } from '../http1/forward-response-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';

/** Where an answer's bytes go. */
export interface AnswerSink {
  /** The head's text; asked for once, at the moment it leaves. */
  headText(framing: ClientFraming): string;
  /** The head, if it leaves now, and pieces of the body. At least one of them. */
  writeAnswer(head: string | undefined, pieces: readonly Buffer[]): void;
}

export interface AnswerOptions {
  readonly hold: 'none' | 'end' | 'head';
  readonly clientMinor: 0 | 1;
  readonly holdBytesMax: number;
  readonly trailerBytesMax: number;
  readonly trailerFieldsMax?: number | undefined;
  readonly sink: AnswerSink;
}

export type AnswerStep = 'more' | 'complete' | 'malformed';

const asIs: ClientFraming = { kind: 'as-is' };

export class Answer {
  readonly #reader: BodyReader | undefined;
  readonly #options: AnswerOptions;
  readonly #untilClose: boolean;
  /** The head says how long the body is. */
  readonly #measured: boolean;
  /** How the body is written: as it came, in chunks of our own, or as the bare data of its chunks. */
  readonly #writes: 'as-is' | 'chunks' | 'data';
  /** Towards this client the body has no end of its own. */
  readonly #lengthless: boolean;
  /** The piece being read, for the runs of data that the reader reports. */
  #piece: Buffer | undefined;
  /** May leave with the next write. */
  #ready: Buffer[] = [];
  #readyBytes = 0;
  /** May be the end mark, or the beginning of it. */
  #mark: Buffer[] = [];
  #headHeld: boolean;
  #headLeft = false;
  #complete: boolean;
  #outgrown = false;
  #end = 0;

  constructor(head: ResponseHead, options: AnswerOptions) {
    const { framing } = head;
    const { clientMinor, hold } = options;
    this.#options = options;
    this.#untilClose = framing.kind === 'close';
    this.#measured = framing.kind === 'length' || framing.kind === 'none';
    this.#lengthless = clientMinor === 0 && (framing.kind === 'chunked' || framing.kind === 'close');
    this.#headHeld = hold === 'head' || (hold === 'end' && this.#lengthless);
    this.#writes = framing.kind === 'close' && clientMinor === 1 ? 'chunks' : 'as-is';
    this.#complete = framing.kind === 'none';
    if (framing.kind === 'none' || framing.kind === 'close') return;
    const { trailerBytesMax, trailerFieldsMax } = options;
    const body = { sender: 'upstream', trailerBytesMax, trailerFieldsMax } as const;
    if (this.#lengthless) {
      this.#writes = 'data';
      const onData = (start: number, end: number): void => this.#take(this.#piece!, start, end);
      this.#reader = createBodyReader(framing, { ...body, onData });
    } else this.#reader = createBodyReader(framing, body);
  }

  /** A head was written: a failure can't be answered any more, only be made visible. */
  get headLeft(): boolean {
    return this.#headLeft;
  }

  /**
   * A plain close in the middle could be taken for the end (rules 11): by everybody where the connection's end is the
   * body's, and in chunks by some (Python's http.client behind the line of the last one, PHP's streams anywhere).
   */
  get closeMayPassForEnd(): boolean {
    return this.#headLeft && !this.#measured;
  }

  /** Was to be held for an HTTP/1.0 client, but outgrew `holdBytes`. */
  get heldInVain(): boolean {
    return this.#outgrown && this.#lengthless;
  }

  /** The body has arrived whole; true from the start where there is none. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Pieces of what was read still wait here. */
  get keepsBytes(): boolean {
    return this.#ready.length > 0 || this.#mark.length > 0;
  }

  /** Index behind the answer's last byte in the piece that read() was given last. */
  get end(): number {
    return this.#end;
  }

  /** Reads on at `from` and writes what may leave. Not called again after 'complete' or 'malformed'. */
  read(bytes: Buffer, from: number): AnswerStep {
    if (this.#untilClose) {
      this.#end = bytes.length;
      this.#take(bytes, from, bytes.length);
    } else {
      this.#piece = bytes;
      const scan = this.#reader!.scan(bytes, from);
      this.#piece = undefined;
      if (scan.state === 'refused') return 'malformed';
      this.#end = scan.end;
      this.#complete = scan.state === 'ended';
      if (this.#writes === 'as-is') this.#takeScanned(bytes, from, scan);
      if (this.#complete) return 'complete';
    }
    if (this.#headHeld && this.#readyBytes > this.#options.holdBytesMax) {
      this.#headHeld = false;
      this.#outgrown = true;
    }
    if (!this.#headHeld) this.#write(false);
    return 'more';
  }

  /** The connection ended, and with it a body that is framed so. @returns false where the body is cut short */
  connectionEnded(): boolean {
    if (!this.#untilClose) return false;
    this.#complete = true;
    if (this.#writes === 'chunks') this.#mark.push(lastChunk);
    return true;
  }

  /** The answer is complete but may not leave yet: all but the end mark does, if the head has left. */
  waitForVerdict(): void {
    if (this.#headLeft && this.#ready.length > 0) this.#write(false);
  }

  /** The answer is complete and may leave. */
  leave(): void {
    if (this.#headLeft && this.#ready.length === 0 && this.#mark.length === 0) return;
    this.#write(true);
  }

  #takeScanned(bytes: Buffer, from: number, scan: BodyScan): void {
    if (this.#options.hold === 'none') {
      this.#push(bytes, from, scan.end);
      return;
    }
    // What was held back of earlier pieces was no end mark after all.
    if (scan.markSpans === 0 && this.#mark.length > 0) {
      for (const piece of this.#mark) this.#push(piece, 0, piece.length);
      this.#mark = [];
    }
    // With the head still here everything leaves together: no need to cut the piece in two.
    if (this.#complete && !this.#headLeft && this.#mark.length === 0) {
      this.#push(bytes, from, scan.end);
      return;
    }
    this.#push(bytes, from, scan.markFrom);
    if (scan.markFrom < scan.end) appendPiece(this.#mark, bytes.subarray(scan.markFrom, scan.end));
  }

  /** Data of a body that is framed anew. */
  #take(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    if (this.#writes === 'chunks') appendPiece(this.#ready, Buffer.from(chunkHead(end - start), 'latin1'));
    this.#push(bytes, start, end);
    if (this.#writes === 'chunks') appendPiece(this.#ready, chunkEnd);
  }

  #push(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    appendPiece(this.#ready, start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    this.#readyBytes += end - start;
  }

  #write(withMark: boolean): void {
    const { sink } = this.#options;
    const pieces = withMark && this.#mark.length > 0 ? [...this.#ready, ...this.#mark] : this.#ready;
    const head = this.#headLeft ? undefined : sink.headText(this.#framing());
    this.#headLeft = true;
    this.#headHeld = false;
    this.#ready = [];
    this.#readyBytes = 0;
    if (withMark) this.#mark = [];
    if (head !== undefined || pieces.length > 0) sink.writeAnswer(head, pieces);
  }

  #framing(): ClientFraming {
    if (this.#writes === 'chunks') return { kind: 'chunked' };
    if (!this.#lengthless) return asIs;
    // Collected whole before its head left, so that its length is known now.
    return this.#complete ? { kind: 'length', length: this.#readyBytes } : { kind: 'close' };
  }
}
