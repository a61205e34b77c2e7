/**
 * The request head that goes on to an upstream: what came in, without what was meant for us or may not be believed.
 *
 * Must not know sockets or pods. The head it is given was read by request-head.ts, so that each field is legal on
 * its own; what is added is checked here, and nothing else can bring a line end in.
 */

import assert from 'node:assert/strict';
import { type Field, trait } from './fields.ts';
import { isFieldValue, isTokenText, listMembers } from './grammar.ts';
import type { RequestHead } from './request-head.ts';

export type AddedField = readonly [name: string, value: string];

export interface RequestForwarding {
  /** The Cookie value; undefined: as it came, on one line; null: no Cookie line. */
  readonly cookie: string | null | undefined;
  /**
   * What becomes of X-Forwarded-*, Forwarded, X-Real-IP, X-Original-*, X-Rewrite-* and X-Request-ID. 'replace': all
   * go, ours are set. 'append': they stay, the client's address is added to X-Forwarded-For, what is missing is set.
   * 'keep': they stay as they are.
   */
  readonly forwarded: 'replace' | 'append' | 'keep';
  readonly client: { readonly address: string; readonly secure: boolean };
  /** Used where the request brought no id that is believed. */
  readonly requestId: string;
  /** Fields of ours. Internal ones (`x-holdfast-*`) can only come from here. */
  readonly added: readonly AddedField[];
}

/**
 * The head to send upstream, as HTTP/1.1, to be written as latin1. The body's bytes follow unchanged.
 *
 * Hop-by-hop fields go (RFC 9110 section 7.6.1), also those that Connection names; there is no Connection field
 * except for an upgrade. Names with `_`, `Proxy` and all `x-holdfast-*` go.
 * @throws AssertionError where an added field is not a legal field line: our mistake, never a client's
 */
export function forwardRequestHead(head: RequestHead, forwarding: RequestForwarding): string {
  let text = `${head.method} ${head.target} HTTP/1.1\r\nHost: ${head.host}\r\n`;
  const { forwarded } = forwarding;
  const named = strippedByConnection(head.fields);
  // What is written anew below, or not at all.
  let dropped =
    trait.hopByHop |
    trait.internal |
    trait.underscore |
    trait.host |
    trait.cookie |
    trait.contentLength |
    trait.transferEncoding |
    trait.requestId;
  if (forwarded === 'replace') dropped |= trait.forwarded;
  if (forwarded === 'append') dropped |= trait.forwardedFor;
  if (!head.expectsContinue) dropped |= trait.expect;
  let requestId = '';
  let forwardedFor = '';
  let seen = 0;
  for (const field of head.fields) {
    const traits = field.traits ?? 0;
    seen |= traits;
    if ((traits & dropped) !== 0) {
      if ((traits & trait.requestId) !== 0 && requestId === '') requestId = field.value;
      else if ((traits & trait.forwardedFor) !== 0 && field.value !== '') forwardedFor += `${field.value}, `;
    } else if (named === undefined || (traits & trait.unstrippable) !== 0 || !named.includes(field.lower)) {
      text += `${field.name}: ${field.value}\r\n`;
    }
  }
  if (head.framing.kind === 'length') text += `Content-Length: ${head.framing.length}\r\n`;
  else if (head.framing.kind === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  else if ((seen & trait.contentLength) !== 0) text += 'Content-Length: 0\r\n';
  const cookie = forwarding.cookie === undefined ? head.cookie : forwarding.cookie;
  if (cookie !== undefined && cookie !== null) text += line('Cookie', cookie);
  if (head.upgrade !== undefined) text += `Connection: upgrade\r\nUpgrade: ${head.upgrade}\r\n`;
  text += origin(forwarding, { seen, forwardedFor, host: head.host });
  const believed = forwarded !== 'replace' && isRequestId(requestId);
  text += line('X-Request-ID', believed ? requestId : forwarding.requestId);
  for (const [name, value] of forwarding.added) text += line(name, value);
  return `${text}\r\n`;
}

/** X-Forwarded-For, -Proto and -Host as far as they are ours to set. */
function origin(forwarding: RequestForwarding, came: { seen: number; forwardedFor: string; host: string }): string {
  if (forwarding.forwarded === 'keep') return '';
  const { client } = forwarding;
  const seen = forwarding.forwarded === 'append' ? came.seen : 0;
  const before = forwarding.forwarded === 'append' ? came.forwardedFor : '';
  let text = line('X-Forwarded-For', `${before}${client.address}`);
  if ((seen & trait.forwardedProto) === 0)
    text += client.secure ? 'X-Forwarded-Proto: https\r\n' : 'X-Forwarded-Proto: http\r\n';
  if ((seen & trait.forwardedHost) === 0 && came.host !== '') text += `X-Forwarded-Host: ${came.host}\r\n`;
  return text;
}

/** The fields that Connection names, in lower case; undefined where there is nothing beyond its usual options. */
export function strippedByConnection(fields: readonly Field[]): readonly string[] | undefined {
  let named: string[] | undefined;
  for (const { traits = 0, value } of fields) {
    if ((traits & trait.connection) === 0 || value === 'keep-alive' || value === 'close') continue;
    (named ??= []).push(...listMembers(value));
  }
  return named;
}

/** One field line. @throws AssertionError where it would not be exactly one legal line */
export function line(name: string, value: string): string {
  assert(isTokenText(name) && isFieldValue(value), `not a field line: ${JSON.stringify(name)}`);
  return `${name}: ${value}\r\n`;
}

function isRequestId(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}
