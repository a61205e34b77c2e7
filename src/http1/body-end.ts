/**
 * Where a body ends in the bytes (RFC 9112 sections 6 and 7), piece by piece, and from where on the bytes may be
 * its end mark: what has to be held back while nobody may believe that the message is complete (rules 8).
 *
 * Must not know heads or sockets, and keeps no bytes. Every byte of a chunked body's frame is checked before it may
 * be passed on; data is only counted.
 */

import type { BodyOptions, BodyReader, BodyScan } from './body-reader.ts';
import { ChunkedReader } from './chunked-body.ts';
import type { Framing } from './framing.ts';

export type { BodyOptions, BodyReader, BodyScan } from './body-reader.ts';

/** A reader for one body. A body that ends with the connection never reports 'ended'. */
export function createBodyReader(framing: Framing, options: BodyOptions): BodyReader {
  switch (framing.kind) {
    case 'none':
      return new LengthReader(0);
    case 'length':
      return new LengthReader(framing.length);
    case 'chunked':
      return new ChunkedReader(options);
    case 'close':
      return new LengthReader(Infinity);
  }
}

/** Content-Length: the end mark is the last byte. */
class LengthReader implements BodyReader {
  readonly #scan: BodyScan = { state: 'more', end: 0, markFrom: 0, markSpans: 0, trailerFrom: 0, reason: undefined };
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  scan(bytes: Buffer, from: number): BodyScan {
    const scan = this.#scan;
    const taken = Math.min(this.#left, bytes.length - from);
    this.#left -= taken;
    scan.end = from + taken;
    scan.markFrom = scan.end;
    scan.trailerFrom = scan.end;
    if (this.#left === 0) {
      scan.state = 'ended';
      if (taken > 0) scan.markFrom--;
    }
    return scan;
  }
}
