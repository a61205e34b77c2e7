/**
 * One attempt of an exchange at one candidate: gets a connection, sends the request head and the body as it comes,
 * reads response heads up to the final one, then passes on what follows. It keeps the deadlines of the pod's side
 * and the back-pressure of both directions.
 *
 * Must not know the role, holds, or what is done after a loss.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { declaresAbsentBody, type ResponseHead } from '../http1/response-head.ts';
import type { ConnectionLoss, UpstreamConnection, UpstreamUser } from '../upstream/connection.ts';
import type { ClientSide } from './client-side.ts';
import type { Candidate } from './plan.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { RequestBody } from './request-body.ts';
import { ResponseReader } from './response-reader.ts';
import { type AttemptLoss, isReplayable } from './retry.ts';

/** The exchange, as its attempt tells it. */
export interface AttemptListener {
  /** A connection is there: the head to send now. */
  requestHead(candidate: Candidate): string;
  /** A 1xx other than 101. */
  interimHead(head: ResponseHead): void;
  /** The final head (also a 101); what follows begins at `end`. From now on the attempt's answerListener is told. */
  finalHead(head: ResponseHead, bytes: Buffer, end: number): void;
  /** The attempt is over and its connection closed, the final head was not seen. 'failed': no reason to try again. */
  attemptLost(loss: AttemptLoss | 'failed', reason: CloseReason): void;
  fault(error: unknown): void;
}

/** Who is told what follows the final head. */
export interface AnswerListener {
  /** Whether bytes that it was given are still kept. */
  readonly keepsBytes: boolean;
  answerData(bytes: Buffer): void;
  /** The pod's FIN. */
  answerConnectionEnded(): void;
  /** The attempt is over and its connection closed, in the middle of the answer. */
  answerLost(reason: CloseReason): void;
}

export interface AttemptOptions {
  readonly candidate: Candidate;
  readonly head: RequestHead;
  readonly body: RequestBody;
  readonly client: ClientSide;
  readonly context: ProxyContext;
  readonly listener: AttemptListener;
  /** Whether an idle connection will do, or only a new one. */
  readonly connection: 'pooled' | 'new';
}

/** Requests that can't be replayed take only a connection that was in use a moment ago (rules 19). */
const freshIdleMs = 1_000;
/** How long, and how much, an application is read on after its client has left (rules 14). */
const readOnMs = 5_000;
const readOnBytesMax = 1_048_576;

export class Attempt implements UpstreamUser {
  readonly candidate: Candidate;
  /** The connection had served another exchange before. */
  readonly reused: boolean;
  readonly #options: AttemptOptions;
  readonly #upstream: UpstreamConnection;
  readonly #reader: ResponseReader;
  /** Set by the exchange as soon as it knows the final head. */
  answerListener: AnswerListener | undefined;
  #state: 'connecting' | 'waiting' | 'answering' | 'over' = 'connecting';
  #responseSeen = false;
  /** The answer may be followed by what must not follow it, and would be taken for the next one's answer. */
  #mistrusted = false;
  #paused = false;
  /** The client has left: what the application may still say, in bytes; undefined: the client is there. */
  #readOnBytes: number | undefined;

  /** Gets a connection; nothing is sent and the listener is not called before begin(). */
  constructor(options: AttemptOptions) {
    const { candidate, head, context, connection } = options;
    const { pool, timeouts } = context;
    const answerLimits = candidate.isSidecar ? context.sidecarAnswerLimits : context.answerLimits;
    this.candidate = candidate;
    this.#options = options;
    this.#reader = new ResponseReader(answerLimits, { method: head.method, upgrade: head.upgrade });
    const idleMsMax = isReplayable(head.method) ? timeouts.upstreamIdleMs : freshIdleMs;
    const pooled = connection === 'pooled' ? pool.take(candidate.address, this, idleMsMax) : undefined;
    this.reused = pooled !== undefined;
    this.#upstream = pooled ?? pool.dial(candidate.address, this, candidate.connectTimeoutMs);
  }

  /** Any byte of a response has been read. */
  get responseSeen(): boolean {
    return this.#responseSeen;
  }

  /** When a reused connection was taken and the request written to it, in the clock's monotonic milliseconds. */
  get takenAtMs(): number {
    return this.#upstream.takenAtMs;
  }

  /** A connection came about and the request head was written. */
  get sent(): boolean {
    return this.#state !== 'connecting';
  }

  /** The kernel has taken all of the request that was sent. */
  get hasSent(): boolean {
    return this.#upstream.hasSent;
  }

  /** The pod's side is paused because the client does not read. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Sends at once on a connection from the pool. */
  begin(): void {
    if (this.reused) this.#send();
  }

  /** More of the request's body: what the RequestBody has just let pass. */
  sendBody(): void {
    this.#bodyMoved(this.#upstream.write(this.#options.body.passing));
  }

  /** The client does not read fast enough: stops reading the pod until resume(). */
  pause(): void {
    if (this.#state !== 'answering' || this.#readOnBytes !== undefined) return;
    this.#paused = true;
    this.#upstream.pause();
    this.#upstream.deadline.clear();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#upstream.resume();
    this.#upstream.deadline.set(this.#options.context.timeouts.bodyIdleMs);
  }

  /** The client has left: reads on within bounds, so that the application can finish (rules 14). */
  readOn(): void {
    this.resume();
    this.#readOnBytes = readOnBytesMax;
    this.#upstream.deadline.set(readOnMs);
  }

  /** The answer is complete. @param reusable nothing is left to read or to send on the connection */
  release(reusable: boolean): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    // What the pod has not even taken of the request it may never read: the next one would be read as the rest of it.
    if (!reusable || this.#mistrusted || !this.#upstream.hasSent) {
      this.#upstream.destroy();
      return;
    }
    if (this.#paused) this.#upstream.resume();
    this.#options.context.pool.give(this.#upstream);
  }

  /** Ends the attempt without a word to the listener. */
  destroy(): void {
    this.release(false);
  }

  /** Leaves the connection to a tunnel. */
  handOver(): UpstreamConnection {
    this.#state = 'over';
    return this.#upstream;
  }

  upstreamConnected(): void {
    this.#send();
  }

  upstreamData(bytes: Buffer): boolean {
    if (this.#readOnBytes !== undefined) {
      this.#readOnBytes -= bytes.length;
      if (this.#readOnBytes < 0) {
        this.#lose('failed', 'client-gone');
        return false;
      }
    }
    if (this.#state === 'waiting') this.#readHeads(bytes);
    else if (this.#state === 'answering') {
      this.answerListener?.answerData(bytes);
      if (this.#awaitsBody()) this.#upstream.deadline.set(this.#options.context.timeouts.bodyIdleMs);
    }
    // Heads are copied as they are read; of the rest the answer knows whether it keeps some, the client's side whether
    // some is still to be written.
    return this.answerListener?.keepsBytes !== true && this.#options.client.waitingBytes === 0;
  }

  upstreamEnded(): void {
    if (this.#state === 'answering') this.answerListener?.answerConnectionEnded();
    else this.#lose(this.#upstream.lostHow, 'upstream-reset');
  }

  upstreamDrained(): void {
    if (!this.#options.body.complete) this.#bodyMoved(true);
  }

  upstreamDeadlinePassed(): void {
    if (this.#readOnBytes !== undefined) this.#lose('failed', 'client-gone');
    else this.#lose('failed', this.#state === 'answering' ? 'upstream-body-timeout' : 'upstream-response-timeout');
  }

  /** Sent is sent: no other pod is tried (rules 3, 21). An answer that the client is too slow for has no deadline, and is not told. */
  upstreamSilent(): void {
    // Who reads on for a client that has left has a bound of its own.
    if (this.#readOnBytes === undefined) this.#lose('failed', 'upstream-silent');
  }

  upstreamLost(how: ConnectionLoss): void {
    if (how === 'connect-timeout') this.#lose(how, 'upstream-connect-timeout');
    else this.#lose(how, how === 'refused' ? 'upstream-refused' : 'upstream-reset');
  }

  fault(error: unknown): void {
    this.#options.listener.fault(error);
  }

  #send(): void {
    const { listener, body } = this.#options;
    const head = listener.requestHead(this.candidate);
    this.#state = 'waiting';
    this.#bodyMoved(this.#upstream.writeWithHead(head, body.kept));
  }

  /** Sets the deadlines for whoever has to act next: the client, or a pod that must take or answer the request. */
  #bodyMoved(room: boolean): void {
    const { client, context, body } = this.#options;
    const upstream = this.#upstream;
    if (body.complete) {
      client.deadline.clear();
      if (this.#state === 'waiting') upstream.deadline.set(this.candidate.responseTimeoutMs);
    } else if (room) {
      client.deadline.set(context.timeouts.bodyIdleMs);
      if (this.#state === 'waiting') upstream.deadline.clear();
      client.resume();
    } else {
      client.deadline.clear();
      upstream.deadline.set(context.timeouts.bodyIdleMs);
      client.pause();
    }
  }

  #readHeads(bytes: Buffer): void {
    const { listener, context } = this.#options;
    this.#responseSeen = true;
    let from = 0;
    for (;;) {
      const step = this.#reader.read(bytes, from);
      switch (step.kind) {
        case 'more':
          return;
        case 'malformed':
          this.#lose('failed', 'upstream-bad-response');
          return;
        case 'interim':
          listener.interimHead(step.head);
          from = step.end;
          continue;
        case 'final':
          this.#state = 'answering';
          this.#mistrusted = declaresAbsentBody(step.head);
          listener.finalHead(step.head, bytes, step.end);
          // Most answers are complete by now and need no deadline for their body.
          if (this.#awaitsBody()) this.#upstream.deadline.set(context.timeouts.bodyIdleMs);
          return;
      }
    }
  }

  #awaitsBody(): boolean {
    return this.#state === 'answering' && !this.#paused && this.#readOnBytes === undefined;
  }

  #lose(loss: AttemptLoss | 'failed', reason: CloseReason): void {
    const state = this.#state;
    if (state === 'over') return;
    this.#state = 'over';
    this.#upstream.destroy();
    if (state === 'answering') this.answerListener?.answerLost(reason);
    else this.#options.listener.attemptLost(loss, reason);
  }
}
