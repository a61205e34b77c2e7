/**
 * Writes to one socket as cheaply as Node and the kernel allow: a head and what follows it as one segment, and small
 * texts not at once but at the end of the event loop's turn, together with those for other sockets.
 *
 * Why they wait: each write to a peer that sleeps wakes it. One that is woken, finds one message and sleeps again costs
 * both sides more than the message; written one after the other, the messages of a turn find it awake
 * (docs/decisions/data-path-speed.md). A turn with one event waits for nothing.
 *
 * Only texts wait, never Buffers: a text is nobody's memory, so that what was read may be overwritten meanwhile.
 *
 * Must not know HTTP.
 */

import type { Socket } from 'node:net';

/**
 * Up to here a single piece is copied behind the head: one string is cheaper to write than two buffers in a vector.
 * Larger ones and several are written in one system call, uncopied.
 */
const joinBytesMax = 16_384;
/** What may wait for the end of the turn, for one socket. */
const waitingTextMax = 32_768;
/** Sockets that wait at most: a turn with more events writes in between, or the first would wait for the last. */
const waitingSocketsMax = 64;

export class SocketWriter {
  readonly #socket: Socket;
  #text = '';
  /** Whether the kernel may have taken a byte of what was written since this was last set to false. */
  mayHaveSent = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes that the kernel has not taken although they were offered; what waits for the end of the turn is none of them. */
  get stuckBytes(): number {
    return this.#socket.writableLength;
  }

  /** Whether a text waits for the end of the turn. */
  get waits(): boolean {
    return this.#text !== '';
  }

  /** @param data a text is latin1. @returns false where the caller should wait for 'drain' before it writes more */
  write(data: Buffer | string): boolean {
    if (typeof data === 'string') return this.#writeText(data);
    this.flush();
    return this.#offered(this.#socket.write(data));
  }

  /** A head and the first pieces of its body. @param head latin1. Returns what write() does. */
  writeWithHead(head: string, pieces: readonly Buffer[]): boolean {
    const first = pieces[0];
    if (first === undefined) return this.#writeText(head);
    if (pieces.length === 1 && first.length <= joinBytesMax) return this.#writeText(head + first.toString('latin1'));
    const text = this.#taken() + head;
    this.#socket.cork();
    this.#socket.write(text, 'latin1');
    const room = this.writePieces(pieces);
    this.#socket.uncork();
    return this.#offered(room);
  }

  /** Pieces in one system call, uncopied. Returns what write() does. */
  writePieces(pieces: readonly Buffer[]): boolean {
    this.flush();
    if (pieces.length === 1) return this.#offered(this.#socket.write(pieces[0]!));
    this.#socket.cork();
    let room = true;
    for (const piece of pieces) room = this.#socket.write(piece);
    this.#socket.uncork();
    return this.#offered(room);
  }

  /** Writes what waits, now. Before everything that must come behind it: a FIN, a pause, the next request. */
  flush(): void {
    if (this.#text !== '') this.#offered(this.#socket.write(this.#taken(), 'latin1'));
  }

  /** Calls `done` when the kernel has taken what is stuck; not where the socket closes before. */
  afterStuck(done: () => void): void {
    // Behind a FIN that is ordered even an empty write would be an error, which closes the socket and loses the rest.
    if (this.#socket.writableEnded) this.#socket.once('finish', done);
    else
      this.#socket.write('', 'latin1', (error) => {
        if (!error) done();
      });
  }

  /** Forgets what waits. */
  drop(): void {
    this.#text = '';
  }

  #writeText(text: string): boolean {
    // Behind what the kernel has not taken nothing is gained by waiting, and the caller has to be told to stop.
    if (this.#socket.writableLength > 0 || this.#text.length + text.length > waitingTextMax) {
      return this.#offered(this.#socket.write(this.#taken() + text, 'latin1'));
    }
    const isFirst = this.#text === '';
    this.#text += text;
    if (isFirst) atEndOfTurn(this);
    return true;
  }

  /** A write that fails while it is called has left nothing with the kernel; one that had to wait may have left a part. */
  #offered(room: boolean): boolean {
    if (this.#socket.writableCorked === 0 && this.#socket.errored === null) this.mayHaveSent = true;
    return room;
  }

  #taken(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }
}

let waiting: SocketWriter[] = [];
let isTurnEndSet = false;

function atEndOfTurn(writer: SocketWriter): void {
  waiting.push(writer);
  if (waiting.length >= waitingSocketsMax) flushAll();
  else if (!isTurnEndSet) {
    isTurnEndSet = true;
    setImmediate(endTurn);
  }
}

function endTurn(): void {
  isTurnEndSet = false;
  flushAll();
}

function flushAll(): void {
  const writers = waiting;
  waiting = [];
  for (const writer of writers) writer.flush();
}
