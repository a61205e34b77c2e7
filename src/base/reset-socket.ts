/**
 * Closing a connection by RST, so that the peer can't take its end for the end of what was sent (rules 11).
 *
 * Must not know HTTP, or why a connection is cut.
 */

import type { Socket } from 'node:net';

/** What lies under a TLS socket: there, and only there, is a connection to be reset. */
const carriers = new WeakMap<Socket, Socket>();

/** From now on to reset `secured` is to reset `carrier`: no close_notify goes out before the RST. */
export function setCarrier(secured: Socket, carrier: Socket): void {
  carriers.set(secured, carrier);
}

/**
 * Closes the socket by RST; 'close' always follows.
 *
 * While a FIN is being handed to the kernel libuv refuses to reset (EINVAL), and Node then neither closes the socket
 * nor tells of it: the descriptor would stay open for ever, and the process could not end. The FIN was the last word
 * there anyway, so such a socket is closed as it is.
 */
export function resetSocket(socket: Socket): void {
  const isFinBeingSent = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (isFinBeingSent) socket.destroy();
  else (carriers.get(socket) ?? socket).resetAndDestroy();
}
