/**
 * A client's socket: read into memory that all share where that can be done, written as cheaply as it goes, and closed
 * in the ways that a client can tell apart.
 *
 * Ten thousand of them may be idle, so what each of them holds for that is kept small.
 *
 * Must not know HTTP, nor what is read or written.
 */

import type { Socket } from 'node:net';

import { resetSocket } from '../base/reset-socket.ts';
import { readSocket, type SocketReads } from '../base/socket-reader.ts';
import { SocketWriter } from '../base/socket-writer.ts';

/** Who has the socket. What these throw comes back as fault(). */
export interface ClientSocketOwner extends Pick<SocketReads, 'keepsNextRead' | 'keepsLastRead'> {
  /** Bytes have come. What is kept of them, or given to others, must be owned() before this returns. */
  received(bytes: Buffer): void;
  /** The client's FIN. */
  ended(): void;
  /** What was written has been taken, after a write that was told to wait. */
  drained(): void;
  /** The socket is gone; the last call. */
  closed(): void;
  fault(error: unknown): void;
}

const ended = (owner: ClientSocketOwner): void => owner.ended();
const drained = (owner: ClientSocketOwner): void => owner.drained();
const closed = (owner: ClientSocketOwner): void => owner.closed();

export class ClientSocket implements SocketReads {
  readonly #socket: Socket;
  readonly #writer: SocketWriter;
  readonly #owner: ClientSocketOwner;
  #isClosed = false;
  /** What is being read where it stands in memory that all connections share. */
  #lent: Buffer | undefined;

  /** @param socket nobody listens to it yet */
  constructor(socket: Socket, owner: ClientSocketOwner) {
    this.#owner = owner;
    readSocket(socket, this);
    this.#socket = socket;
    this.#writer = new SocketWriter(socket);
    // 'close' always follows an error and does the work.
    socket.on('error', ignored);
    socket.on('end', () => this.#tell(ended));
    socket.on('drain', () => this.#tell(drained));
    socket.on('close', () => {
      this.#isClosed = true;
      this.#writer.drop();
      this.#tell(closed);
    });
  }

  /** Bytes that the kernel has not taken although they were offered. */
  get stuckBytes(): number {
    return this.#writer.stuckBytes;
  }

  read(bytes: Buffer, isShared: boolean): void {
    this.#lent = isShared ? bytes : undefined;
    try {
      this.#owner.received(bytes);
    } catch (error) {
      this.#owner.fault(error);
    }
    this.#lent = undefined;
  }

  keepsNextRead(): boolean {
    return this.#owner.keepsNextRead();
  }

  keepsLastRead(): boolean {
    return this.#owner.keepsLastRead();
  }

  /** What follows `from` of bytes that were received, to be kept: a copy where they were only lent. */
  owned(bytes: Buffer, from: number): Buffer {
    const rest = from === 0 ? bytes : bytes.subarray(from);
    return bytes === this.#lent ? Buffer.from(rest) : rest;
  }

  /** @returns false where the caller should wait for drained() before it writes more */
  write(data: Buffer | string): boolean {
    return this.#isClosed || this.#writer.write(data);
  }

  /** Returns what write() does. */
  writeWithHead(head: string, pieces: readonly Buffer[]): boolean {
    return this.#isClosed || this.#writer.writeWithHead(head, pieces);
  }

  /** Returns what write() does. */
  writePieces(pieces: readonly Buffer[]): boolean {
    return this.#isClosed || this.#writer.writePieces(pieces);
  }

  /** Calls `done` when the kernel has taken what was offered to it: at once if it has, or if the socket is gone. */
  whenTaken(done: () => void): void {
    if (this.#isClosed || this.#writer.stuckBytes === 0) done();
    else this.#writer.afterStuck(() => this.#tell(done));
  }

  /** Writes what waits for the turn's end, now. */
  flush(): void {
    this.#writer.flush();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** A FIN behind what was written; reading goes on. */
  end(): void {
    if (this.#isClosed) return;
    this.#writer.flush();
    this.#socket.end();
  }

  /** Closes it; what the kernel has taken still leaves. */
  destroy(): void {
    this.#writer.flush();
    this.#socket.destroy();
  }

  /** Closes it by RST. */
  reset(): void {
    this.#writer.flush();
    resetSocket(this.#socket);
  }

  #tell(what: (owner: ClientSocketOwner) => void): void {
    try {
      what(this.#owner);
    } catch (error) {
      this.#owner.fault(error);
    }
  }
}

function ignored(): void {
  // Nothing more to say about it.
}
