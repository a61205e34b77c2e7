/** Reading a whole body that somebody else made: never more of it than was agreed. */

/** As UTF-8. Undefined: it has more than `bytesMax` bytes, and the stream is destroyed. Rejects as the stream does. */
export async function readBounded(stream: AsyncIterable<Buffer>, bytesMax: number): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes > bytesMax) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
