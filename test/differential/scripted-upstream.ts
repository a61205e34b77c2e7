/**
 * An upstream that answers `/case/CLIENT/N` with the bytes of case N, however wrong they are, and `/marker/CLIENT/N` with a
 * text that names it. It ends a connection only where the case needs an end; everything else is left to the proxy.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { ResponseCase } from './cases.ts';

export interface UpstreamConnection {
  /** Targets of its requests, in order. */
  readonly targets: string[];
  closed: boolean;
}

export interface ScriptedCase extends ResponseCase {
  /** A FIN follows its bytes. */
  readonly ends: boolean;
}

export class ScriptedUpstream {
  readonly connections: UpstreamConnection[] = [];
  readonly #cases: readonly ScriptedCase[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(cases: readonly ScriptedCase[]) {
    this.#cases = cases;
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async start(cases: readonly ScriptedCase[]): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(cases);
    await new Promise<void>((resolve) => upstream.#server.listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    const connection: UpstreamConnection = { targets: [], closed: false };
    this.connections.push(connection);
    this.#sockets.add(socket);
    let received = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      for (let end = received.indexOf('\r\n\r\n'); end !== -1; end = received.indexOf('\r\n\r\n')) {
        const target = received.split(' ', 2)[1] ?? '';
        received = received.slice(end + 4);
        connection.targets.push(target);
        this.#answer(socket, target);
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      connection.closed = true;
      this.#sockets.delete(socket);
    });
  }

  #answer(socket: Socket, target: string): void {
    const [, kind, , number] = target.split('/');
    if (kind !== 'case') {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
      return;
    }
    const { pieces, ends } = this.#cases[Number(number)]!;
    const send = (index: number): void => {
      if (socket.destroyed || !socket.writable) return;
      if (index < pieces.length) socket.write(pieces[index]!, () => setImmediate(() => send(index + 1)));
      else if (ends) socket.end();
    };
    send(0);
  }
}
