/**
 * How much of an application's answer waits for the keeper, told by the answer's head (rules 8 and 9).
 *
 * Must not know how it is held (delivery.ts), nor what it waits for.
 */

import type { CookieChange, SessionId } from '../affinity/session-codec.ts';
import type { ResponseHead } from '../http1/response-head.ts';

export interface HoldFacts {
  /** What the answer's cookies change. */
  readonly change: CookieChange;
  /** The request's. */
  readonly session: SessionId | undefined;
  /** `replicate: sync`. */
  readonly sync: boolean;
}

/**
 * The head waits where a client would act on it before the body's end. In async mode only a logout waits for the store;
 * whether it was one is known at the end of the answer, which is held for that look alone.
 */
export function holdOf(head: ResponseHead, { change, session, sync }: HoldFacts): 'none' | 'end' | 'head' {
  if (session === undefined && change.kind === 'none') return 'none';
  // In async mode a first session waits only where no more can be remembered, which settle() says at once.
  if (session === undefined && !sync) return 'end';
  if (change.kind === 'ended') return 'head';
  if (change.kind === 'set' && change.session !== session) return 'head';
  return sync && head.status >= 300 && head.status < 400 ? 'head' : 'end';
}

/** A tunnel, or a stream of events: others of its session are not to wait for its end. */
export function hasNoEnd(head: ResponseHead): boolean {
  if (head.status === 101) return true;
  const type = head.fields.find(({ lower }) => lower === 'content-type')?.value;
  return type?.toLowerCase().startsWith('text/event-stream') === true;
}
