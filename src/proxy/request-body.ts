/**
 * The body of one request on its way to the pod: where it ends, whether it is legal and not too large, and the
 * first part of it kept for another attempt (rules 20).
 *
 * Trailers are checked and stay here (RFC 9110 section 6.5.2 lets them be lost anywhere): `php -S`, and whatever reads
 * with llhttp's Python binding (uvicorn), take them for fields of the head, and with them a session, an address or a
 * user that nobody on the way has seen. So do chunk extensions, which nobody uses (RFC 9112 section 7.1.1): behind a long
 * one Apache gives PHP an empty body.
 *
 * Must not know sockets. Data is passed on as it came, slices of what was read.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import { appendPiece } from '../base/append-piece.ts';
import type { Limits } from '../base/limits.ts';
import { type BodyReader, type BodyScan, createBodyReader } from '../http1/body-end.ts';
import type { Framing } from '../http1/framing.ts';

/** What read() returns where `fault` says why the body may not go on. */
export const illegal = -1;

const nothing: Buffer[] = [];
const noBytes = Buffer.alloc(0);
/** Ends a chunked body behind its last chunk. */
const emptyLine = Buffer.from('\r\n', 'latin1');

export class RequestBody {
  readonly #reader: BodyReader | undefined;
  readonly #replayBytesMax: number;
  #kept = nothing;
  #keptBytes = 0;
  #complete: boolean;
  #replayable = true;
  #fault: CloseReason | undefined;
  #passing: Buffer = noBytes;
  /** Where they begin and end in the piece that was read last. */
  readonly #extensions: number[] = [];

  constructor(framing: Framing, limits: Limits) {
    this.#complete = framing.kind === 'none';
    this.#replayBytesMax = limits.replayBytes;
    this.#reader = this.#complete
      ? undefined
      : createBodyReader(framing, {
          sender: 'client',
          trailerBytesMax: limits.headBytes,
          trailerFieldsMax: limits.fields,
          bodyBytesMax: limits.bodyBytes,
          onExtension: (start, end) => this.#extensions.push(start, end),
        });
  }

  /** The last byte has been read. */
  get complete(): boolean {
    return this.#complete;
  }

  /** What goes on of the piece that was read last. */
  get passing(): Buffer {
    return this.#passing;
  }

  /** Why no more of it may be forwarded; set by read(). */
  get fault(): CloseReason | undefined {
    return this.#fault;
  }

  /** Whether `kept` is all that was read so far. Stays true for a body that has not begun. */
  get replayable(): boolean {
    return this.#replayable;
  }

  /** What was read so far, as long as it is replayable; else nothing. */
  get kept(): readonly Buffer[] {
    return this.#kept;
  }

  /**
   * Reads on at `from`; not called again once complete or at fault.
   * @param unsent nothing of the body has been sent yet: what is read is kept whatever its size, since it is the
   *   only copy. That is one read at most: nothing more is read until it can be sent.
   * @returns the index behind the last byte of the body in this piece; `illegal` where there is a fault
   */
  read(bytes: Buffer, from: number, unsent: boolean): number {
    const scan = this.#reader!.scan(bytes, from);
    if (scan.state === 'refused') {
      this.#fault = scan.reason ?? 'bad-chunk';
      return illegal;
    }
    this.#complete = scan.state === 'ended';
    this.#passing = this.#passingOf(bytes, from, scan);
    if (this.#replayable) this.#keep(this.#passing, unsent);
    return scan.end;
  }

  /** The piece without extensions and its part of the trailers; an empty line at their end stands for all of them. */
  #passingOf(bytes: Buffer, from: number, { end, trailerFrom }: BodyScan): Buffer {
    // The last two bytes of any trailer section are its empty line.
    const asItIs = trailerFrom === end || (this.#complete && end - trailerFrom === 2);
    const to = asItIs ? end : trailerFrom;
    if (this.#extensions.length === 0 && (asItIs || !this.#complete)) return slice(bytes, from, to);
    const parts: Buffer[] = [];
    let start = from;
    for (let at = 0; at < this.#extensions.length; at += 2) {
      parts.push(bytes.subarray(start, this.#extensions[at]));
      start = this.#extensions[at + 1]!;
    }
    parts.push(bytes.subarray(start, to));
    if (!asItIs && this.#complete) parts.push(emptyLine);
    this.#extensions.length = 0;
    return Buffer.concat(parts);
  }

  #keep(piece: Buffer, unsent: boolean): void {
    this.#keptBytes += piece.length;
    if (this.#keptBytes > this.#replayBytesMax && !unsent) {
      this.#kept = nothing;
      this.#replayable = false;
    } else if (this.#kept === nothing) this.#kept = [piece];
    else appendPiece(this.#kept, piece);
  }
}

function slice(bytes: Buffer, from: number, end: number): Buffer {
  return from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end);
}
