/**
 * A socket to a pod that reads what has arrived before a failed write ends it.
 *
 * An application that answers an upload early and closes leaves bytes unread, so that the kernel resets the
 * connection (RFC 9112 section 9.6). Its answer is here by then, but the upload's next write fails first, and Node
 * closes a socket at a failed write: the client would get a 502 in the place of a 413.
 *
 * Must not know HTTP, or who uses it.
 */

import { Socket } from 'node:net';

export class PodSocket extends Socket {
  #ending = false;

  /** A failed write is followed by one whole turn of the event loop, in which what is here is read. */
  override destroy(error?: Error & { readonly syscall?: string }): this {
    if (error?.syscall !== 'write') return super.destroy(error);
    if (!this.#ending) setImmediate(() => setImmediate(() => super.destroy(error)));
    this.#ending = true;
    return this;
  }
}
