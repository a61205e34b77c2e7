/**
 * A client's keep-alive connection at its cheapest: one request at a time, the answer only counted. Reads answers
 * with a Content-Length, which is what the backends here give.
 */

import { connect } from 'node:net';
import type { Socket } from 'node:net';

type Answered = (error?: Error) => void;

const lengthField = /\r\ncontent-length: *(\d+)/i;

export class ClientConnection {
  readonly #socket: Socket;
  #answered: Answered | undefined;
  /** A head that has not come whole; empty at nearly every answer. */
  #head = '';
  /** Of the body; undefined while the head is awaited. */
  #bytesLeft: number | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#read(bytes as Buffer));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the connection was closed')));
  }

  /** To a port of this machine. @throws Error where nobody listens. */
  static open(port: number): Promise<ClientConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new ClientConnection(socket)));
    });
  }

  /** Sends a request; `answered` is called once, when its answer is whole or will never be. */
  ask(request: Buffer, answered: Answered): void {
    this.#answered = answered;
    this.#socket.write(request);
  }

  close(): void {
    this.#answered = undefined;
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    if (this.#bytesLeft !== undefined) {
      this.#bytesLeft -= bytes.length;
    } else {
      this.#head += bytes.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = this.#head.slice(0, end);
      const length = lengthField.exec(head)?.[1];
      if (length === undefined || !head.startsWith('HTTP/1.1 200')) {
        this.#end(new Error(`not an answer to measure: ${this.#head.slice(0, 500)}`));
        return;
      }
      this.#bytesLeft = Number(length) - (this.#head.length - end - 4);
      this.#head = '';
    }
    if (this.#bytesLeft <= 0) this.#end(this.#bytesLeft < 0 ? new Error('more bytes than the answer has') : undefined);
  }

  #end(error?: Error): void {
    this.#bytesLeft = undefined;
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(error);
  }
}
