/**
 * What every reader of a body answers, whatever frames it.
 *
 * Must not know framings: body-end.ts picks the reader.
 */

import type { CloseReason } from '../base/close-reasons.ts';

/** What one piece held. The same object is returned by every `scan` of one reader: read it before the next call. */
export interface BodyScan {
  state: 'more' | 'ended' | 'refused';
  /** Index behind the last byte of this body in this piece; where it is refused: of the byte that is illegal. */
  end: number;
  /** Index at which the possible end mark begins in this piece; `end` if none does. */
  markFrom: number;
  /**
   * Bytes at the end of EARLIER pieces that still belong to the possible mark. They were reported by the
   * `markFrom` of those pieces; 0 says that whatever was held back of them is ordinary body.
   */
  markSpans: number;
  /** Index at which the trailer section begins or goes on in this piece, its empty line included; `end`: it does not. */
  trailerFrom: number;
  /** Set where `state` is 'refused'. */
  reason: CloseReason | undefined;
}

export interface BodyReader {
  /**
   * Goes on at `from` in the next piece; not called again after 'ended' or 'refused'. Never throws.
   * @returns the reader's one result object
   */
  scan(bytes: Buffer, from: number): BodyScan;
}

export interface BodyOptions {
  /** Who sends it: which reasons a refusal has. */
  readonly sender: 'client' | 'upstream';
  /** Longest trailer section. */
  readonly trailerBytesMax: number;
  /** Most field lines of the trailer section; absent: as many as fit. */
  readonly trailerFieldsMax?: number | undefined;
  /** Longest body, frame not counted; absent or 0: no limit. */
  readonly bodyBytesMax?: number;
  /** Called for each run of data of a chunked body, without its frame: `bytes[start..end)`. Must not throw. */
  readonly onData?: (start: number, end: number) => void;
  /** Called for each run of chunk extensions, with the white space around them: `bytes[start..end)`. Must not throw. */
  readonly onExtension?: (start: number, end: number) => void;
}
