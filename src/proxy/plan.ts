/**
 * The seam between the data path and the two roles. The exchange (exchange.ts) moves bytes and knows HTTP;
 * a role (gateway-role.ts, sidecar-role.ts) decides where a request goes, what is added, what is held.
 *
 * Must not know sockets. Everything may answer synchronously: a promise costs more than the work it wraps.
 */

import type { AffinityOutcome } from '../affinity/outcome.ts';
import type { Address } from '../base/address.ts';
import type { CloseReason } from '../base/close-reasons.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { Verdict } from '../sessions/stay.ts';

/** A token, and the keys of that moment: with others it has to be verified again. @see InternalSigner.keys */
export interface VerifiedToken {
  readonly token: string;
  readonly keys: number;
}

/** One client connection as roles see it. */
export interface ClientPeer {
  readonly address: string;
  readonly secure: boolean;
  /** Its address is in `trustedProxies`: X-Forwarded-* and X-Request-ID are believed. */
  readonly trusted: boolean;
  /** Set by the sidecar role once a gateway's or sidecar's signed token was verified on this connection. */
  verified: VerifiedToken | undefined;
}

export interface ExchangeRequest {
  readonly head: RequestHead;
  readonly client: ClientPeer;
}

export interface Role {
  /** Called once for each legal request head. Must not throw. */
  plan(request: ExchangeRequest): Plan;
  /** Answers bear `Connection: close` from now on, and idle client connections end (drain). */
  readonly closing: boolean;
  /** Answers made by this process itself bear `x-holdfast-own` (role sidecar; rules 3). */
  readonly marksOwnAnswers: boolean;
}

/** Where one attempt goes. */
export interface Candidate {
  readonly address: Address;
  /** The pod's name, for the log. */
  readonly pod: string;
  /** Internal fields to add to the forwarded head: [name, value], already checked. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly connectTimeoutMs: number;
  /** Last request byte to response head. */
  readonly responseTimeoutMs: number;
  /** A sidecar of ours answers: what it took of its application it sends on with fields of its own (head-room.ts). */
  readonly isSidecar: boolean;
}

/** Why an attempt brought no answer, after the exchange decided that another candidate may be asked. */
export interface AttemptFailure {
  readonly candidate: Candidate;
  readonly reason: CloseReason;
  /** The candidate's own sidecar said that nothing reached the application: `unsent; <detail>`. */
  readonly unsent: string | undefined;
}

/** An answer that is made here. */
export interface OwnAnswer {
  readonly status: number;
  /** Undefined for an answer that is no failure (the signed `hello`). */
  readonly reason: CloseReason | undefined;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export type Step =
  | { readonly kind: 'forward'; readonly candidate: Candidate }
  | { readonly kind: 'refuse'; readonly reason: CloseReason }
  | { readonly kind: 'answer'; readonly answer: OwnAnswer };

/**
 * What to do with a response head.
 * `hold`: 'none'; 'end': the end mark waits for settle(); 'head': the head waits too (rules 8 to 10).
 */
export type Answered =
  | {
      readonly kind: 'pass';
      readonly hold: 'none' | 'end' | 'head';
      /** The application may write its session after its output: a whole answer does not tell that it did (rules 12). */
      readonly savedLater?: boolean;
      /** Fields to add towards the client. */
      readonly fields: readonly (readonly [name: string, value: string])[];
    }
  /** The sidecar said `unsent`: drop this answer, the exchange asks next() if the body can be replayed. */
  | { readonly kind: 'unsent'; readonly detail: string };

/** How an exchange ended, told once. */
export interface ExchangeEnd {
  /** Undefined: a complete answer left. */
  readonly reason: CloseReason | undefined;
  /** Of the answer that the client got or would have got; 0: none. */
  readonly status: number;
  /** Whether any byte was written to the last candidate. */
  readonly sent: boolean;
  /** The final response head had been seen and its body arrived whole. */
  readonly answerComplete: boolean;
}

export interface Plan {
  /** The Cookie value to forward; undefined: as it came; null: no Cookie line (only our pin was in it). */
  readonly cookie: string | null | undefined;
  /** How X-Forwarded-* are treated: 'replace' from strangers, 'append' from trusted proxies, 'keep' from a gateway. */
  readonly forwarded: 'replace' | 'append' | 'keep';
  /** The first candidate (failure undefined), then the next one after each failure. Must not throw or reject. */
  next(failure: AttemptFailure | undefined): Step | Promise<Step>;
  /** The final response head of a candidate (also a 101); not called for other 1xx. Must not throw. */
  answered(head: ResponseHead, candidate: Candidate): Answered;
  /**
   * Called once when the answer has arrived whole and `hold` was not 'none'. Must not throw or reject.
   * @param lives where the application was asked (`savedLater`): whether it still lives
   */
  settle(lives?: () => Promise<boolean>): Verdict | Promise<Verdict>;
  /**
   * Asked after a verdict `fencedByLogout`, for each Set-Cookie value of the answer and of the fields added to it:
   * whether it is the session's or the pin's and stays behind (rules 16). Absent: none does.
   */
  fences?(setCookie: string): boolean;
  /** The client has gone while next() was awaited: whatever waits in a queue for it may give up. Must not throw. */
  withdraw?(): void;
  /** Called exactly once for each plan, last of all. */
  finish(end: ExchangeEnd): void;
  /** For the access line and the metrics; read at finish. */
  readonly report: {
    readonly affinity: AffinityOutcome;
    readonly pod: string | undefined;
    readonly tried: readonly string[];
  };
  /** Keyed digest of the session, never the id, for the access line. Computed where it is asked for. */
  readonly sessionDigest: string | undefined;
}
