/**
 * One client connection: reads request heads, runs one exchange after another, answers what is not legal HTTP,
 * and closes so that the client can still read why.
 *
 * The next request is not begun before the last byte of the previous answer has left (rules 13): what a
 * pipelining client sent in the meantime, at most one read, waits here, and nothing more is read.
 *
 * Must not know pods, sessions or where an exchange goes.
 */

import type { Socket } from 'node:net';

import type { CloseReason } from '../base/close-reasons.ts';
import { Deadline } from '../base/deadline.ts';
import { resetSocket } from '../base/reset-socket.ts';
import { readSocket } from '../base/socket-reader.ts';
import { SocketWriter } from '../base/socket-writer.ts';
import { HeadBuffer } from '../http1/head-buffer.ts';
import { readRequestHead, type HeadStep, type RequestHead } from '../http1/request-head.ts';
import type { ClientNext, ClientSide, ClientUser } from './client-side.ts';
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

export class ClientConnection implements ClientSide {
  readonly peer: ClientPeer;
  readonly deadline: Deadline;
  readonly #socket: Socket;
  readonly #writer: SocketWriter;
  readonly #context: ProxyContext;
  readonly #closed: (connection: ClientConnection) => void;
  readonly #head: HeadBuffer;
  readonly #readHead: (bytes: Buffer, from: number) => HeadStep<RequestHead>;
  #state: State = 'idle';
  #user: ClientUser | undefined;
  /** Read, but not yet looked at: the beginning of the next request. */
  #unread: Buffer | undefined;
  /** What is being read where it stands in memory that all connections share. */
  #lent: Buffer | undefined;
  #halfClosed = false;
  #advancing = false;
  #lingered = 0;

  constructor(accepted: Socket, options: ClientConnectionOptions) {
    const { context, peer } = options;
    const socket = readSocket(accepted, {
      read: (bytes, isShared) => this.#onData(bytes, isShared),
      keepsNextRead: () => this.#user?.readsOn === true,
      keepsLastRead: () => this.#user?.keepsRead !== false,
    });
    this.#socket = socket;
    this.#writer = new SocketWriter(socket);
    this.#context = context;
    this.#closed = options.closed;
    this.peer = peer;
    this.#head = new HeadBuffer(context.limits);
    this.#readHead = (bytes, from) => readRequestHead(bytes, from, context.limits);
    const guard = (action: () => void) => () => this.#guarded(action);
    const passed = guard(() => this.#deadlinePassed());
    this.deadline = new Deadline(context.clock, passed);
    this.deadline.set(context.timeouts.headMs);
    const ended = guard(() => this.#onEnd());
    const drained = guard(() => this.#user?.clientDrained());
    const closed = guard(() => this.#onClose());
    // 'close' always follows an error and does the work.
    socket.on('error', () => undefined);
    socket.on('end', ended).on('drain', drained).on('close', closed);
  }

  get halfClosed(): boolean {
    return this.#halfClosed;
  }

  get noneFollows(): boolean {
    return this.#halfClosed && this.#unread === undefined;
  }

  get waitingBytes(): number {
    return this.#writer.stuckBytes;
  }

  write(data: Buffer | string): boolean {
    return this.#state === 'closed' || this.#writer.write(data);
  }

  writeWithHead(head: string, pieces: readonly Buffer[]): boolean {
    return this.#state === 'closed' || this.#writer.writeWithHead(head, pieces);
  }

  writePieces(pieces: readonly Buffer[]): boolean {
    return this.#state === 'closed' || this.#writer.writePieces(pieces);
  }

  whenFlushed(done: () => void): void {
    if (this.#state === 'closed' || this.#writer.stuckBytes === 0) done();
    else this.#writer.afterStuck(() => this.#guarded(done));
  }

  end(): void {
    if (this.#state === 'closed') return;
    this.#writer.flush();
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
    else {
      this.#writer.flush();
      if (next === 'cut') this.#socket.destroy();
      else resetSocket(this.#socket);
    }
  }

  /** Closes the connection if it is between requests (drain). */
  closeIfIdle(): void {
    if (this.#state === 'idle') this.#linger();
  }

  /** Closes at once, whatever is going on; by RST where something was. */
  destroy(): void {
    const wasUsed = this.#state === 'used';
    this.#user?.abort('shutting-down');
    this.#writer.flush();
    if (wasUsed) resetSocket(this.#socket);
    // What has been answered is on its way: a RST would take it back.
    else this.#socket.destroy();
  }

  #onData(bytes: Buffer, isShared: boolean): void {
    this.#lent = isShared ? bytes : undefined;
    try {
      this.#read(bytes);
    } catch (error) {
      this.#fault(error);
    }
    if (this.#unread === bytes) this.#unread = this.#owned(bytes, 0);
    this.#lent = undefined;
  }

  #read(bytes: Buffer): void {
    switch (this.#state) {
      case 'idle':
      case 'head':
        this.#unread = bytes;
        this.#advance();
        return;
      case 'used':
        this.#used(this.#owned(bytes, 0));
        return;
      case 'lingering':
        this.#lingered += bytes.length;
        if (this.#lingered > lingerBytesMax) this.#socket.destroy();
        return;
      case 'closed':
        return;
    }
  }

  /** What follows `from`, to be kept or given to a user: a copy where it was only lent. */
  #owned(bytes: Buffer, from: number): Buffer {
    const rest = from === 0 ? bytes : bytes.subarray(from);
    return bytes === this.#lent ? Buffer.from(rest) : rest;
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
      this.#guarded(() => this.#readRequest(bytes));
    }
    this.#advancing = false;
  }

  /** The answer before has left (rules 13): what waits for the turn's end goes now, what the kernel has no room for later. */
  #hasAnswered(): boolean {
    this.#writer.flush();
    if (this.#writer.stuckBytes === 0) return true;
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
    const step = this.#head.step(bytes, 0, this.#readHead);
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
        if (step.end < bytes.length) this.#used(this.#owned(bytes, step.end));
        exchange.start();
        // The FIN came while the request before was served.
        if (this.noneFollows) exchange.clientEnded();
        return;
      }
    }
  }

  #nextRequest(): void {
    this.#state = 'idle';
    if (this.noneFollows) {
      this.#linger();
      return;
    }
    if (this.#unread === undefined) this.deadline.set(this.#context.timeouts.keepAliveMs);
    if (this.#socket.isPaused()) this.#socket.resume();
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
    this.#writer.flush();
    this.#socket.end();
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  #onEnd(): void {
    this.#halfClosed = true;
    if (this.#state === 'idle' || this.#state === 'head') this.#linger();
    else if (this.#unread === undefined) this.#user?.clientEnded();
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

  /** No fault may end the process: it is told, and the exchange or at least the connection ends. */
  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fault(error);
    }
  }

  #fault(error: unknown): void {
    if (this.#user !== undefined) {
      this.#user.fault(error);
      return;
    }
    this.#context.observer.fault(error);
    this.#socket.destroy();
  }

  #onClose(): void {
    this.#state = 'closed';
    this.#writer.drop();
    this.deadline.dispose();
    this.#unread = undefined;
    const user = this.#user;
    this.#user = undefined;
    user?.clientGone();
    this.#closed(this);
  }
}
