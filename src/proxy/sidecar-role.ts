/**
 * The sidecar's side of every decision: is the session here, is it fetched first, or does the request go to the
 * pod that owns it; and how much of the answer waits until the keeper has the session safe.
 *
 * Must not know sockets, files or the store: the keeper (sessions/) is behind SessionGate.
 */

import type { AffinityOutcome } from '../affinity/outcome.ts';
import type { CookieChange, SessionCodec, SessionId } from '../affinity/session-codec.ts';
import type { Address } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import type { Limits, Timeouts } from '../base/limits.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { SessionTurn, SessionTurns } from '../sessions/session-turns.ts';
import type { AdmitAsk, Admission, SessionGate, Stay, Verdict } from '../sessions/stay.ts';
import type { Owner } from '../store/contract.ts';
import { formatServedBy, type InternalSigner, podField } from '../upstream/signed-fields.ts';
import { helloAnswer, type HelloAnswerOptions } from './hello-answer.ts';
import { beyondLimits } from './head-room.ts';
import { hasNoEnd, holdOf } from './held-answer.ts';
import { readTrusted, type Trusted } from './internal-trust.ts';
import type { KeeperScope } from './keeper-scope.ts';
import { hopAnswered, hopTo, ownerAfter } from './owner-hop.ts';
import type { PerSessionLimit } from './per-session.ts';
import type { Answered, AttemptFailure, ExchangeEnd, ExchangeRequest, Plan, Role, Step } from './plan.ts';

export interface SidecarRoleOptions {
  readonly own: Owner;
  readonly application: Address;
  /** It refused a connection. */
  readonly applicationRefused: () => void;
  readonly gate: SessionGate;
  readonly codec: SessionCodec;
  /** The session's name in the store, and its keyed digest for logs. */
  readonly nameOf: (session: SessionId) => string;
  readonly digestOf: (session: SessionId) => string;
  readonly signer: InternalSigner;
  readonly hello: HelloAnswerOptions;
  readonly scope: KeeperScope;
  readonly perSession: PerSessionLimit;
  /** Requests of one session one at a time (`sessions.serialize`); undefined: side by side. */
  readonly turns: SessionTurns | undefined;
  /** Whether answers wait for the store (`replicate: sync`). */
  readonly sync: boolean;
  /** The application may write its session after its output. */
  readonly savedLater: boolean;
  readonly timeouts: Timeouts;
  /** For those who are no process of ours. */
  readonly limits: Pick<Limits, 'headBytes' | 'fields'>;
  readonly clock: Clock;
}

export class SidecarRole implements Role {
  readonly marksOwnAnswers = true;
  readonly options: SidecarRoleOptions;
  /** Set when draining starts; never unset. */
  closing = false;

  constructor(options: SidecarRoleOptions) {
    this.options = options;
  }

  plan(request: ExchangeRequest): Plan {
    return new SidecarPlan(this.options, request, this.closing);
  }
}

/** Other pods that are tried, one after the other, for a request whose own application is gone or going. */
const helpersMax = 2;

class SidecarPlan implements Plan {
  readonly cookie = undefined;
  readonly forwarded: Plan['forwarded'];
  readonly #options: SidecarRoleOptions;
  readonly #head: RequestHead;
  readonly #session: SessionId | undefined;
  readonly #ignored: boolean;
  readonly #kept: boolean;
  readonly #trusted: Trusted;
  /** The pod is going away. */
  readonly #leaving: boolean;
  readonly #tried: string[] = [];
  #counted = false;
  #turn: SessionTurn | undefined;
  #stay: Stay | undefined;
  /** Where the request is instead of here; without epoch: a pod that serves it because our application is gone. */
  #owner: { readonly owner: Owner; readonly epoch: number | undefined } | undefined;
  #helpers = 0;
  /** Uids of the pods that it was sent to, and that did not take it. */
  readonly #failed = new Set<string>();
  /** No other pod was left: our own serves it, whatever it is about to do. */
  #hasNoneLeft = false;
  /** Whose forwarding failed last, for the keeper. */
  #elsewhereFailed: AdmitAsk['elsewhereFailed'];
  #change: CookieChange = { kind: 'none' };
  #settled = false;
  #outcome: AffinityOutcome | undefined;

  constructor(options: SidecarRoleOptions, request: ExchangeRequest, leaving: boolean) {
    this.#options = options;
    this.#head = request.head;
    this.#ignored = options.scope.ignores(request.head);
    this.#session = this.#ignored ? undefined : options.codec.fromRequest(request.head.cookie);
    this.#kept = !this.#ignored && !options.scope.skips(request.head);
    this.#trusted = readTrusted(request, this.#session, options);
    this.#leaving = leaving;
    this.forwarded = this.#trusted.own ? 'keep' : request.client.trusted ? 'append' : 'replace';
  }

  get report(): Plan['report'] {
    return {
      affinity: this.#affinity(),
      pod: this.#owner?.owner.name ?? this.#options.own.name,
      tried: this.#tried,
    };
  }

  get sessionDigest(): string | undefined {
    return this.#session === undefined ? undefined : this.#options.digestOf(this.#session);
  }

  next(failure: AttemptFailure | undefined): Step | Promise<Step> {
    if (failure === undefined) return this.#first();
    if (this.#owner === undefined && failure.reason === 'upstream-refused') this.#options.applicationRefused();
    const epoch = this.#owner?.epoch;
    if (epoch === undefined || this.#session === undefined) return this.#withoutApplication(failure);
    const how = ownerAfter(failure);
    if (how === 'alive') return { kind: 'refuse', reason: failure.reason };
    if (this.#owner !== undefined) this.#failed.add(this.#owner.owner.uid);
    this.#owner = undefined;
    this.#elsewhereFailed = { epoch, how };
    return this.#inTurn(this.#session);
  }

  /**
   * Our application takes no connection, or another pod did not take the request. A gateway, or the sidecar that forwarded
   * this, sends it elsewhere by itself; for a client that came by a plain Service nobody else does it. What is ignored is
   * no client's: a probe wants to know of this application.
   */
  #withoutApplication({ reason, unsent }: AttemptFailure): Step | Promise<Step> {
    const refuse: Step = { kind: 'refuse', reason };
    // Another pod whose connection is not made in time has no byte of it either. An application of ours may just be busy.
    const isSilent = reason === 'upstream-connect-timeout' && this.#owner !== undefined;
    const isGone = reason === 'upstream-refused' || isSilent || unsent !== undefined;
    if (!isGone || this.#trusted.own || this.#ignored) return refuse;
    this.#owner = undefined;
    // The other pod asks for the session: nothing of this request may keep it here.
    this.#stay?.abandon('not-sent');
    this.#stay = undefined;
    return this.#toAnother(refuse);
  }

  /**
   * Another pod gets the request, with a hop mark: it takes the session, if there is one. Where there is none our own
   * application does, unless it has been tried.
   */
  async #toAnother(refuse: Step): Promise<Step> {
    // It is taken where the request is served.
    this.#turn?.leave();
    const hasRoom = this.#helpers < helpersMax;
    const owner = hasRoom ? await this.#options.gate.otherPod(this.#failed) : undefined;
    if (owner !== undefined) {
      this.#helpers++;
      this.#failed.add(owner.uid);
      return this.#elsewhere(owner, undefined, this.#session);
    }
    if (this.#hasNoneLeft || this.#tried.includes(this.#options.own.name)) return refuse;
    this.#hasNoneLeft = true;
    return this.#here();
  }

  answered(head: ResponseHead): Answered {
    if (this.#owner !== undefined) return hopAnswered(head, { fromGateway: this.#trusted.own });
    if (this.#ignored) return { kind: 'pass', hold: 'none', fields: this.#servedBy() };
    if (this.#turn !== undefined && hasNoEnd(head)) this.#turn.leave();
    const change = this.#options.codec.fromAnswer(head.setCookies, this.#options.clock.nowMs());
    // A skipped path keeps nothing, unless its answer makes the session (rules 18).
    if (this.#stay === undefined && change.kind !== 'none') this.#stay = this.#options.gate.visit();
    this.#change = change;
    this.#stay?.answered(change);
    const { savedLater, sync } = this.#options;
    const hold = this.#stay === undefined ? 'none' : holdOf(head, { change, session: this.#session, sync });
    return { kind: 'pass', hold, savedLater, fields: this.#servedBy() };
  }

  fences(setCookie: string): boolean {
    return this.#options.codec.fromAnswer([setCookie], this.#options.clock.nowMs()).kind !== 'none';
  }

  settle(lives?: () => Promise<boolean>): Verdict | Promise<Verdict> {
    this.#settled = true;
    const verdict = this.#stay?.settle(lives) ?? { kind: 'leave' };
    // The next request reads what this one wrote; the client may read its answer as slowly as it likes.
    if (this.#turn !== undefined) {
      if (verdict instanceof Promise) void verdict.then(() => this.#turn?.leave());
      else this.#turn.leave();
    }
    return verdict;
  }

  withdraw(): void {
    this.#turn?.leave();
  }

  finish(end: ExchangeEnd): void {
    this.#turn?.leave();
    if (this.#counted && this.#session !== undefined) this.#options.perSession.leave(this.#session);
    const stay = this.#stay;
    if (stay === undefined || this.#settled) return;
    // Nothing was held (async), or the answer was not worth holding: what the application wrote is captured.
    if (end.answerComplete) void stay.settle();
    else if (!end.sent) stay.abandon('not-sent');
    else
      stay.abandon(
        end.reason === 'client-gone' || end.reason === 'client-stalled' ? 'client-left' : 'application-died',
      );
  }

  #first(): Step | Promise<Step> {
    const hello = helloAnswer(this.#head, this.#options.hello);
    if (hello !== undefined) return { kind: 'answer', answer: hello };
    if (this.#trusted.looped) return { kind: 'refuse', reason: 'loop' };
    const tooMuch = this.#trusted.own ? undefined : beyondLimits(this.#head, this.#options.limits);
    if (tooMuch !== undefined) return { kind: 'refuse', reason: tooMuch };
    if (this.#session !== undefined) {
      if (!this.#options.perSession.enter(this.#session)) return { kind: 'refuse', reason: 'overloaded' };
      this.#counted = true;
    }
    // What our application begins now it may not be able to end; nor could it be told from one that was killed (rules 12).
    // Of a session that is kept the keeper says where it is begun.
    const isKept = this.#session !== undefined && this.#kept;
    const isSentOn = this.#leaving && !this.#trusted.own && !this.#ignored && !isKept;
    return isSentOn ? this.#toAnother({ kind: 'refuse', reason: 'draining' }) : this.#here();
  }

  #here(): Step | Promise<Step> {
    if (this.#kept) {
      if (this.#session !== undefined) return this.#inTurn(this.#session);
      this.#stay = this.#options.gate.visit();
    }
    return this.#application();
  }

  /** Before the keeper is asked: who only waits is not in flight, and the session can move meanwhile. */
  #inTurn(session: SessionId): Step | Promise<Step> {
    const { turns } = this.#options;
    if (turns === undefined) return this.#admit(session);
    this.#turn = turns.enter(session);
    const { ready } = this.#turn;
    if (ready === true) return this.#admit(session);
    return ready.then((isOurs) => (isOurs ? this.#admit(session) : { kind: 'refuse', reason: 'turn-timeout' }));
  }

  #admit(session: SessionId): Step | Promise<Step> {
    const elsewhereFailed = this.#elsewhereFailed;
    const admission = this.#options.gate.admit({
      session,
      move: this.#hasNoneLeft ? 'none-left' : this.#trusted.move,
      hopped: this.#trusted.hopped,
      fromGateway: this.#trusted.own,
      ...(elsewhereFailed === undefined ? {} : { elsewhereFailed }),
    });
    return admission instanceof Promise
      ? admission.then((settled) => this.#admitted(settled, session))
      : this.#admitted(admission, session);
  }

  #admitted(admission: Admission, session: SessionId): Step | Promise<Step> {
    switch (admission.kind) {
      case 'here':
        this.#stay = admission.stay;
        return this.#application();
      case 'elsewhere':
        // Its turn is taken at the pod that serves it.
        this.#turn?.leave();
        return this.#elsewhere(admission.owner, admission.epoch, session);
      case 'refused': {
        const refuse: Step = { kind: 'refuse', reason: admission.reason };
        if (admission.reason === 'draining' && !this.#trusted.own) return this.#toAnother(refuse);
        this.#outcome = 'restore-failed';
        return refuse;
      }
    }
  }

  #application(): Step {
    const { application, own, timeouts } = this.#options;
    this.#tried.push(own.name);
    return {
      kind: 'forward',
      candidate: {
        address: application,
        pod: own.name,
        fields: [],
        connectTimeoutMs: timeouts.connectMs,
        responseTimeoutMs: timeouts.responseMs,
        isSidecar: false,
      },
    };
  }

  #elsewhere(owner: Owner, epoch: number | undefined, session: SessionId | undefined): Step {
    const candidate = hopTo(owner, session === undefined ? '' : this.#options.nameOf(session), this.#options);
    if (candidate === undefined) return { kind: 'refuse', reason: 'adopt-failed' };
    this.#owner = { owner, epoch };
    this.#tried.push(owner.name);
    return { kind: 'forward', candidate };
  }

  #servedBy(): readonly (readonly [string, string])[] {
    if (!this.#trusted.own) return [];
    const { own } = this.#options;
    const outcome = this.#affinity();
    const epoch = this.#stay?.epoch ?? 0;
    return [[podField, formatServedBy({ name: own.name, uid: own.uid, epoch, outcome })]];
  }

  #affinity(): AffinityOutcome {
    if (this.#outcome !== undefined) return this.#outcome;
    if (this.#owner !== undefined) return 'hit';
    if (this.#change.kind === 'set' && this.#change.session !== this.#session && this.#session === undefined)
      return 'new';
    if (this.#session === undefined) return 'none';
    return this.#stay?.session === undefined ? 'hit' : this.#stay.outcome;
  }
}
