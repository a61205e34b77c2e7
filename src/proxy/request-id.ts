/**
 * Ids for requests that brought none that is believed. Unique, not secret: nothing is decided by them.
 */

import { randomBytes, randomFillSync } from 'node:crypto';

import { believedRequestId } from '../http1/forward-head.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { Plan } from './plan.ts';

/** Tells this process's ids from those of others and of its earlier lives. */
const prefix = randomBytes(9).toString('base64url');
let count = 0;

/**
 * The id that a request goes by, here and in the log of whoever it is forwarded to: its own where that is believed
 * (rules 38), else a new one of at most 24 characters of `[A-Za-z0-9_-]`.
 */
export function requestIdOf(head: RequestHead, forwarded: Plan['forwarded']): string {
  return (forwarded === 'replace' ? undefined : believedRequestId(head)) ?? nextRequestId();
}

function nextRequestId(): string {
  count++;
  return `${prefix}-${count.toString(36)}`;
}

/** Random bytes for some hundred traces: one call for each would cost more than all the rest. */
const pool = Buffer.alloc(24 * 170);
let used = pool.length;

/**
 * A new `traceparent` (W3C Trace Context section 3.2), in the place of a stranger's. Not sampled, as nobody here asked for it;
 * both ids are random, as those who sample by them expect.
 */
export function newTraceParent(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const trace = pool.toString('hex', used, used + 16);
  const parent = pool.toString('hex', used + 16, used + 24);
  used += 24;
  return `00-${trace}-${parent}-00`;
}
