/**
 * What every connection and exchange of one proxy shares, and what the proxy tells about each exchange.
 *
 * Must not know sockets. Log and metrics are behind ExchangeObserver: commands/ joins them.
 */

import type { AffinityOutcome } from '../affinity/outcome.ts';
import type { Clock } from '../base/clock.ts';
import type { CloseReason } from '../base/close-reasons.ts';
import type { Limits, Timeouts } from '../base/limits.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { UpstreamPool } from '../upstream/pool.ts';
import type { Plan, Role } from './plan.ts';
import type { RetryBudget } from './retry.ts';

/** One exchange, told when it has ended: what the access line and the metrics are made of. */
export interface ExchangeLine {
  readonly method: string;
  /** As it was received; '' where no legal head was read. */
  readonly target: string;
  /** What the client was answered; 0: nothing. */
  readonly status: number;
  readonly affinity: AffinityOutcome;
  readonly pod: string | undefined;
  readonly tried: readonly string[];
  /** Request head read to last byte of the answer handed to the kernel. */
  readonly ms: number;
  /** Bytes of the answer written to the client, head and framing included. */
  readonly bytes: number;
  /** Undefined: a complete answer left. */
  readonly reason: CloseReason | undefined;
  /** Its digest, which costs as much as the rest of the line: computed only for who reads it. Undefined: it has none. */
  readonly session: () => string | undefined;
  readonly client: string;
  /** What the request was forwarded with; undefined where no legal head was read. */
  readonly requestId?: string | undefined;
  /** Sent a second time because a kept-alive connection had gone stale (rules 19). */
  readonly replayed: boolean;
  /** The answer outgrew `holdBytes` towards an HTTP/1.0 client, which can't see where it ends (rules 11). */
  readonly heldInVain: boolean;
}

/** A connection that was closed before a request was read: its PROXY header was none, or not to be believed. */
export interface NotTaken {
  readonly reason: CloseReason;
  /** In words, for the log. Holds nothing that the other side sent. */
  readonly detail: string;
  /** The address of the connection's other end. */
  readonly client: string;
}

export interface ExchangeObserver {
  /** Called once for each exchange and for each request that was refused before it became one. Must not throw. */
  ended(line: ExchangeLine): void;
  /**
   * Called for each connection beyond `limits.connections`: answered 503 before a request was read. Must not throw, and
   * must cost next to nothing.
   * @param nowMs of a monotonic clock
   */
  turnedAway(nowMs: number): void;
  /** Called for each connection that was not taken. As turnedAway() it must not throw, and must cost next to nothing. */
  notTaken(connection: NotTaken, nowMs: number): void;
  /** A fault of our own or of a role; the exchange was answered 500 or cut, the process goes on. Must not throw. */
  fault(error: unknown): void;
}

export interface ProxyContext {
  readonly role: Role;
  readonly pool: UpstreamPool;
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  /** For answers of applications, whoever asks them; and for those of sidecars, who add to what they took. */
  readonly answerLimits: Limits;
  readonly sidecarAnswerLimits: Limits;
  readonly observer: ExchangeObserver;
  readonly retries: RetryBudget;
  /** Exchanges between their request head and their end, tunnels included. */
  inFlight: number;
  /** Set when the proxy drains: answers bear `Connection: close`. */
  draining: boolean;
}

/** What an exchange knows of itself at its end: its line, but for what its head and its plan say. */
export type ExchangeFacts = Omit<ExchangeLine, 'method' | 'target' | 'session' | keyof Plan['report']> & {
  readonly head: RequestHead;
};

const unplanned: Plan['report'] = { affinity: 'none', pod: undefined, tried: [] };

/** @param plan undefined where the role could not even make one */
export function lineOf(plan: Plan | undefined, facts: ExchangeFacts): ExchangeLine {
  const { affinity, pod, tried } = plan?.report ?? unplanned;
  // Field by field: it is made for every exchange, and taking objects apart costs several times as much.
  return {
    method: facts.head.method,
    target: facts.head.target,
    status: facts.status,
    affinity,
    pod,
    tried,
    ms: facts.ms,
    bytes: facts.bytes,
    reason: facts.reason,
    session: () => plan?.sessionDigest,
    client: facts.client,
    requestId: facts.requestId,
    replayed: facts.replayed,
    heldInVain: facts.heldInVain,
  };
}

/** Of what was refused before it was a request. */
export function lineOfRefusal(facts: Pick<ExchangeLine, 'reason' | 'status' | 'bytes' | 'client'>): ExchangeLine {
  const nothing = { method: '', target: '', affinity: 'none', pod: undefined, tried: [], ms: 0 } as const;
  return { ...nothing, session: () => undefined, replayed: false, heldInVain: false, ...facts };
}
