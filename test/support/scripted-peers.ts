/**
 * Peers that send exact bytes and show exactly what arrived: clients, and pods that answer as the test says.
 */

import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

import type { Address } from '../../src/base/address.ts';
import { resetSocket } from '../../src/base/reset-socket.ts';

const deadlineMs = 30_000;

/** One end of a connection. Bytes are latin1 text. */
export class Peer {
  readonly socket: Socket;
  /** What arrived and was not taken yet. */
  received = '';
  /** How the other side ended it. */
  ended: 'fin' | 'reset' | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
      this.#look();
    });
    socket.on('end', () => {
      this.ended ??= 'fin';
      this.#look();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') this.ended = 'reset';
      this.#look();
    });
    socket.on('close', () => this.#look());
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Sends a FIN. */
  end(): void {
    this.socket.end();
  }

  reset(): void {
    resetSocket(this.socket);
  }

  /** Waits until `text` has arrived and takes everything up to its end. */
  async takes(text: string): Promise<string> {
    await this.until(`receives ${JSON.stringify(text)}`, () => this.received.includes(text));
    const end = this.received.indexOf(text) + text.length;
    const taken = this.received.slice(0, end);
    this.received = this.received.slice(end);
    return taken;
  }

  /** Waits for exactly this, the next bytes of the stream, and takes it. */
  async reads(text: string): Promise<void> {
    await this.until(`reads ${JSON.stringify(text)}`, () => this.received.length >= text.length);
    assert.equal(this.received.slice(0, text.length), text);
    this.received = this.received.slice(text.length);
  }

  /** Waits for the other side's end and says how it came. */
  async over(): Promise<'fin' | 'reset'> {
    await this.until('is over', () => this.ended !== undefined);
    return this.ended!;
  }

  until(what: string, holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(
          new Error(
            `not within ${deadlineMs} ms: ${what}; received ${JSON.stringify(this.received)}, ${this.ended ?? 'open'}`,
          ),
        );
      }, deadlineMs);
      this.#waiting.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** A pod: each connection it takes is a Peer, in order. */
export class ScriptedPod {
  readonly address: Address;
  readonly peers: Peer[] = [];
  readonly #server: Server;
  readonly #arrivals: ((peer: Peer) => void)[] = [];
  #given = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    server.on('connection', (socket) => {
      this.peers.push(new Peer(socket));
      this.#give();
    });
  }

  static async start(t: TestContext): Promise<ScriptedPod> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const pod = new ScriptedPod(server);
    t.after(() => pod.kill());
    return pod;
  }

  /** The next connection, waiting for it where it has not come yet. */
  connection(): Promise<Peer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`not within ${deadlineMs} ms: connection ${this.#given + 1} to the pod`));
      }, deadlineMs);
      this.#arrivals.push((peer) => {
        clearTimeout(timer);
        resolve(peer);
      });
      this.#give();
    });
  }

  /** Waits for a connection and a whole request head on it. @returns both. */
  async request(): Promise<{ peer: Peer; head: string }> {
    const peer = await this.connection();
    return { peer, head: await peer.takes('\r\n\r\n') };
  }

  /** No longer listens; open connections end by FIN, as those of a killed process do. */
  kill(): void {
    this.#server.close();
    for (const peer of this.peers) peer.socket.destroy();
  }

  /** No longer listens; open connections stay. */
  refuse(): void {
    this.#server.close();
  }

  #give(): void {
    while (this.#given < this.peers.length && this.#arrivals.length > 0) {
      this.#arrivals.shift()!(this.peers[this.#given++]!);
    }
  }
}

/** A client's connection. @param from the address that it comes from, one of the machine's own */
export async function connectPeer(t: TestContext, address: Address, from?: string): Promise<Peer> {
  const { host, port } = address;
  const socket = connect({ host, port, allowHalfOpen: true, ...(from === undefined ? {} : { localAddress: from }) });
  const peer = new Peer(socket);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  t.after(() => void socket.destroy());
  return peer;
}
