/**
 * Answers of this process itself, as the role marks them (rules 3): whose error it was, and whether the application
 * may have executed the request.
 *
 * Must not know when one is given.
 */

import { type CloseReason, closeReasons } from '../base/close-reasons.ts';
import { ownResponse } from '../http1/own-response.ts';
import type { OwnAnswer, Role } from './plan.ts';

export interface OwnAnswerContext {
  readonly role: Role;
  /** A byte of the request reached an application. */
  readonly sent: boolean;
  /** The client's connection ends after it. */
  readonly closing: boolean;
  readonly toHead?: boolean;
  readonly clientMinor?: 0 | 1;
}

/** What a next hop of ours reads: `unsent; <reason>` may be tried elsewhere, `sent; <reason>` never. */
const ownField = 'x-holdfast-own';

/** The status of an answer for a reason; a reason without one is answered 503 where an answer is needed at all. */
export function statusOf(reason: CloseReason): number {
  const row: { readonly status?: number } = closeReasons[reason];
  return row.status ?? 503;
}

/** The answer for a close reason, to be written as latin1. */
export function refusal(reason: CloseReason, context: OwnAnswerContext): string {
  const { role, sent, ...rest } = context;
  const mark = `${sent ? 'sent' : 'unsent'}; ${reason}`;
  const fields = role.marksOwnAnswers ? ([[ownField, mark]] as const) : [];
  return ownResponse({ ...rest, status: statusOf(reason), reason, fields });
}

/** The answer that a role made, to be written as latin1. */
export function roleAnswer(answer: OwnAnswer, context: OwnAnswerContext): string {
  const { closing, toHead, clientMinor } = context;
  const { status, fields, body } = answer;
  return ownResponse({ status, fields, body, closing, toHead, clientMinor });
}
