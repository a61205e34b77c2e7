/**
 * Stands before a reader and passes every byte on as it comes, in both directions, and keeps a copy.
 *
 * Must not know what the bytes mean.
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { resetSocket } from '../../src/base/reset-socket.ts';

export interface Recording {
  /** latin1. */
  sent: string;
  /** For each piece of `sent`: its end, and its number among the pieces of all connections. */
  readonly pieces: { readonly end: number; readonly number: number }[];
  answered: string;
  /** Both ends are closed. */
  over: boolean;
}

export class Recorder {
  readonly recordings: Recording[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #pieces = 0;

  /** Use Recorder.start(). */
  constructor(readerPort: number) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#splice(socket, readerPort));
  }

  static async start(readerPort: number): Promise<Recorder> {
    const recorder = new Recorder(readerPort);
    await new Promise<void>((resolve) => recorder.#server.listen(0, '127.0.0.1', resolve));
    return recorder;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #splice(near: Socket, port: number): void {
    const recording: Recording = { sent: '', pieces: [], answered: '', over: false };
    this.recordings.push(recording);
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    let open = 2;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (bytes: Buffer) => {
        if (from === near) {
          recording.sent += bytes.toString('latin1');
          recording.pieces.push({ end: recording.sent.length, number: this.#pieces++ });
        } else recording.answered += bytes.toString('latin1');
        to.write(bytes);
      });
      from.on('end', () => to.end());
      from.on('error', () => undefined);
      from.on('close', (hadError) => {
        this.#sockets.delete(from);
        open--;
        recording.over = open === 0;
        // A reset stays a reset.
        if (hadError) resetSocket(to);
        else to.destroySoon();
      });
    }
  }
}
