/**
 * The response head that goes on to the client, framed as the client can read it.
 *
 * Must not know sockets. The head it is given was read by response-head.ts; what is added is checked, so that no
 * response can be split by what passes here.
 */

import assert from 'node:assert/strict';
import { trait } from './fields.ts';
import { type AddedField, keptLines, line } from './kept-lines.ts';
import type { ResponseHead } from './response-head.ts';

export type ClientFraming =
  /** The body's bytes follow as they came. */
  | { readonly kind: 'as-is' }
  /** The body is written anew as chunked; HTTP/1.1 clients only. */
  | { readonly kind: 'chunked' }
  /** The body's length is known by now. */
  | { readonly kind: 'length'; readonly length: number }
  /** The body ends with the connection. */
  | { readonly kind: 'close' };

export interface ResponseForwarding {
  /** Fields of ours. */
  readonly added: readonly AddedField[];
  /** Which Set-Cookie lines stay behind; absent: none. */
  readonly dropSetCookies?: ((value: string) => boolean) | undefined;
  readonly framing: ClientFraming;
  /** The client's HTTP/1 minor version. */
  readonly clientMinor: 0 | 1;
  /** The client's connection ends after this response. */
  readonly closing: boolean;
}

/**
 * The head to send to the client, as HTTP/1.1 (RFC 9112 section 2.3), to be written as latin1.
 *
 * Hop-by-hop fields and `x-holdfast-*` go. A 1xx gets no Connection field, a 101 gets `Connection: upgrade`.
 * A response without a body (HEAD, 304, Content-Length: 0) keeps its Content-Length; 1xx and 204 never have one.
 * @throws AssertionError where an added field is not a legal line, or a body framed by the end of the connection
 *   is to go out on one that stays open: our mistakes, never an upstream's
 */
export function forwardResponseHead(head: ResponseHead, forwarding: ResponseForwarding): string {
  const { status } = head;
  const bodyless = head.framing.kind === 'none';
  let dropped = trait.hopByHop | trait.internal | trait.transferEncoding;
  if (!bodyless || status < 200 || status === 204) dropped |= trait.contentLength;
  let text = `HTTP/1.1 ${status} ${head.phrase}\r\n${keptLines(head, dropped, forwarding.dropSetCookies)}`;
  if (!bodyless) text += bodyFraming(head, forwarding);
  for (const [name, value] of forwarding.added) text += line(name, value);
  if (status === 101) text += `Connection: upgrade\r\nUpgrade: ${switchedTo(head)}\r\n`;
  else if (status < 200) return `${text}\r\n`;
  else if (forwarding.closing) text += 'Connection: close\r\n';
  else if (forwarding.clientMinor === 0) text += 'Connection: keep-alive\r\n';
  return `${text}\r\n`;
}

function switchedTo(head: ResponseHead): string {
  const lines = head.fields.filter(({ traits = 0 }) => (traits & trait.upgrade) !== 0);
  return lines.map(({ value }) => value).join(', ');
}

function bodyFraming(head: ResponseHead, { framing, clientMinor, closing }: ResponseForwarding): string {
  const kept = framing.kind === 'as-is' ? head.framing : framing;
  if (kept.kind === 'length') return `Content-Length: ${kept.length}\r\n`;
  if (kept.kind === 'chunked') {
    assert(clientMinor === 1, 'an HTTP/1.0 client can not read chunks');
    return 'Transfer-Encoding: chunked\r\n';
  }
  assert(closing, 'a body without a length needs the end of the connection');
  return '';
}
