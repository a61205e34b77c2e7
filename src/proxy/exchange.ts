/**
 * One request and its response: asks the role where to go, sends the request there, tries again where that is safe,
 * and hands the answer to its delivery. It ends by that, by an answer of our own, or by a cut.
 *
 *   asking -> attempting -> delivering -> ended
 *      ^__________|    \_____________\-> refusing -> ended
 *
 * Both connections call in; each call is one event, and the phase says what it means. Nothing is awaited: what a
 * role promises continues the same way, and learns from the phase whether it still matters.
 *
 * Must not know sessions or pods, how bytes are sent (attempt.ts) or held (delivery.ts).
 */

import { type CloseReason, isCloseReason } from '../base/close-reasons.ts';
import { forwardRequestHead } from '../http1/forward-head.ts';
import { forwardResponseHead } from '../http1/forward-response-head.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import { Attempt, type AttemptListener } from './attempt.ts';
import type { ClientNext, ClientSide, ClientUser } from './client-side.ts';
import { Delivery, type DeliveryListener } from './delivery.ts';
import { type OwnAnswerContext, refusal, roleAnswer, statusOf } from './own-answer.ts';
import type { AttemptFailure, Candidate, OwnAnswer, Plan, Step } from './plan.ts';
import { lineOf, type ProxyContext } from './proxy-context.ts';
import { illegal, RequestBody } from './request-body.ts';
import { newTraceParent, requestIdOf } from './request-id.ts';
import { type AttemptLoss, RetryTrail } from './retry.ts';

export class Exchange implements ClientUser, AttemptListener, DeliveryListener {
  readonly #client: ClientSide;
  readonly #head: RequestHead;
  readonly #context: ProxyContext;
  readonly #body: RequestBody;
  readonly #startedMs: number;
  #phase: 'asking' | 'attempting' | 'delivering' | 'refusing' | 'ended' = 'asking';
  #plan: Plan | undefined;
  #attempt: Attempt | undefined;
  #delivery: Delivery | undefined;
  #trail: RetryTrail | undefined;
  /** A byte of the request may have reached an application, in this attempt or in the one it replays. */
  #sent = false;
  #clientGone = false;
  /** Of the answer that the client got or would have got. */
  #status = 0;
  /** Of an answer of our own. */
  #bytes = 0;
  #requestId: string | undefined;

  constructor(client: ClientSide, head: RequestHead, context: ProxyContext) {
    this.#client = client;
    this.#head = head;
    this.#context = context;
    this.#body = new RequestBody(head.framing, context.limits);
    this.#startedMs = context.clock.monotonicMs();
    context.inFlight++;
  }

  /** Begins, after the bytes of the body that came with the head were given to clientData(). */
  start(): void {
    this.#plan = this.#context.role.plan({ head: this.#head, client: this.#client.peer });
    this.#requestId = requestIdOf(this.#head, this.#plan.forwarded);
    if (this.#body.fault === undefined) this.#ask(undefined);
    else this.#refuse(this.#body.fault);
  }

  #ask(failure: AttemptFailure | undefined): void {
    this.#phase = 'asking';
    const step = this.#plan!.next(failure);
    if (!(step instanceof Promise)) {
      this.#step(step);
      return;
    }
    this.#waitWithBody();
    step.then((settled) => this.#step(settled)).catch((error: unknown) => this.fault(error));
  }

  #step(step: Step): void {
    if (this.#phase !== 'asking') return;
    if (this.#clientGone) this.#refuse('client-gone');
    else if (step.kind === 'forward') this.#try(step.candidate, 'pooled');
    else if (step.kind === 'refuse') this.#refuse(step.reason);
    else this.#answer(step.answer);
  }

  #try(candidate: Candidate, connection: 'pooled' | 'new'): void {
    this.#phase = 'attempting';
    this.#attempt = new Attempt({
      candidate,
      head: this.#head,
      body: this.#body,
      client: this.#client,
      context: this.#context,
      listener: this,
      connection,
    });
    if (!this.#attempt.reused) this.#waitWithBody();
    this.#attempt.begin();
  }

  /** Nothing more of the body is read until it can be sent: what was read is the only copy. */
  #waitWithBody(): void {
    if (this.#body.complete) return;
    this.#client.deadline.clear();
    this.#client.pause();
  }

  requestHead(candidate: Candidate): string {
    this.#sent = true;
    const { cookie, forwarded } = this.#plan!;
    return forwardRequestHead(this.#head, {
      cookie,
      forwarded,
      client: this.#client.peer,
      requestId: this.#requestId!,
      newTraceParent,
      added: candidate.fields,
    });
  }

  attemptLost(loss: AttemptLoss | 'failed', reason: CloseReason): void {
    if (loss === 'unwritten') this.#sent = this.#trail?.replayed === true;
    // Why the application did not finish still matters: a dead one leaves something else behind than a slow one.
    if (this.#clientGone) this.#end('cut', reason);
    else if (loss === 'failed') this.#refuse(reason);
    else this.#retry(loss, { reason, unsent: undefined });
  }

  #retry(loss: AttemptLoss, why: { readonly reason: CloseReason; readonly unsent: string | undefined }): void {
    const { candidate, reused, responseSeen, takenAtMs } = this.#attempt!;
    const nowMs = this.#context.clock.monotonicMs();
    this.#trail ??= new RetryTrail(this.#context.retries, this.#startedMs);
    const next = this.#trail.next({
      loss,
      method: this.#head.method,
      reusedConnection: reused,
      responseSeen,
      bodyKept: this.#body.replayable,
      lostAfterMs: nowMs - takenAtMs,
      nowMs,
      boundMs: candidate.responseTimeoutMs,
      inFlight: this.#context.inFlight,
    });
    if (next === 'next-candidate') this.#ask({ candidate, ...why });
    else if (next === 'replay') this.#try(candidate, 'new');
    else this.#refuse(why.unsent !== undefined && statusOf(why.reason) !== 503 ? 'no-pod-ready' : why.reason);
  }

  get readsOn(): boolean {
    return !this.#body.complete;
  }

  get keepsRead(): boolean {
    return this.#body.kept.length > 0 || this.#attempt?.hasSent !== true;
  }

  clientData(bytes: Buffer, from: number): number {
    const body = this.#body;
    if (body.complete) return from;
    // Nobody reads the rest of the body any more; the connection will be closed.
    if (!this.#takesBody()) return bytes.length;
    const sending = this.#attempt?.sent === true;
    const end = body.read(bytes, from, !sending);
    if (end === illegal) {
      if (this.#plan !== undefined) this.#fail(body.fault ?? 'bad-chunk');
      return bytes.length;
    }
    if (sending) this.#attempt?.sendBody();
    return end;
  }

  #takesBody(): boolean {
    if (this.#body.fault !== undefined) return false;
    return this.#phase === 'asking' || this.#phase === 'attempting' || this.#delivery?.answering === true;
  }

  interimHead(head: ResponseHead): void {
    if (this.#clientGone || this.#head.minor === 0) return;
    const framing = { kind: 'as-is' } as const;
    this.#client.write(forwardResponseHead(head, { added: [], framing, clientMinor: 1, closing: false }));
  }

  finalHead(head: ResponseHead, bytes: Buffer, end: number): void {
    const attempt = this.#attempt!;
    const plan = this.#plan!;
    const passed = plan.answered(head, attempt.candidate);
    if (passed.kind === 'unsent') {
      this.#unsent(passed.detail);
      return;
    }
    this.#phase = 'delivering';
    this.#status = head.status;
    this.#delivery = new Delivery({
      request: this.#head,
      body: this.#body,
      client: this.#client,
      attempt,
      plan,
      response: head,
      passed,
      mayKeepAlive: () => this.#mayKeepAlive(),
      context: this.#context,
      listener: this,
    });
    attempt.answerListener = this.#delivery;
    if (this.#clientGone) this.#delivery.clientGone();
    this.#delivery.start(bytes, end);
  }

  /** The pod's own sidecar answered that nothing reached the application (rules 3). */
  #unsent(detail: string): void {
    this.#attempt!.destroy();
    this.#sent = this.#trail?.replayed === true;
    const word = detail.split(/[ ;]/, 1)[0]!;
    const reason = isCloseReason(word) ? word : 'upstream-refused';
    if (this.#clientGone) this.#refuse('client-gone');
    else this.#retry(reason === 'overloaded' ? 'overloaded' : 'unsent', { reason, unsent: detail });
  }

  delivered(next: ClientNext, reason: CloseReason | undefined): void {
    this.#end(next, reason);
  }

  undelivered(reason: CloseReason): void {
    this.#refuse(reason);
  }

  cut(next: ClientNext, reason: CloseReason): void {
    this.#end(next, reason);
  }

  /** Ends it from wherever it is. */
  #fail(reason: CloseReason): void {
    if (this.#delivery !== undefined) this.#delivery.fail(reason);
    else this.#refuse(reason);
  }

  #refuse(reason: CloseReason): void {
    this.#attempt?.destroy();
    if (this.#clientGone) {
      this.#end('cut', 'client-gone');
      return;
    }
    this.#status = statusOf(reason);
    this.#writeOwn((context) => refusal(reason, context), reason);
  }

  #answer(answer: OwnAnswer): void {
    this.#status = answer.status;
    this.#writeOwn((context) => roleAnswer(answer, context), answer.reason);
  }

  #writeOwn(textOf: (context: OwnAnswerContext) => string, reason: CloseReason | undefined): void {
    this.#phase = 'refusing';
    const closing = !this.#mayKeepAlive();
    const text = textOf({
      role: this.#context.role,
      sent: this.#sent,
      closing,
      toHead: this.#head.method === 'HEAD',
      clientMinor: this.#head.minor,
    });
    this.#bytes = text.length;
    this.#client.write(text);
    this.#client.deadline.set(this.#context.timeouts.bodyIdleMs);
    this.#client.whenFlushed(() => this.#end(closing ? 'close' : 'next', reason));
  }

  #mayKeepAlive(): boolean {
    const { role, draining } = this.#context;
    return this.#head.keepAlive && this.#body.complete && !this.#client.noneFollows && !role.closing && !draining;
  }

  clientEnded(): void {
    // With the whole request read, a FIN only says that no other request follows (rules 14). Who half-closes reads a refusal.
    if (!this.#body.complete && this.#phase !== 'refusing') this.clientGone();
  }

  clientDrained(): void {
    this.#delivery?.clientDrained();
  }

  clientDeadlinePassed(): void {
    const stalled = this.#client.waitingBytes > 0;
    if (this.#phase === 'refusing') this.#end('cut', 'client-stalled');
    else this.#fail(stalled ? 'client-stalled' : 'request-body-timeout');
  }

  clientGone(): void {
    this.#clientGone = true;
    if (this.#phase === 'refusing') this.#end('cut', 'client-gone');
    else if (this.#delivery !== undefined) this.#delivery.clientGone();
    else if (this.#phase === 'attempting') {
      if (this.#attempt!.sent && this.#body.complete) this.#attempt!.readOn();
      else this.#refuse('client-gone');
    } else if (this.#phase === 'asking') this.#plan?.withdraw?.();
  }

  fault(error: unknown): void {
    this.#context.observer.fault(error);
    const phase = this.#phase;
    if (phase === 'ended') return;
    try {
      if (phase !== 'refusing') this.#fail('internal');
    } catch (again) {
      this.#context.observer.fault(again);
    }
    // Where it could not be answered either, at least nothing stays behind.
    if (this.#phase === phase) this.abort('internal');
  }

  abort(reason: CloseReason): void {
    this.#attempt?.destroy();
    this.#delivery?.stop();
    this.#end('reset', reason);
  }

  #end(next: ClientNext, reason: CloseReason | undefined): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#context.inFlight--;
    this.#trail?.end();
    this.#client.deadline.clear();
    const { observer } = this.#context;
    try {
      this.#plan?.finish({
        reason,
        status: this.#status,
        sent: this.#sent,
        answerComplete: this.#delivery?.complete === true,
      });
      observer.ended(
        lineOf(this.#plan, {
          head: this.#head,
          status: this.#status,
          reason,
          ms: this.#context.clock.monotonicMs() - this.#startedMs,
          bytes: this.#bytes + (this.#delivery?.bytes ?? 0),
          client: this.#client.peer.address,
          requestId: this.#requestId,
          replayed: this.#trail?.replayed === true,
          heldInVain: this.#delivery?.heldInVain === true,
        }),
      );
    } catch (error) {
      observer.fault(error);
    }
    this.#client.exchangeEnded(next);
  }
}
