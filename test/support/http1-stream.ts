/**
 * A connection without a socket: turns the pieces of a byte stream into events, with the real parts of src/http1/.
 * It also plays the holder of end marks, as the data path does in sync mode, and asserts what it must be able to rely on.
 */

import assert from 'node:assert/strict';
import type { CloseReason } from '../../src/base/close-reasons.ts';
import { type BodyReader, createBodyReader } from '../../src/http1/body-end.ts';
import type { Framing } from '../../src/http1/framing.ts';
import { HeadBuffer } from '../../src/http1/head-buffer.ts';
import { type HeadLimits, type HeadStep, readRequestHead, type RequestHead } from '../../src/http1/request-head.ts';
import { readResponseHead, type ResponseHead } from '../../src/http1/response-head.ts';

/** Near the defaults of the configuration; a target of 8000 bytes is what RFC 9112 section 3 asks for, and the corpus goes by. */
export const usualLimits: HeadLimits = { headBytes: 32_000, targetBytes: 8000, fields: 100 };

export interface StreamMessage<Head> {
  readonly head: Head;
  /** The body without its frame. */
  body: string;
  complete: boolean;
  /** The bytes that were the end mark when the body ended; '' for none. */
  mark: string;
}

/** What came out of a stream. */
export interface StreamResult<Head> {
  readonly messages: StreamMessage<Head>[];
  refused: CloseReason | undefined;
  /** Bytes behind the last message that the connection is read for. */
  surplus: number;
  /** A head has begun and is not complete. */
  unfinished: boolean;
}

interface AnyHead {
  readonly framing: Framing;
  readonly keepAlive: boolean;
}

type ReadHead<Head> = (bytes: Buffer, from: number) => HeadStep<Head>;

export interface StreamOptions {
  readonly limits?: HeadLimits;
  readonly trailerBytesMax?: number;
  readonly bodyBytesMax?: number;
}

/** Reads the pieces of a client's stream. */
export function readRequests(pieces: Iterable<Buffer>, options: StreamOptions = {}): StreamResult<RequestHead> {
  const limits = options.limits ?? usualLimits;
  return readStream(pieces, {
    ...options,
    sender: 'client',
    read: (bytes, from) => readRequestHead(bytes, from, limits),
    goesOn: (head) => head.keepAlive,
  });
}

/** Reads the pieces of an upstream's answer to one request: interim heads, then the final one. */
export function readResponses(
  pieces: Iterable<Buffer>,
  options: StreamOptions & { readonly method?: string; readonly upgrade?: string } = {},
): StreamResult<ResponseHead> {
  const limits = options.limits ?? usualLimits;
  const answering = { method: options.method ?? 'GET', upgrade: options.upgrade };
  return readStream(pieces, {
    ...options,
    sender: 'upstream',
    read: (bytes, from) => readResponseHead(bytes, from, limits, answering),
    goesOn: (head) => head.status < 200 && head.status !== 101,
  });
}

interface Side<Head> extends StreamOptions {
  readonly sender: 'client' | 'upstream';
  readonly read: ReadHead<Head>;
  /** Whether another message may follow this one. */
  readonly goesOn: (head: Head) => boolean;
}

function readStream<Head extends AnyHead>(pieces: Iterable<Buffer>, side: Side<Head>): StreamResult<Head> {
  const result: StreamResult<Head> = { messages: [], refused: undefined, surplus: 0, unfinished: false };
  const buffer = new HeadBuffer(side.limits ?? usualLimits);
  let body: Body | undefined;
  let open = true;
  for (const piece of pieces) {
    let at = 0;
    while (open && at < piece.length) {
      if (body === undefined) {
        const step = buffer.step(piece, at, side.read);
        if (step.kind === 'more') break;
        if (step.kind === 'refused') {
          result.refused = step.reason;
          open = false;
          break;
        }
        at = step.end;
        const message = { head: step.head, body: '', complete: step.head.framing.kind === 'none', mark: '' };
        result.messages.push(message);
        if (message.complete) open = side.goesOn(step.head);
        else body = new Body(step.head.framing, message, side);
      } else {
        const { state, reason, end } = body.go(piece, at);
        if (state === 'more') break;
        at = end;
        if (state === 'refused') {
          result.refused = reason;
          open = false;
        } else {
          open = side.goesOn(result.messages.at(-1)!.head);
        }
        body = undefined;
      }
    }
    if (!open && result.refused === undefined) result.surplus += piece.length - at;
  }
  result.unfinished = buffer.length > 0;
  return result;
}

/** Reads a body and holds back what may be its end mark. */
class Body {
  readonly #reader: BodyReader;
  readonly #message: { body: string; complete: boolean; mark: string };
  readonly #chunked: boolean;
  #piece: Buffer = Buffer.alloc(0);
  #held = '';

  constructor(
    framing: Framing,
    message: { body: string; complete: boolean; mark: string },
    side: StreamOptions & { sender: 'client' | 'upstream' },
  ) {
    this.#message = message;
    this.#chunked = framing.kind === 'chunked';
    this.#reader = createBodyReader(framing, {
      sender: side.sender,
      trailerBytesMax: side.trailerBytesMax ?? 8192,
      bodyBytesMax: side.bodyBytesMax ?? 0,
      onData: (start, end) => {
        assert(start < end, 'an empty run of data was reported');
        message.body += this.#piece.toString('latin1', start, end);
      },
    });
  }

  go(piece: Buffer, from: number) {
    this.#piece = piece;
    const scan = this.#reader.scan(piece, from);
    const { end, markFrom, markSpans } = scan;
    if (scan.state === 'refused') return scan;
    assert(from <= markFrom && markFrom <= end && end <= piece.length, 'the mark lies in the piece');
    assert(markSpans === 0 || markFrom === from, 'a mark that began earlier goes on at the start of the piece');
    assert(markSpans === 0 || markSpans === this.#held.length, 'held back: all of the mark or nothing of it');
    if (!this.#chunked) this.#message.body += piece.toString('latin1', from, end);
    this.#held = (markSpans === 0 ? '' : this.#held) + piece.toString('latin1', markFrom, end);
    if (scan.state === 'ended') {
      this.#message.complete = true;
      this.#message.mark = this.#held;
    }
    return scan;
  }
}

/** Pieces of a stream, cut at the given places. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.filter((place) => place > 0 && place < bytes.length), bytes.length].sort(
    (a, b) => a - b,
  );
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

/** The ways to cut that every stream is fed in: whole, byte by byte, at each line end, around each LF and colon. */
export function usualCuts(bytes: Buffer): [name: string, pieces: Buffer[]][] {
  const lineEnds: number[] = [];
  const edges: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 10) lineEnds.push(at + 1);
    if (bytes[at] === 10 || bytes[at] === 13 || bytes[at] === 58 || bytes[at] === 59) edges.push(at, at + 1);
  }
  return [
    ['whole', [bytes]],
    [
      'byte by byte',
      cutAt(
        bytes,
        Array.from({ length: bytes.length }, (_, at) => at),
      ),
    ],
    ['cut at every line end', cutAt(bytes, lineEnds)],
    ['cut around CR, LF, colon and semicolon', cutAt(bytes, edges)],
  ];
}
