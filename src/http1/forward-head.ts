/**
 * The request head that goes on to an upstream: what came in, without what was meant for us or may not be believed.
 *
 * Must not know sockets or pods. The head it is given was read by request-head.ts, so that each field is legal on
 * its own; what is added is checked here, and nothing else can bring a line end in.
 */

import { type Field, trait } from './fields.ts';
import { type AddedField, checked, keptLines, line } from './kept-lines.ts';
import type { RequestHead } from './request-head.ts';
import { isTraceParent } from './trace-parent.ts';

export type { AddedField } from './kept-lines.ts';

export interface RequestForwarding {
  /** The Cookie value; undefined: as it came, on one line; null: no Cookie line. */
  readonly cookie: string | null | undefined;
  /**
   * What becomes of X-Forwarded-*, Forwarded, X-Real-IP and its like, X-Original-* and X-Rewrite-*, traceparent and
   * tracestate. 'replace': all go, ours are set; a traceparent is replaced by a new one. 'append': they stay, the client's
   * address is added to X-Forwarded-For and to Forwarded, what is missing of X-Forwarded-* is set; a traceparent that
   * is none goes, and tracestate with it. 'keep': they stay as they are.
   */
  readonly forwarded: 'replace' | 'append' | 'keep';
  readonly client: { readonly address: string; readonly secure: boolean };
  /** In the place of whatever id the request brought. */
  readonly requestId: string;
  /** Asked for where a stranger's traceparent is replaced. */
  readonly newTraceParent: () => string;
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
  let seen = 0;
  for (const { traits = 0 } of fields) seen |= traits;
  const dropped = writtenAnew | notBelieved(head, forwarding.forwarded, seen);
  let text = `${head.method} ${head.target} HTTP/1.1\r\nHost: ${host}\r\n${keptLines(head, dropped)}`;
  if (framing.kind === 'length') text += `Content-Length: ${framing.length}\r\n`;
  else if (framing.kind === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  else if ((seen & trait.contentLength) !== 0) text += 'Content-Length: 0\r\n';
  const cookie = forwarding.cookie === undefined ? head.cookie : forwarding.cookie;
  if (cookie !== undefined && cookie !== null) {
    text += `Cookie: ${cookie === head.cookie ? cookie : checked(cookie)}\r\n`;
  }
  if (upgrade !== undefined) text += `Connection: upgrade\r\nUpgrade: ${upgrade}\r\n`;
  text += origin(head, forwarding, seen);
  text += `X-Request-ID: ${checked(forwarding.requestId)}\r\n`;
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

/** Traits of fields that do not go on as they came, because of who sent them or of what they are worth. */
function notBelieved(head: RequestHead, forwarded: RequestForwarding['forwarded'], seen: number): number {
  const expect = head.expectsContinue ? 0 : trait.expect;
  if (forwarded === 'keep') return expect;
  if (forwarded === 'replace') return expect | trait.forwarded | trait.traceParent | trait.traceState;
  const rewritten = expect | trait.forwardedFor | trait.forwardedNodes;
  return believesTrace(head.fields, seen) ? rewritten : rewritten | trait.traceParent | trait.traceState;
}

/** What tracestate says is about the trace in traceparent, and nothing without it (W3C Trace Context section 3.3). */
function believesTrace(fields: readonly Field[], seen: number): boolean {
  if ((seen & (trait.traceParent | trait.traceState)) === 0) return true;
  return isTraceParent(fields.filter(({ traits = 0 }) => (traits & trait.traceParent) !== 0).map(({ value }) => value));
}

/** X-Forwarded-For, -Proto and -Host, Forwarded and traceparent, as far as they are ours to set. */
function origin(head: RequestHead, { forwarded, client, newTraceParent }: RequestForwarding, seen: number): string {
  if (forwarded === 'keep') return '';
  const trusted = forwarded === 'append' ? seen : 0;
  const before = (trusted & trait.forwardedFor) === 0 ? '' : valuesOf(head.fields, trait.forwardedFor);
  let text = `X-Forwarded-For: ${before}${checked(client.address)}\r\n`;
  if ((trusted & trait.forwardedProto) === 0) text += `X-Forwarded-Proto: ${client.secure ? 'https' : 'http'}\r\n`;
  if ((trusted & trait.forwardedHost) === 0 && head.host !== '') text += `X-Forwarded-Host: ${head.host}\r\n`;
  if (forwarded === 'append' && (seen & trait.forwardedNodes) !== 0) {
    text += `Forwarded: ${valuesOf(head.fields, trait.forwardedNodes)}for=${forwardedNode(client.address)}\r\n`;
  }
  if (forwarded === 'replace' && (seen & trait.traceParent) !== 0) {
    text += `traceparent: ${checked(newTraceParent())}\r\n`;
  }
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

/** An IPv6 address is quoted and bracketed (RFC 7239 section 6). */
function forwardedNode(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}

/** The request's own id, where exactly one came and it is short and plain (rules 38). */
export function believedRequestId({ fields }: RequestHead): string | undefined {
  let id: string | undefined;
  for (const { traits = 0, value } of fields) {
    if ((traits & trait.requestId) === 0) continue;
    if (id !== undefined) return undefined;
    id = value;
  }
  return id !== undefined && /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : undefined;
}
