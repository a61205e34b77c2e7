/**
 * Ids for requests that brought none that is believed. Unique, not secret: nothing is decided by them.
 */

import { randomBytes } from 'node:crypto';

/** Tells this process's ids from those of others and of its earlier lives. */
const prefix = randomBytes(9).toString('base64url');
let count = 0;

/** At most 24 characters of `[A-Za-z0-9_-]`. */
export function nextRequestId(): string {
  count++;
  return `${prefix}-${count.toString(36)}`;
}
