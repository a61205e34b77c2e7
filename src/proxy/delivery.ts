/**
 * The second half of an exchange, from the final response head to the last byte of the answer: passes the body on,
 * waits for the role's verdict where the answer is held, and becomes a tunnel after a 101.
 *
 *   answering (-> checking) (-> settling) -> flushing | tunnel -> over
 *
 * Nothing that is held here is a reason to stop reading the application: an unread answer keeps PHP's lock on the
 * session file, and the capture that would end the hold waits for that lock (rules 10).
 *
 * Must not know how a candidate was found, or which bytes are held (answer.ts).
 */

import type { CloseReason } from '../base/close-reasons.ts';
import { type ClientFraming, forwardResponseHead } from '../http1/forward-response-head.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { Verdict } from '../sessions/stay.ts';
import { Dial } from '../upstream/dial.ts';
import { Answer, type AnswerSink } from './answer.ts';
import type { AnswerListener, Attempt } from './attempt.ts';
import type { ClientNext, ClientSide } from './client-side.ts';
import type { Answered, Plan } from './plan.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { RequestBody } from './request-body.ts';
import { Tunnel } from './tunnel.ts';

/** The exchange, as its delivery tells it. Each delivery calls exactly one of them, once. */
export interface DeliveryListener {
  /** The answer left; for a tunnel: it is over, `reason` says why if it broke. */
  delivered(next: ClientNext, reason: CloseReason | undefined): void;
  /** Nothing has left: the client can still be answered. */
  undelivered(reason: CloseReason): void;
  /** A part has left: the failure can only be made visible. */
  cut(next: ClientNext, reason: CloseReason): void;
  fault(error: unknown): void;
}

export interface DeliveryOptions {
  readonly request: RequestHead;
  readonly body: RequestBody;
  readonly client: ClientSide;
  readonly attempt: Attempt;
  readonly plan: Plan;
  readonly response: ResponseHead;
  readonly passed: Extract<Answered, { kind: 'pass' }>;
  /** Whether the client's connection may carry another request, as far as the exchange knows. */
  readonly mayKeepAlive: () => boolean;
  readonly context: ProxyContext;
  readonly listener: DeliveryListener;
}

export class Delivery implements AnswerListener, AnswerSink {
  readonly #options: DeliveryOptions;
  readonly #answer: Answer;
  #phase: 'answering' | 'checking' | 'settling' | 'flushing' | 'tunnel' | 'over' = 'answering';
  /** What the pod sent behind its 101. */
  #early: Buffer | undefined;
  /** The verdict leaves out the session's cookies (rules 16). */
  #fenced = false;
  #clientGone = false;
  /** The answer's end was the application's. */
  #died = false;
  /** From the end of an answer that does not tell whether the application lives to its verdict. */
  #life: Dial | undefined;
  #keepAlive = false;
  #bytes = 0;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    const { limits } = options.context;
    this.#answer = new Answer(options.response, {
      hold: options.passed.hold,
      clientMinor: options.request.minor,
      holdBytesMax: limits.holdBytes,
      trailerBytesMax: limits.headBytes,
      trailerFieldsMax: limits.fields,
      sink: this,
    });
  }

  /** Bytes written to the client. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The answer arrived whole, as far as that can be known (rules 12). */
  get complete(): boolean {
    return this.#answer.complete && !this.#died;
  }

  /** Bytes of the answer were written: a failure can only be a cut. */
  get headLeft(): boolean {
    return this.#answer.headLeft;
  }

  get heldInVain(): boolean {
    return this.#answer.heldInVain;
  }

  /** Still reads the answer, or the rest of the request while it does. */
  get answering(): boolean {
    return this.#phase === 'answering';
  }

  get keepsBytes(): boolean {
    return this.#early !== undefined || this.#answer.keepsBytes;
  }

  /** Goes on behind the head. */
  start(bytes: Buffer, from: number): void {
    if (this.#options.response.status === 101) this.#switch(bytes, from);
    else if (this.#answer.complete) this.#completed(from < bytes.length);
    else this.#read(bytes, from);
  }

  answerData(bytes: Buffer): void {
    if (this.#phase === 'answering') this.#read(bytes, 0);
  }

  answerConnectionEnded(): void {
    if (this.#phase !== 'answering') return;
    if (!this.#answer.connectionEnded()) this.answerLost('upstream-reset');
    else if (this.#options.passed.hold === 'none') this.#completed(false);
    else this.#check();
  }

  answerLost(reason: CloseReason): void {
    if (this.#phase !== 'answering') return;
    // Where answers are held the pod is the application itself.
    const died = reason === 'upstream-reset' && this.#options.passed.hold !== 'none';
    this.fail(died ? 'application-died' : reason);
  }

  /** The client has left. A held answer is read on, so that what the application stored is captured (rules 14). */
  clientGone(): void {
    this.#clientGone = true;
    const { passed, attempt, body } = this.#options;
    if (this.#phase === 'flushing' || this.#phase === 'tunnel') this.#tell('client-gone');
    else if (this.#phase === 'answering') {
      if (passed.hold === 'none' || !body.complete) this.fail('client-gone');
      else attempt.readOn();
    }
  }

  clientDrained(): void {
    const { attempt, body, client, context } = this.#options;
    if (!attempt.paused || this.#phase !== 'answering') return;
    if (body.complete) client.deadline.clear();
    else client.deadline.set(context.timeouts.bodyIdleMs);
    attempt.resume();
  }

  /** Ends it by an answer of our own, or, where bytes have left, by a cut that the client can see (rules 11). */
  fail(reason: CloseReason): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    const { listener, attempt } = this.#options;
    const why = this.#clientGone && reason !== 'application-died' ? 'client-gone' : reason;
    attempt.destroy();
    this.#life?.close();
    if (this.#answer.headLeft || this.#clientGone) listener.cut(this.#answer.closeMayPassForEnd ? 'reset' : 'cut', why);
    else listener.undelivered(why);
  }

  /** Ends it without a word: the exchange is ended from outside. */
  stop(): void {
    this.#phase = 'over';
    this.#life?.close();
  }

  #read(bytes: Buffer, from: number): void {
    const step = this.#answer.read(bytes, from);
    if (step === 'complete') this.#completed(this.#answer.end < bytes.length);
    else if (step === 'malformed') this.fail('upstream-bad-response');
  }

  #check(): void {
    this.#phase = 'checking';
    const { attempt, context, listener } = this.#options;
    const { address, connectTimeoutMs: timeoutMs } = attempt.candidate;
    attempt.destroy();
    const done = (accepts: boolean): void => {
      if (this.#phase !== 'checking') return;
      try {
        if (accepts) this.#settle();
        else this.#dies();
      } catch (error) {
        listener.fault(error);
      }
    };
    this.#life = new Dial(address, { timeoutMs, clock: context.clock, done });
  }

  /** @param surplus the pod sent more than its answer, which nobody asked for */
  #completed(surplus: boolean): void {
    const { attempt, body, client, response, passed } = this.#options;
    attempt.release(!surplus && response.keepAlive && body.complete);
    client.deadline.clear();
    if (!body.complete) client.pause();
    if (passed.hold === 'none') this.#leave();
    // An application that keeps its connections open tells nothing by closing them; one that does not is asked.
    else if (passed.savedLater === true && !response.keepAlive) this.#check();
    else this.#settle();
  }

  /** A 101 is held as an answer without a body (rules 8); what follows it waits for the tunnel. */
  #switch(bytes: Buffer, from: number): void {
    const { attempt, body, passed } = this.#options;
    if (!body.complete) {
      this.fail('upstream-bad-response');
      return;
    }
    if (from < bytes.length) this.#early = bytes.subarray(from);
    attempt.pause();
    if (passed.hold === 'none') this.#leave();
    else this.#settle();
  }

  #settle(): void {
    this.#phase = 'settling';
    const { plan, listener } = this.#options;
    const life = this.#life;
    const verdict = plan.settle(life === undefined ? undefined : () => life.proved());
    if (!(verdict instanceof Promise) && life === undefined) {
      this.#settled(verdict);
      return;
    }
    this.#answer.waitForVerdict();
    this.#verdict(verdict, life).catch((error: unknown) => listener.fault(error));
  }

  async #verdict(given: Verdict | Promise<Verdict>, life: Dial | undefined): Promise<void> {
    const verdict = await given;
    const lives = life === undefined || verdict.kind === 'refuse' || (await life.isOpen());
    if (this.#phase !== 'settling') return;
    if (lives) this.#settled(verdict);
    else this.#dies();
  }

  #dies(): void {
    this.#died = true;
    this.fail('application-died');
  }

  #settled(verdict: Verdict): void {
    if (this.#phase !== 'settling') return;
    this.#life?.close();
    if (verdict.kind === 'refuse') this.fail(verdict.reason);
    else if (this.#clientGone) this.fail('client-gone');
    else {
      this.#fenced = verdict.fencedByLogout === true;
      this.#leave();
    }
  }

  #leave(): void {
    const { client, context, response } = this.#options;
    this.#phase = 'flushing';
    this.#answer.leave();
    if (response.status === 101) this.#tunnel();
    else if (client.waitingBytes === 0) this.#flushed();
    else {
      client.deadline.set(context.timeouts.bodyIdleMs);
      client.whenFlushed(() => this.#flushed());
    }
  }

  #flushed(): void {
    if (this.#phase === 'flushing') this.#tell(undefined);
  }

  #tell(reason: CloseReason | undefined): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    const next = reason !== undefined ? 'cut' : this.#keepAlive ? 'next' : 'close';
    this.#options.listener.delivered(next, reason);
  }

  #tunnel(): void {
    this.#phase = 'tunnel';
    const { attempt, client, context, listener } = this.#options;
    const tunnel = new Tunnel({
      client,
      upstream: attempt.handOver(),
      idleMs: context.timeouts.tunnelIdleMs,
      fault: (error) => listener.fault(error),
      ended: (reason, bytes) => {
        this.#bytes += bytes;
        if (this.#phase === 'over') return;
        this.#phase = 'over';
        listener.delivered(reason === undefined ? 'close' : 'reset', reason);
      },
    });
    tunnel.start(this.#early);
  }

  headText(framing: ClientFraming): string {
    const { request, response, passed, plan, mayKeepAlive } = this.#options;
    this.#keepAlive = framing.kind !== 'close' && mayKeepAlive();
    const drops = this.#fenced ? (cookie: string) => plan.fences?.(cookie) === true : undefined;
    const kept = ([name, value]: readonly [string, string]): boolean =>
      name.toLowerCase() !== 'set-cookie' || drops?.(value) !== true;
    return forwardResponseHead(response, {
      added: drops === undefined ? passed.fields : passed.fields.filter(kept),
      dropSetCookies: drops,
      framing,
      clientMinor: request.minor,
      closing: !this.#keepAlive,
    });
  }

  writeAnswer(head: string | undefined, pieces: readonly Buffer[]): void {
    if (this.#clientGone) return;
    const { client, attempt, context } = this.#options;
    if (head !== undefined) this.#bytes += head.length;
    for (const piece of pieces) this.#bytes += piece.length;
    const room = head === undefined ? client.writePieces(pieces) : client.writeWithHead(head, pieces);
    if (room || this.#phase !== 'answering') return;
    attempt.pause();
    client.deadline.set(context.timeouts.bodyIdleMs);
  }
}
