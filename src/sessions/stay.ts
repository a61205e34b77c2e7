/**
 * How the data path talks to the keeper: ask to be admitted, then hold a Stay for the time of the exchange.
 * The keeper (keeper.ts) implements it; proxy/ is the only caller.
 *
 * Must not know HTTP beyond "the answer is complete" and what its cookies changed.
 */

import type { CookieChange, SessionId } from '../affinity/session-codec.ts';
import type { CloseReason } from '../base/close-reasons.ts';
import type { Owner } from '../store/contract.ts';
import type { Move } from '../upstream/signed-fields.ts';

export interface AdmitAsk {
  readonly session: SessionId;
  /**
   * A gateway's signed word that it moves the session: the keeper adopts whatever `elsewhere` says (rules 1).
   * 'none-left': no other pod would have it, so a draining one takes it too (rules 2). 'rebalance': only if its owner
   * gives it; else the request is forwarded to the owner.
   */
  readonly move: Move | undefined;
  /** Another sidecar forwarded this request: serve or adopt, never forward again (protocol rule 23). */
  readonly hopped: boolean;
  /** A gateway (or a hop) is in front: a refusal before the first byte is tried at another pod (rules 2, 3). */
  readonly fromGateway?: boolean;
  /**
   * Set when asking again after Admission 'elsewhere' did not work out: the owner's data address refused or
   * stayed silent ('dead'), or the owner's sidecar answered `unsent; draining` ('draining').
   */
  readonly elsewhereFailed?: { readonly epoch: number; readonly how: 'dead' | 'draining' };
}

export type Admission =
  /** Forward to the own application; call exactly one of settle / abandon in the end. */
  | { readonly kind: 'here'; readonly stay: Stay }
  /** Another live pod owns it: forward there, one hop. */
  | { readonly kind: 'elsewhere'; readonly owner: Owner; readonly epoch: number }
  /** No byte may reach the application. */
  | { readonly kind: 'refused'; readonly reason: CloseReason };

export type Verdict =
  /** `fencedByLogout`: leave without the session's and the pin's Set-Cookie (rules 16). */
  | { readonly kind: 'leave'; readonly fencedByLogout?: boolean }
  /** The answer must not look complete: 503 while the head is held, else a cut. */
  | { readonly kind: 'refuse'; readonly reason: CloseReason };

export interface Stay {
  readonly session: SessionId | undefined;
  /** The current term's epoch for this session; undefined: no session, or no record yet. */
  readonly epoch: number | undefined;
  readonly outcome: 'hit' | 'restored' | 'restore-failed' | 'expired' | 'none';
  /** The final response head arrived, before settle(). */
  answered(change: CookieChange): void;
  /**
   * The answer's last byte arrived whole; resolves when it may leave. Bounded by timeouts.sync + lock. Never
   * rejects. Answers synchronously where nothing has to be waited for.
   * @param lives for an application that saves its session after its output: whether it lives. Asked where the file
   * does not show that it was saved: what a killed one left there is neither stored nor answered.
   */
  settle(lives?: () => Promise<boolean>): Verdict | Promise<Verdict>;
  /**
   * The exchange ended otherwise. 'not-sent': no byte reached the application. 'client-left': the application
   * may have finished, what it wrote is captured. 'application-died': an empty or missing file afterwards is
   * repaired from the store, never stored (protocol rules 17, 18).
   */
  abandon(how: 'not-sent' | 'client-left' | 'application-died'): void;
}

export interface SessionGate {
  /** Synchronous where the session is owned here. Never rejects. */
  admit(ask: AdmitAsk): Admission | Promise<Admission>;
  /** For a request without a session: its answer may create one. */
  visit(): Stay;
  /**
   * Another pod whose sidecar serves, for a request that finds its application gone, or going, and has nobody in front to
   * send it on; none of `tried` (uids). Undefined: no other is known, or none of them serves. Bounded by timeouts.handoff. Never
   * rejects.
   */
  otherPod(tried: ReadonlySet<string>): Promise<Owner | undefined>;
}
