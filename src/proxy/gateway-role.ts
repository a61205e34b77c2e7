/**
 * The gateway's side of every decision: which pod gets the exchange, what its sidecar is told, and which pin the
 * client takes home.
 *
 * Must not know sockets, nor how pods are found or probed (upstream/pod-watch.ts).
 */

import { type ChoiceInput, outcomeOf, type Pick, PodChoice, type PickFailure } from '../affinity/choose-pod.ts';
import type { AffinityOutcome } from '../affinity/outcome.ts';
import type { PinCookies, PinReading } from '../affinity/pin-cookie.ts';
import type { PinTable, TableEntry } from '../affinity/pin-table.ts';
import type { Rebalance } from '../affinity/rebalance.ts';
import type { SessionCodec, SessionId } from '../affinity/session-codec.ts';
import { closeReasons } from '../base/close-reasons.ts';
import type { Clock } from '../base/clock.ts';
import type { Timeouts } from '../base/limits.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import { enterPod, leavePod, type Pod } from '../pods/pod.ts';
import type { Verdict } from '../sessions/stay.ts';
import type { PodWatch } from '../upstream/pod-watch.ts';
import {
  fromField,
  internalField,
  type InternalSigner,
  type Move,
  moveField,
  ownField,
  parseOwnMark,
  parseServedBy,
  podField,
  type ServedBy,
} from '../upstream/signed-fields.ts';
import type { OwnerLookup } from './owner-lookup.ts';
import type { PerSessionLimit } from './per-session.ts';
import type { Answered, AttemptFailure, ExchangeRequest, Plan, Role, Step } from './plan.ts';
import { sidecarResponseMs } from './owner-hop.ts';

export interface GatewayRoleOptions {
  readonly codec: SessionCodec;
  /** Undefined: `pin: table`. */
  readonly pins: PinCookies | undefined;
  readonly table: PinTable;
  /** Undefined where no store is shared. */
  readonly lookup: OwnerLookup | undefined;
  readonly watch: PodWatch;
  /** Undefined: the pods are bare applications. */
  readonly signer: InternalSigner | undefined;
  /** The session's name in the store, as its sidecar knows it. */
  readonly nameOf: (session: SessionId) => string;
  readonly digestOf: (session: SessionId) => string;
  readonly perSession: PerSessionLimit;
  /** Undefined before bare applications. */
  readonly rebalance: Rebalance | undefined;
  readonly boundedLoad: number;
  readonly slowStartMs: number;
  readonly strict: boolean;
  readonly timeouts: Timeouts;
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
}

export class GatewayRole implements Role {
  readonly marksOwnAnswers = false;
  readonly options: GatewayRoleOptions;
  closing = false;

  constructor(options: GatewayRoleOptions) {
    this.options = options;
  }

  plan(request: ExchangeRequest): Plan {
    return new GatewayPlan(this.options, request);
  }
}

const leave: Verdict = { kind: 'leave' };
const noPin: PinReading = { kind: 'none' };
/** What a sidecar answers whose pod is well and busy, with this session or with all. */
const keepsItsSessions = ['overloaded', 'turn-timeout'] as const;

class GatewayPlan implements Plan {
  readonly cookie: string | null | undefined;
  readonly forwarded: Plan['forwarded'];
  readonly #options: GatewayRoleOptions;
  readonly #session: SessionId | undefined;
  readonly #pin: PinReading;
  readonly #secure: boolean;
  readonly #tried: string[] = [];
  #counted = false;
  #choice: PodChoice | undefined;
  #pick: Pick | undefined;
  /** The pod that would have served if it were not draining; 'asked': where no other was left. */
  #draining: Pick | 'asked' | undefined;
  #served: ServedBy | undefined;
  #outcome: AffinityOutcome | undefined;

  constructor(options: GatewayRoleOptions, { head, client }: ExchangeRequest) {
    const { codec, pins, clock } = options;
    this.#options = options;
    this.#secure = client.secure;
    this.forwarded = client.trusted ? 'append' : 'replace';
    this.#session = codec.fromRequest(head.cookie);
    pins?.sessionCookieIs(codec.cookieName);
    this.#pin = pins === undefined ? noPin : pins.read(head.cookie, this.#session, clock.nowMs());
    this.cookie = pins?.strip(head.cookie);
  }

  get report(): Plan['report'] {
    return {
      affinity: this.#outcome ?? this.#pick?.outcome ?? 'none',
      pod: this.#served?.name ?? this.#pick?.pod.name,
      tried: this.#tried,
    };
  }

  get sessionDigest(): string | undefined {
    return this.#session === undefined ? undefined : this.#options.digestOf(this.#session);
  }

  next(failure: AttemptFailure | undefined): Step | Promise<Step> {
    if (this.#choice !== undefined) return this.#following(this.#choice, failure);
    const session = this.#session;
    if (session === undefined) return this.#first(undefined, undefined);
    if (!this.#options.perSession.enter(session)) return { kind: 'refuse', reason: 'overloaded' };
    this.#counted = true;
    const entry = this.#options.table.get(session);
    if (entry !== undefined || this.#pin.kind === 'valid') return this.#first(entry, undefined);
    const question = this.#options.lookup?.ask(session);
    return question === undefined
      ? this.#first(undefined, undefined)
      : question.then((owner) => this.#first(undefined, owner));
  }

  answered(head: ResponseHead): Answered {
    const { signer, watch } = this.#options;
    const pick = this.#pick;
    if (pick === undefined) return { kind: 'pass', hold: 'none', fields: [] };
    watch.connected(pick.pod);
    if (signer === undefined) return this.#servedBy({ name: pick.pod.name, uid: '', epoch: 0 }, head, undefined);

    const mark = internalField(head.fields, ownField);
    const own = mark === undefined ? undefined : parseOwnMark(mark);
    if (own?.sent === false) return { kind: 'unsent', detail: own.detail };
    // The sidecar's own failure says nothing about where the session is.
    if (own !== undefined) return { kind: 'pass', hold: 'none', fields: [] };
    const told = internalField(head.fields, podField);
    const served = told === undefined ? undefined : parseServedBy(told);
    if (served === undefined) {
      // It did not know our token: it is not the pod that it was.
      watch.doubted(pick.pod);
      return { kind: 'pass', hold: 'none', fields: [] };
    }
    this.#served = this.#sourceNamed(served, pick.pod);
    this.#rebalanced(pick, served.uid === pick.pod.uid);
    return this.#servedBy(this.#served, head, served.outcome);
  }

  settle(): Verdict {
    return leave;
  }

  finish(): void {
    if (this.#pick !== undefined) leavePod(this.#pick.pod);
    if (this.#counted && this.#session !== undefined) this.#options.perSession.leave(this.#session);
  }

  /** What a sidecar calls its pod, as the source of pods calls it; uids tell which one it is (rules 28). */
  #sourceNamed(served: ServedBy, picked: Pod): ServedBy {
    if (served.uid === picked.uid) return served.name === picked.name ? served : { ...served, name: picked.name };
    const { watch } = this.#options;
    const pod = watch.podOf(served.uid);
    if (pod === undefined) watch.doubted(picked);
    return pod === undefined || pod.name === served.name ? served : { ...served, name: pod.name };
  }

  #first(entry: TableEntry | undefined, owner: TableEntry | undefined): Step {
    const { watch, strict, signer, rebalance, boundedLoad, slowStartMs, random, clock } = this.#options;
    const input: ChoiceInput = {
      session: this.#session,
      pin: this.#pin,
      entry,
      owner: owner === undefined ? undefined : this.#ownerAsListed(owner),
      pods: watch.set,
      strict,
      sidecars: signer !== undefined,
      storeDown: watch.storeDown,
      rebalance,
      boundedLoad,
      slowStartMs,
      random,
      nowMs: clock.monotonicMs(),
    };
    this.#choice = new PodChoice(input);
    return this.#take(this.#choice, undefined);
  }

  /** The store has owners by the names that sidecars give themselves. */
  #ownerAsListed(owner: TableEntry): TableEntry {
    const pod = this.#options.watch.podOf(owner.pod.uid);
    return pod === undefined || pod.name === owner.pod.name ? owner : { ...owner, pod };
  }

  #following(choice: PodChoice, failure: AttemptFailure | undefined): Step {
    // A full pod keeps its sessions (rules 27): moving them would cost more than the wait.
    const full = keepsItsSessions.find((reason) => failure?.unsent?.startsWith(reason));
    if (this.#session !== undefined && full !== undefined) return { kind: 'refuse', reason: full };
    const pick = this.#pick;
    if (pick !== undefined) {
      const { pod } = pick;
      leavePod(pod);
      this.#pick = undefined;
      this.#rebalanced(pick, false);
      if (failure?.unsent?.startsWith('draining') === true) {
        this.#draining ??= pick;
        this.#options.watch.doubted(pod);
      }
      // Its sidecar refused to connect, or has lost its application.
      if (failure?.unsent === undefined || failure.unsent.startsWith('upstream-')) this.#options.watch.refused(pod);
    }
    return this.#take(choice, pickFailure(failure));
  }

  #rebalanced({ from }: Pick, isMoved: boolean): void {
    if (from !== undefined) this.#options.rebalance?.settled(from, isMoved, this.#options.clock.monotonicMs());
  }

  #take(choice: PodChoice, failure: PickFailure | undefined): Step {
    const step = choice.next(failure);
    if (step.kind === 'none') {
      const draining = this.#draining;
      if (step.reason === 'no-pod-ready' && draining !== undefined && draining !== 'asked') {
        this.#draining = 'asked';
        return this.#forward(draining, 'none-left');
      }
      const { pins, table } = this.#options;
      // One refusal tells the client that its session is lost; the next request begins anew.
      if (step.endPin && this.#session !== undefined) table.remove(this.#session);
      if (!step.endPin || pins === undefined) return { kind: 'refuse', reason: step.reason };
      const fields = [['set-cookie', pins.endAsLastSeen(this.#secure)]] as const;
      const { words } = closeReasons[step.reason];
      return { kind: 'answer', answer: { status: 503, reason: step.reason, fields, body: `${words}\n` } };
    }
    return this.#forward(step.pick, step.pick.move);
  }

  #forward(pick: Pick, move: Move | undefined): Step {
    const { pod } = pick;
    this.#pick = pick;
    enterPod(pod);
    this.#tried.push(pod.name);
    const { signer, timeouts } = this.#options;
    return {
      kind: 'forward',
      candidate: {
        address: pod.address,
        pod: pod.name,
        fields: signer === undefined ? [] : this.#internalFields(pod, { move, signer }),
        connectTimeoutMs: timeouts.connectMs,
        responseTimeoutMs: signer === undefined ? timeouts.responseMs : sidecarResponseMs(timeouts),
        isSidecar: signer !== undefined,
      },
    };
  }

  #internalFields(
    pod: Pod,
    { move, signer }: { readonly move: Move | undefined; readonly signer: InternalSigner },
  ): readonly (readonly [string, string])[] {
    const from = [fromField, signer.token(pod.uid)] as const;
    if (move === undefined || this.#session === undefined) return [from];
    return [from, [moveField, signer.move(pod.uid, move, this.#options.nameOf(this.#session))]];
  }

  /** Remembers where the session lives now, and gives the client its pin where one is due. */
  #servedBy(
    pod: { readonly name: string; readonly uid: string; readonly epoch: number },
    head: ResponseHead,
    sidecar: AffinityOutcome | undefined,
  ): Answered {
    const { codec, pins, table, lookup, clock } = this.#options;
    const nowMs = clock.nowMs();
    const change = codec.fromAnswer(head.setCookies, nowMs, this.#session);
    const isSet = change.kind === 'set';
    // The sidecar pays no attention to this request's session (`sessions.ignore`): no pin either.
    if (sidecar === 'none' && (isSet || this.#session !== undefined)) return { kind: 'pass', hold: 'none', fields: [] };
    this.#outcome = outcomeOf(this.#pick?.outcome ?? 'none', { sidecar, isSet });
    const session = this.#session;
    if (session !== undefined && change.kind !== 'ended') table.put(session, pod, pod.epoch);
    // Without pin and store nobody else would know it when the client comes back (rules 30).
    if (isSet && pins === undefined && lookup === undefined) table.put(change.session, pod, pod.epoch);
    if (change.kind === 'ended' && session !== undefined) table.remove(session);
    if (pins === undefined || (session === undefined && change.kind === 'none')) {
      return { kind: 'pass', hold: 'none', fields: [] };
    }
    const pin = pins.due({
      status: head.status,
      cacheControl: joinedField(head, 'cache-control'),
      change,
      session,
      reading: this.#pin,
      pod,
      epoch: pod.epoch === 0 ? undefined : pod.epoch,
      secure: this.#secure,
      nowMs,
    });
    return { kind: 'pass', hold: 'none', fields: pin === undefined ? [] : [['set-cookie', pin]] };
  }
}

/** All lines of a list-valued field as one (RFC 9110 section 5.3); undefined: there is none. */
function joinedField({ fields }: ResponseHead, lower: string): string | undefined {
  let joined: string | undefined;
  for (const field of fields) {
    if (field.lower === lower) joined = joined === undefined ? field.value : `${joined}, ${field.value}`;
  }
  return joined;
}

/** What the choice learns from a failure, in its own words. */
function pickFailure(failure: AttemptFailure | undefined): PickFailure | undefined {
  if (failure === undefined) return undefined;
  if (failure.unsent === undefined) return 'unreachable';
  if (failure.unsent.startsWith('draining') || failure.unsent.startsWith('shutting-down')) return 'draining';
  return failure.unsent.startsWith('not-here') ? 'not-here' : 'other';
}
