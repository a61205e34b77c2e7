/**
 * Pieces of text into a file descriptor, in order, one write at a time in the background. Whatever becomes of the reader
 * (it stops, it goes, the disk is full) costs pieces, never the process: what waits is bounded, a write that fails is
 * given up with its piece, and nobody waits for one but at the process's exit, for a bounded time.
 *
 * Must not know what a piece says.
 */

import { write, writeSync } from 'node:fs';

/** What becomes of pieces. */
export interface PieceWriter {
  write(piece: string): void;
  flushSync(): void;
  /** Told of each piece that is not written because too much waits. */
  onDrop(listener: () => void): void;
}

export interface PieceOutputOptions {
  readonly descriptor: number;
  /** What waits, in characters; a piece beyond it is dropped. */
  readonly waitingMax: number;
  /** Bytes of one write; undefined: as much as there is of the piece. */
  readonly writeMax?: number;
}

/** A pipe that does not block is full: its reader is slow. */
const fullCodes: ReadonlySet<string> = new Set(['EAGAIN', 'EBUSY', 'EINTR']);
/** Until a write is tried again: twice as long each time. A reader that keeps up empties a pipe in a moment. */
const fullAgainFirstMs = 2;
const fullAgainMaxMs = 100;
/** How long a full pipe is waited for at the exit. */
const exitWaitMs = 1000;
const exitAgainMs = 10;

export class PieceOutput implements PieceWriter {
  readonly #options: PieceOutputOptions;
  readonly #waiting: string[] = [];
  #waitingLength = 0;
  /** What a write is under way for. */
  #current: { readonly bytes: Buffer; from: number } | undefined;
  #againMs = fullAgainFirstMs;
  #dropped = (): void => undefined;

  constructor(options: PieceOutputOptions) {
    this.#options = options;
  }

  onDrop(listener: () => void): void {
    this.#dropped = listener;
  }

  /** Begins to write where nothing is being written. */
  write(piece: string): void {
    if (this.#waitingLength + piece.length > this.#options.waitingMax) {
      this.#dropped();
      return;
    }
    this.#waiting.push(piece);
    this.#waitingLength += piece.length;
    this.#begin();
  }

  /** Writes all that waits, behind what is being written in the background. @throws Error of the system's where it can't. */
  flushSync(): void {
    const endMs = performance.now() + exitWaitMs;
    for (let piece = this.#next(); piece !== undefined; piece = this.#next()) {
      for (let from = 0; from < piece.length;) from += this.#writeNow(piece, from, endMs);
    }
  }

  #begin(): void {
    if (this.#current !== undefined) return;
    const bytes = this.#next();
    if (bytes === undefined) return;
    this.#current = { bytes, from: 0 };
    this.#writeOn(this.#current);
  }

  #next(): Buffer | undefined {
    const piece = this.#waiting.shift();
    if (piece === undefined) return undefined;
    this.#waitingLength -= piece.length;
    return Buffer.from(piece, 'utf8');
  }

  #writeOn(current: { readonly bytes: Buffer; from: number }): void {
    const { bytes, from } = current;
    const length = this.#lengthOf(bytes, from);
    write(this.#options.descriptor, bytes, from, length, null, (error, written) => {
      if (error !== null && fullCodes.has(error.code ?? '')) {
        setTimeout(() => this.#writeOn(current), this.#againMs).unref();
        this.#againMs = Math.min(2 * this.#againMs, fullAgainMaxMs);
        return;
      }
      this.#againMs = fullAgainFirstMs;
      current.from += written;
      if (error === null && current.from < bytes.length) {
        this.#writeOn(current);
        return;
      }
      this.#current = undefined;
      this.#begin();
    });
  }

  /** @returns bytes written; 0 after a pause, where the reader is slow */
  #writeNow(bytes: Buffer, from: number, endMs: number): number {
    try {
      return writeSync(this.#options.descriptor, bytes, from, this.#lengthOf(bytes, from));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (!fullCodes.has(code) || performance.now() > endMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, exitAgainMs);
      return 0;
    }
  }

  #lengthOf(bytes: Buffer, from: number): number {
    return Math.min(bytes.length - from, this.#options.writeMax ?? Infinity);
  }
}
