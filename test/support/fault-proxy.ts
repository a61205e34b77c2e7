/**
 * A TCP connection that can go wrong: listens on one address, passes bytes to another, and harms them as a test says,
 * at run time, open connections too. Stands between Holdfast and Redis, between sidecars, or before a pod.
 *
 * A connection that once lost bytes stays dead in that direction until one of its ends gives it up, also when the fault
 * is over: a stream with a gap would be corruption, which no network brings. `hold` loses nothing: what was sent
 * meanwhile arrives late, as after a cut that heals before TCP gives up.
 *
 * Must not know what the bytes mean.
 */

import { createServer, connect } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { resetSocket } from '../../src/base/reset-socket.ts';
import { freePort } from './free-port.ts';
import { SilentListener } from './silent-listener.ts';

/** `requests` flow from the one who connected to the target, `answers` back. */
export type Direction = 'requests' | 'answers';

export type Fault =
  | { readonly kind: 'pass' }
  /** Each way. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** Each way, for each connection. */
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** Open connections get an RST, new ones are accepted and get one too. */
  | { readonly kind: 'cut' }
  /** Open connections get an RST, nobody listens: what a killed process looks like. */
  | { readonly kind: 'refuse' }
  /** Connections are accepted and everything is swallowed, FIN included: no RST ever comes. */
  | { readonly kind: 'black-hole' }
  /** As black-hole, and new connections are not even accepted: a node without power. */
  | { readonly kind: 'silent' }
  /** As black-hole, in one direction only. */
  | { readonly kind: 'one-way'; readonly swallows: Direction }
  /** Nothing is lost and nothing arrives, until the fault is over. */
  | { readonly kind: 'hold' }
  /** After so many bytes of a connection, counted from now, it gets an RST at both ends. */
  | { readonly kind: 'drop-after'; readonly bytes: number; readonly of: Direction };

export interface FaultProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** 127.0.0.1 and a free port by default: one that no outgoing connection takes while nobody listens there. */
  readonly listen?: { readonly host?: string; readonly port?: number };
}

/** Delayed bytes of one direction of one connection; above it the sender is not read. */
const queuedBytesMax = 1024 * 1024;
/** Limited bandwidth comes in pieces of this time's worth. */
const pieceMs = 20;

export class FaultProxy {
  readonly counters = { connections: 0, requestBytes: 0, answerBytes: 0, swallowedBytes: 0, resets: 0 };
  readonly #options: FaultProxyOptions;
  readonly #links = new Set<Link>();
  #fault: Fault = { kind: 'pass' };
  #server: Server | undefined;
  #silent: SilentListener | undefined;
  #port: number;
  /** Changes of the listener, one after another. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(options: FaultProxyOptions, port: number) {
    this.#options = options;
    this.#port = port;
  }

  /** @throws Error of listen() where the address is taken. */
  static async listen(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options, options.listen?.port ?? (await freePort()));
    await proxy.#open();
    return proxy;
  }

  get host(): string {
    return this.#options.listen?.host ?? '127.0.0.1';
  }

  get port(): number {
    return this.#port;
  }

  get fault(): Fault {
    return this.#fault;
  }

  get openConnections(): number {
    return this.#links.size;
  }

  /** In force for open and new connections when the promise resolves. */
  set(fault: Fault): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (fault.kind === 'silent') await this.#fallSilent();
      else if (fault.kind === 'refuse') await this.#close();
      this.#fault = fault;
      if (fault.kind !== 'silent' && fault.kind !== 'refuse') await this.#open();
      if (fault.kind === 'cut' || fault.kind === 'refuse') this.reset();
      for (const link of this.#links) link.obey(fault);
    });
    return this.#turn;
  }

  /** For the connections that are open now; new ones obey the fault of set(). */
  setOpen(fault: Exclude<Fault, { kind: 'refuse' | 'silent' | 'cut' }>): void {
    for (const link of this.#links) link.obey(fault);
  }

  /** An RST for every open connection, whatever the fault. */
  reset(): void {
    for (const link of [...this.#links]) link.reset();
  }

  /** Ends the listener and every connection. */
  async close(): Promise<void> {
    await this.#turn;
    await this.#close();
    this.reset();
  }

  async #open(): Promise<void> {
    if (this.#server === undefined) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port: this.#port, host: this.host, reusePort: true }, resolve);
      });
      this.#server = server;
      this.#port = (server.address() as AddressInfo).port;
    }
    await this.#speak();
  }

  /** New connections are refused from the call on; open ones are the caller's. */
  #close(): Promise<void> {
    this.#server?.close();
    this.#server = undefined;
    return this.#speak();
  }

  async #fallSilent(): Promise<void> {
    this.#silent ??= await SilentListener.listen({ host: this.host, port: this.#port });
    this.#server?.close();
    this.#server = undefined;
    this.#silent.fill();
  }

  async #speak(): Promise<void> {
    const silent = this.#silent;
    this.#silent = undefined;
    await silent?.close();
  }

  #accept(client: Socket): void {
    this.counters.connections += 1;
    if (this.#fault.kind === 'cut') {
      client.on('error', () => undefined);
      resetSocket(client);
      this.counters.resets += 1;
      return;
    }
    const link = new Link(client, { target: this.#options.target, fault: this.#fault, counters: this.counters });
    this.#links.add(link);
    void link.ended.then(() => this.#links.delete(link));
  }
}

interface LinkContext {
  readonly target: { readonly host: string; readonly port: number };
  readonly fault: Fault;
  readonly counters: FaultProxy['counters'];
}

/** One connection through the proxy. */
class Link {
  readonly ended: Promise<void>;
  readonly #sides: readonly [client: Socket, target: Socket];
  readonly #flows: readonly [requests: Flow, answers: Flow];
  readonly #counters: FaultProxy['counters'];

  constructor(client: Socket, context: LinkContext) {
    const target = connect({ ...context.target, allowHalfOpen: true, noDelay: true });
    this.#sides = [client, target];
    this.#counters = context.counters;
    const reset = (): void => this.reset();
    this.#flows = [
      new Flow({ from: client, to: target, direction: 'requests', counters: context.counters, reset }),
      new Flow({ from: target, to: client, direction: 'answers', counters: context.counters, reset }),
    ];
    this.ended = Promise.all(this.#sides.map((side) => new Promise((resolve) => side.once('close', resolve)))).then(
      () => undefined,
    );
    this.#relayEnds(client, target);
    this.obey(context.fault);
  }

  obey(fault: Fault): void {
    for (const flow of this.#flows) flow.obey(fault);
  }

  /** An RST to both ends. */
  reset(): void {
    for (const side of this.#sides) {
      if (side.destroyed) continue;
      this.#counters.resets += 1;
      resetSocket(side);
    }
  }

  /** An end that resets its connection resets the other's, unless that news is swallowed too. */
  #relayEnds(client: Socket, target: Socket): void {
    const [requests, answers] = this.#flows;
    client.on('error', () => undefined).once('close', (failed) => requests.lost(failed));
    target.on('error', () => undefined).once('close', (failed) => answers.lost(failed));
  }
}

interface FlowContext {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
  readonly counters: FaultProxy['counters'];
  readonly reset: () => void;
}

/** One direction of one connection. */
class Flow {
  readonly #context: FlowContext;
  #fault: Fault = { kind: 'pass' };
  /** Bytes were lost: nothing may follow them. */
  #isDead = false;
  #leftBytes = Number.POSITIVE_INFINITY;
  readonly #queue: { readonly bytes: Buffer | 'end' | 'lost'; readonly dueMs: number }[] = [];
  #queuedBytes = 0;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: FlowContext) {
    this.#context = context;
    const { from, to } = context;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.once('end', () => this.#schedule('end', 0));
    to.on('drain', () => this.#pace());
    to.once('close', () => clearTimeout(this.#timer));
  }

  obey(fault: Fault): void {
    this.#fault = fault;
    this.#leftBytes = fault.kind === 'drop-after' && fault.of === this.#context.direction ? fault.bytes : Infinity;
    if (this.#swallows) this.#isDead = true;
    this.#deliver();
    this.#pace();
  }

  /** Its sender's connection has closed. */
  lost(failed: boolean): void {
    if (failed) this.#schedule('lost', 0);
  }

  get #swallows(): boolean {
    const fault = this.#fault;
    return (
      fault.kind === 'black-hole' ||
      fault.kind === 'silent' ||
      (fault.kind === 'one-way' && fault.swallows === this.#context.direction)
    );
  }

  #take(bytes: Buffer): void {
    const { direction, counters, reset } = this.#context;
    if (this.#isDead) {
      counters.swallowedBytes += bytes.length;
      return;
    }
    const passed = bytes.length > this.#leftBytes ? bytes.subarray(0, this.#leftBytes) : bytes;
    this.#leftBytes -= passed.length;
    counters[direction === 'requests' ? 'requestBytes' : 'answerBytes'] += passed.length;
    for (const piece of this.#pieces(passed)) this.#schedule(piece.bytes, piece.delayMs);
    if (passed.length < bytes.length) {
      // What still may pass is written first; the RST follows it.
      if (passed.length === 0) reset();
      else this.#context.to.write('', () => reset());
    }
  }

  #pieces(bytes: Buffer): readonly { readonly bytes: Buffer; readonly delayMs: number }[] {
    const fault = this.#fault;
    if (fault.kind === 'latency') return [{ bytes, delayMs: fault.ms }];
    if (fault.kind !== 'bandwidth') return [{ bytes, delayMs: 0 }];
    const size = Math.max(1, Math.floor((fault.bytesPerSecond * pieceMs) / 1000));
    const backlogMs = Math.max(0, this.#dueMs - performance.now());
    return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => {
      const piece = bytes.subarray(index * size, (index + 1) * size);
      const sentBytes = index * size + piece.length;
      return { bytes: piece, delayMs: backlogMs + (sentBytes * 1000) / fault.bytesPerSecond };
    });
  }

  #schedule(bytes: Buffer | 'end' | 'lost', delayMs: number): void {
    // Never before what came before it.
    this.#dueMs = Math.max(this.#dueMs, performance.now() + delayMs);
    this.#queue.push({ bytes, dueMs: this.#dueMs });
    this.#queuedBytes += bytes.length;
    this.#deliver();
    this.#pace();
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    const { to, reset } = this.#context;
    while (this.#queue.length > 0 && this.#fault.kind !== 'hold') {
      const { bytes, dueMs } = this.#queue[0]!;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => {
          this.#deliver();
          this.#pace();
        }, waitMs);
        return;
      }
      this.#queue.shift();
      this.#queuedBytes -= bytes.length;
      if (this.#isDead || to.destroyed) continue;
      if (bytes === 'end') to.end();
      else if (bytes === 'lost') reset();
      else to.write(bytes);
    }
  }

  /** A sender is read only as far as its bytes have a place. */
  #pace(): void {
    const { from, to } = this.#context;
    const isFull = this.#queuedBytes >= queuedBytesMax || (!this.#isDead && to.writableNeedDrain);
    if (isFull) from.pause();
    else from.resume();
  }
}
