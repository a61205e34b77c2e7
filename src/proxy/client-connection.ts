/**
 * One client connection: reads request heads, runs one exchange after another, answers what is not legal HTTP,
 * and closes so that the client can still read why.
 *
 * The next request is not begun before the last byte of the previous answer has left (rules 13): what a
 * pipelining client sent in the meantime, at most one read, waits here, and nothing more is read.
 *
 * Must not know pods, sessions or where an exchange goes, nor how bytes are read and written (client-socket.ts).
 */

import type { Socket } from 'node:net';

import type { CloseReason } from '../base/close-reasons.ts';
import { Deadline } from '../base/deadline.ts';
import { HeadBuffer } from '../http1/head-buffer.ts';
import { readRequestHead, type HeadStep, type RequestHead } from '../http1/request-head.ts';
import type { ClientNext, ClientSide, ClientUser } from './client-side.ts';
import { ClientSocket, type ClientSocketOwner } from './client-socket.ts';
import { Exchange } from './exchange.ts';
import { refusal, statusOf } from './own-answer.ts';
import type { ClientPeer } from './plan.ts';
import { lineOfRefusal, type ProxyContext } from './proxy-context.ts';

/** 'idle': between requests, no byte of the next one read. 'used': an exchange or a tunnel has the connection. */
type State = 'idle' | 'head' | 'used' | 'lingering' | 'closed';

/** How long, and how much, a client may still send to a connection that we have ended. */
const lingerMs = 5_000;
const lingerBytesMax = 262_144;

export interface ClientConnectionOptions {
  readonly context: ProxyContext;
  readonly peer: ClientPeer;
  /** The connection is over; called once. */
  readonly closed: (connection: ClientConnection) => void;
}

export class ClientConnection implements ClientSide, ClientSocketOwner {
  readonly peer: ClientPeer;
  readonly deadline: Deadline;
  readonly #socket: ClientSocket;
  readonly #context: ProxyContext;
  readonly #closed: (connection: ClientConnection) => void;
  /** Made only for a head that does not come in one piece. */
  #cutHead: HeadBuffer | undefined;
  #state: State = 'idle';
  #user: ClientUser | undefined;
  /** Read, but not yet looked at: the beginning of the next request. */
  #unread: Buffer | undefined;
  #halfClosed = false;
  #advancing = false;
  #lingered = 0;

  constructor(accepted: Socket, options: ClientConnectionOptions) {
    const { context, peer } = options;
    this.#context = context;
    this.#closed = options.closed;
    this.peer = peer;
    this.deadline = new Deadline(context.clock, () => this.#deadlineRan());
    this.deadline.set(context.timeouts.headMs);
    this.#socket = new ClientSocket(accepted, this);
  }

  get halfClosed(): boolean {
    return this.#halfClosed;
  }

  get noneFollows(): boolean {
    return this.#halfClosed && this.#unread === undefined;
  }

  get waitingBytes(): number {
    return this.#socket.stuckBytes;
  }

  write(data: Buffer | string): boolean {
    return this.#socket.write(data);
  }

  writeWithHead(head: string, pieces: readonly Buffer[]): boolean {
    return this.#socket.writeWithHead(head, pieces);
  }

  writePieces(pieces: readonly Buffer[]): boolean {
    return this.#socket.writePieces(pieces);
  }

  whenFlushed(done: () => void): void {
    this.#socket.whenTaken(done);
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#unread === undefined) this.#socket.resume();
  }

  handOver(user: ClientUser): void {
    this.#user = user;
    const unread = this.#unread;
    if (unread === undefined) return;
    this.#unread = undefined;
    this.#used(unread);
    this.resume();
  }

  exchangeEnded(next: ClientNext): void {
    this.#user = undefined;
    if (this.#state === 'closed') return;
    if (next === 'next') this.#nextRequest();
    else if (next === 'close') this.#linger();
    else if (next === 'cut') this.#socket.destroy();
    else this.#socket.reset();
  }

  /** Closes the connection if it is between requests (drain). */
  closeIfIdle(): void {
    if (this.#state === 'idle') this.#linger();
  }

  /** Closes at once, whatever is going on; by RST where something was. */
  destroy(): void {
    const wasUsed = this.#state === 'used';
    this.#user?.abort('shutting-down');
    if (wasUsed) this.#socket.reset();
    // What has been answered is on its way: a RST would take it back.
    else this.#socket.destroy();
  }

  keepsNextRead(): boolean {
    return this.#user?.readsOn === true;
  }

  keepsLastRead(): boolean {
    return this.#user?.keepsRead !== false;
  }

  received(bytes: Buffer): void {
    try {
      this.#read(bytes);
    } finally {
      if (this.#unread === bytes) this.#unread = this.#socket.owned(bytes, 0);
    }
  }

  ended(): void {
    this.#halfClosed = true;
    if (this.#state === 'idle' || this.#state === 'head') this.#linger();
    else if (this.#unread === undefined) this.#user?.clientEnded();
  }

  drained(): void {
    this.#user?.clientDrained();
  }

  closed(): void {
    this.#state = 'closed';
    this.deadline.dispose();
    this.#unread = undefined;
    const user = this.#user;
    this.#user = undefined;
    user?.clientGone();
    this.#closed(this);
  }

  /** No fault may end the process: it is told, and the exchange or at least the connection ends. */
  fault(error: unknown): void {
    if (this.#user !== undefined) {
      this.#user.fault(error);
      return;
    }
    this.#context.observer.fault(error);
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    switch (this.#state) {
      case 'idle':
      case 'head':
        this.#unread = bytes;
        this.#advance();
        return;
      case 'used':
        this.#used(this.#socket.owned(bytes, 0));
        return;
      case 'lingering':
        this.#lingered += bytes.length;
        if (this.#lingered > lingerBytesMax) this.#socket.destroy();
        return;
      case 'closed':
        return;
    }
  }

  /** Keeps what the user does not take for the next request; nothing more is read until then. */
  #used(bytes: Buffer): void {
    const end = this.#user?.clientData(bytes, 0) ?? 0;
    if (end >= bytes.length || this.#state !== 'used') return;
    this.#unread = end === 0 ? bytes : bytes.subarray(end);
    this.#socket.pause();
  }

  /** Runs request after request while there are bytes for it. A loop, since an exchange may end within its start. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    while (this.#unread !== undefined && (this.#state === 'head' || (this.#state === 'idle' && this.#hasAnswered()))) {
      const bytes = this.#unread;
      this.#unread = undefined;
      // Here, so that a fault meets the exchange that caused it and not the one before, whose end led here.
      try {
        this.#readRequest(bytes);
      } catch (error) {
        this.fault(error);
      }
    }
    this.#advancing = false;
  }

  /** The answer before has left (rules 13): what waits for the turn's end goes now, what the kernel has no room for later. */
  #hasAnswered(): boolean {
    this.#socket.flush();
    if (this.#socket.stuckBytes === 0) return true;
    this.#socket.pause();
    this.deadline.set(this.#context.timeouts.bodyIdleMs);
    this.whenFlushed(() => {
      if (this.#state !== 'idle') return;
      this.#socket.resume();
      this.#advance();
    });
    return false;
  }

  #readRequest(bytes: Buffer): void {
    const step = this.#headStep(bytes);
    switch (step.kind) {
      case 'more':
        if (this.#state === 'head') return;
        this.#state = 'head';
        // Where the FIN has come, while the request before was served, this one will never be complete.
        if (this.#halfClosed) this.#linger();
        else this.deadline.set(this.#context.timeouts.headMs);
        return;
      case 'refused':
        this.#refuse(step.reason);
        return;
      case 'head': {
        this.#state = 'used';
        this.deadline.clear();
        const exchange = new Exchange(this, step.head, this.#context);
        this.#user = exchange;
        // The body's first bytes go before the start, so that they leave in one write with the head.
        if (step.end < bytes.length) this.#used(this.#socket.owned(bytes, step.end));
        exchange.start();
        // The FIN came while the request before was served.
        if (this.noneFollows) exchange.clientEnded();
        return;
      }
    }
  }

  #headStep(bytes: Buffer): HeadStep<RequestHead> {
    const { limits } = this.#context;
    if (this.#cutHead === undefined) {
      const step = readRequestHead(bytes, 0, limits);
      if (step.kind !== 'more') return step;
      this.#cutHead = new HeadBuffer(limits);
    }
    const step = this.#cutHead.step(bytes, 0, (piece, from) => readRequestHead(piece, from, limits));
    if (step.kind !== 'more') this.#cutHead = undefined;
    return step;
  }

  #nextRequest(): void {
    this.#state = 'idle';
    if (this.noneFollows) {
      this.#linger();
      return;
    }
    if (this.#unread === undefined) this.deadline.set(this.#context.timeouts.keepAliveMs);
    this.#socket.resume();
    this.#advance();
  }

  /** Answers what is not a request; there is no telling where the next one would begin (RFC 9112 section 9.6). */
  #refuse(reason: CloseReason): void {
    const { role, observer } = this.#context;
    const text = refusal(reason, { role, sent: false, closing: true });
    this.write(text);
    observer.ended(lineOfRefusal({ reason, status: statusOf(reason), bytes: text.length, client: this.peer.address }));
    this.#linger();
  }

  /**
   * Sends a FIN and reads on: closing with unread bytes would make the kernel send a RST, which can take the answer
   * from the client before it has read it (RFC 9112 section 9.6).
   */
  #linger(): void {
    this.#state = 'lingering';
    this.#unread = undefined;
    this.deadline.set(lingerMs);
    this.#socket.end();
    this.#socket.resume();
  }

  #deadlineRan(): void {
    try {
      this.#deadlinePassed();
    } catch (error) {
      this.fault(error);
    }
  }

  #deadlinePassed(): void {
    switch (this.#state) {
      case 'idle':
        // One that never sent a byte, is kept alive in vain or does not read its answer is closed without a word.
        this.#linger();
        return;
      case 'head':
        this.#refuse('head-timeout');
        return;
      case 'used':
        this.#user?.clientDeadlinePassed();
        return;
      case 'lingering':
        this.#socket.destroy();
        return;
      case 'closed':
        return;
    }
  }
}
