/** Is a request head legal, and what does it say? (RFC 9112 sections 2 to 6) */

import type { CloseReason } from '../base/close-reasons.ts';
import type { Field } from './fields.ts';
import type { Framing } from './framing.ts';

export interface RequestHead {
  readonly method: string;
  /** origin-form, or `*` for OPTIONS; an absolute-form target was reduced and its authority is `host`. */
  readonly target: string;
  readonly minor: 0 | 1;
  /** Host field or absolute-form authority; '' where an HTTP/1.0 request has none. */
  readonly host: string;
  readonly fields: readonly Field[];
  readonly framing: Framing;
  /** The client's side of the connection persists after this exchange. */
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
  /** The Upgrade value, where Connection names upgrade and the request may be upgraded; else undefined. */
  readonly upgrade: string | undefined;
  /** All Cookie lines joined with "; ". */
  readonly cookie: string | undefined;
}

export interface HeadLimits {
  readonly headBytes: number;
  readonly targetBytes: number;
  readonly fields: number;
}

export type HeadStep<Head> =
  | { readonly kind: 'more' }
  /** `end`: index of the first byte after the head. */
  | { readonly kind: 'head'; readonly head: Head; readonly end: number }
  | { readonly kind: 'refused'; readonly reason: CloseReason };
