/**
 * Lists of bytes that wait, for another attempt or for a verdict, as they were read.
 *
 * A piece costs more than its bytes: a slice keeps all that was read with it, up to 64 KiB for a single byte. So a
 * peer that sends byte by byte would cost thousands of times what it sends. Small pieces are joined; the first one
 * of a list is never copied, since most lists have no other.
 *
 * Must not know what waits, or how long.
 */

/** Pieces are joined up to this: then what one of them keeps is at most some sixteen times its bytes. */
const joinedBytesMax = 4096;

/** Adds a piece at the end of a list, joined with the last one where both are small. The bytes are not changed. */
export function appendPiece(pieces: Buffer[], piece: Buffer): void {
  const last = pieces.at(-1);
  if (last === undefined || last.length + piece.length > joinedBytesMax) pieces.push(piece);
  else pieces[pieces.length - 1] = Buffer.concat([last, piece]);
}
