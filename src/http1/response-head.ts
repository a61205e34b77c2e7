/** Is a response head legal, and what does it say? (RFC 9112 sections 4 to 6) */

import type { Field } from './fields.ts';
import type { Framing } from './framing.ts';

export interface ResponseHead {
  readonly status: number;
  readonly phrase: string;
  readonly minor: 0 | 1;
  readonly fields: readonly Field[];
  /** 'none' for 1xx, 204, 304 and answers to HEAD. */
  readonly framing: Framing;
  readonly keepAlive: boolean;
  readonly setCookies: readonly string[];
}
