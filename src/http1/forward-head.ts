/**
 * The request head that goes on to an upstream: what came in, without what was meant for us or may not be believed.
 *
 * Must not know sockets or pods. The head it is given was read by request-head.ts, so that each field is legal on
 * its own; what is added is checked here, and nothing else can bring a line end in.
 */

import { type Field, trait } from './fields.ts';
import { type AddedField, checked, keptLines, line } from './kept-lines.ts';
import type { RequestHead } from './request-head.ts';

export type { AddedField } from './kept-lines.ts';

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
 * except for an upgrade. Names with `_` or `.`, `Proxy` and all `x-holdfast-*` go.
 * @throws AssertionError where an added field is not a legal field line: our mistake, never a client's
 */
export function forwardRequestHead(head: RequestHead, forwarding: RequestForwarding): string {
  const { fields, framing, host, upgrade } = head;
  let dropped = writtenAnew;
  if (forwarding.forwarded === 'replace') dropped |= trait.forwarded;
  if (forwarding.forwarded === 'append') dropped |= trait.forwardedFor;
  if (!head.expectsContinue) dropped |= trait.expect;
  let text = `${head.method} ${head.target} HTTP/1.1\r\nHost: ${host}\r\n${keptLines(head, dropped)}`;
  let seen = 0;
  for (const { traits = 0 } of fields) seen |= traits;
  if (framing.kind === 'length') text += `Content-Length: ${framing.length}\r\n`;
  else if (framing.kind === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  else if ((seen & trait.contentLength) !== 0) text += 'Content-Length: 0\r\n';
  const cookie = forwarding.cookie === undefined ? head.cookie : forwarding.cookie;
  if (cookie !== undefined && cookie !== null) {
    text += `Cookie: ${cookie === head.cookie ? cookie : checked(cookie)}\r\n`;
  }
  if (upgrade !== undefined) text += `Connection: upgrade\r\nUpgrade: ${upgrade}\r\n`;
  text += origin(head, forwarding, seen);
  const requestId = forwarding.forwarded === 'replace' ? undefined : believedId(fields, seen);
  text += `X-Request-ID: ${requestId ?? checked(forwarding.requestId)}\r\n`;
  for (const [name, value] of forwarding.added) text += line(name, value);
  return `${text}\r\n`;
}

/** Never copied: not for the next one to see, or written below in our own way. */
const writtenAnew =
  trait.hopByHop |
  trait.internal |
  trait.alias |
  trait.host |
  trait.cookie |
  trait.contentLength |
  trait.transferEncoding |
  trait.requestId;

/** X-Forwarded-For, -Proto and -Host as far as they are ours to set. */
function origin(head: RequestHead, { forwarded, client }: RequestForwarding, seen: number): string {
  if (forwarded === 'keep') return '';
  const trusted = forwarded === 'append' ? seen : 0;
  const before = (trusted & trait.forwardedFor) === 0 ? '' : valuesOf(head.fields, trait.forwardedFor);
  let text = `X-Forwarded-For: ${before}${checked(client.address)}\r\n`;
  if ((trusted & trait.forwardedProto) === 0) text += `X-Forwarded-Proto: ${client.secure ? 'https' : 'http'}\r\n`;
  if ((trusted & trait.forwardedHost) === 0 && head.host !== '') text += `X-Forwarded-Host: ${head.host}\r\n`;
  return text;
}

/** The values of all lines with the trait, each followed by ", "; empty ones are left out. */
function valuesOf(fields: readonly Field[], wanted: number): string {
  let values = '';
  for (const { traits = 0, value } of fields) {
    if ((traits & wanted) !== 0 && value !== '') values += `${value}, `;
  }
  return values;
}

/** The request's own id, where exactly one came and it is short and plain (rules 38). */
function believedId(fields: readonly Field[], seen: number): string | undefined {
  if ((seen & trait.requestId) === 0) return undefined;
  const ids = fields.filter(({ traits = 0 }) => (traits & trait.requestId) !== 0);
  const id = ids[0]?.value ?? '';
  return ids.length === 1 && /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : undefined;
}
