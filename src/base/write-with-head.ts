/**
 * Writes a head and the first pieces of what follows it as one segment, as cheaply as Node allows.
 *
 * Must not know HTTP.
 */

import type { Socket } from 'node:net';

/**
 * Up to here a single piece is copied behind the head: one string is cheaper to write than two buffers in a vector.
 * Larger ones and several are written in one system call, uncopied.
 */
const joinBytesMax = 16_384;

/** @param head latin1. @returns what the socket's write() does: false asks to wait for 'drain'. */
export function writeWithHead(socket: Socket, head: string, pieces: readonly Buffer[]): boolean {
  const first = pieces[0];
  if (first === undefined) return socket.write(head, 'latin1');
  if (pieces.length === 1 && first.length <= joinBytesMax) {
    return socket.write(head + first.toString('latin1'), 'latin1');
  }
  socket.cork();
  socket.write(head, 'latin1');
  const room = writePieces(socket, pieces);
  socket.uncork();
  return room;
}

/** Writes pieces in one system call, uncopied. @returns what the socket's last write() does */
export function writePieces(socket: Socket, pieces: readonly Buffer[]): boolean {
  if (pieces.length === 1) return socket.write(pieces[0]!);
  socket.cork();
  let room = true;
  for (const piece of pieces) room = socket.write(piece);
  socket.uncork();
  return room;
}
