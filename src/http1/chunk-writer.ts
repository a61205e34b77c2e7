/**
 * Frames data as chunked (RFC 9112 section 7.1), for a body that came without a length of its own.
 *
 * Must not know where the data goes. The data itself is never copied: write head, data, `chunkEnd`.
 */

/** Behind each chunk's data. */
export const chunkEnd: Buffer = Buffer.from('\r\n', 'latin1');

/** The end of the body, without trailers. */
export const lastChunk: Buffer = Buffer.from('0\r\n\r\n', 'latin1');

/**
 * The line before `length` bytes of data.
 * @throws RangeError for a length of 0, which would be the last chunk, or one that is no count
 */
export function chunkHead(length: number): string {
  if (!Number.isSafeInteger(length) || length <= 0) throw new RangeError(`no chunk has ${length} bytes`);
  return `${length.toString(16)}\r\n`;
}
