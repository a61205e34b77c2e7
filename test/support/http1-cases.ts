/**
 * Cases of byte streams in Markdown: a heading that is the promise, a block with the stream, a block with what it gives.
 *
 * In a stream every line ends with CRLF; a `\` at its end takes that away. `\r`, `\n`, `\t`, `\\` and `\xHH` are
 * bytes, `{N text}` is text N times. The block's info string is `request` or `response`; behind it `fields` shows the
 * fields, a method is what the response answers, `upgrade=X` what was offered.
 */

import assert from 'node:assert/strict';
import type { RequestHead } from '../../src/http1/request-head.ts';
import type { ResponseHead } from '../../src/http1/response-head.ts';
import { readRequests, readResponses, type StreamMessage, type StreamResult, usualLimits } from './http1-stream.ts';

export interface StreamCase {
  readonly promise: string;
  readonly kind: 'request' | 'response';
  readonly words: readonly string[];
  readonly stream: Buffer;
  readonly gives: string;
}

/** The cases of one Markdown text. @throws AssertionError where a heading is not followed by its two blocks */
export function parseCases(markdown: string): StreamCase[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const match = /^(.*)\n\n```(.*)\n([\s\S]*?\n)```\n\n```gives\n([\s\S]*?)\n```\n*$/.exec(section);
      assert(match !== null, `a case without its two blocks: ${section.slice(0, 60)}`);
      const [, promise = '', info = '', stream = '', gives = ''] = match;
      const [kind, ...words] = info.split(' ');
      assert(kind === 'request' || kind === 'response', `a stream of an unknown kind: ${info}`);
      return { promise, kind, words, stream: streamBytes(stream), gives };
    });
}

function streamBytes(text: string): Buffer {
  const repeated = text.replace(/\{(\d+) ([^}]*)\}/g, (_, times: string, what: string) => what.repeat(Number(times)));
  const bytes = repeated.replace(/\\x([0-9a-f]{2})|\\([rnt\\])|\\\n|\n/g, (all, hex?: string, letter?: string) => {
    if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
    if (letter !== undefined) return { r: '\r', n: '\n', t: '\t' }[letter] ?? '\\';
    return all === '\n' ? '\r\n' : '';
  });
  return Buffer.from(bytes, 'latin1');
}

/** Runs the pieces of a case's stream, and tells the outcome in the words of a `gives` block. */
export function outcome({ kind, words }: StreamCase, pieces: readonly Buffer[]): string {
  const options = { limits: { ...usualLimits, bodyBytes: 100_000 }, bodyBytesMax: 100_000 };
  if (kind === 'request') return tell(readRequests(pieces, options), words);
  const upgrade = words.find((word) => word.startsWith('upgrade='))?.slice('upgrade='.length);
  const method = words.find((word) => /^[A-Z]+$/.test(word)) ?? 'GET';
  return tell(readResponses(pieces, { ...options, method, ...(upgrade === undefined ? {} : { upgrade }) }), words);
}

function tell(result: StreamResult<RequestHead | ResponseHead>, words: readonly string[]): string {
  const lines = result.messages.map((message) => tellMessage(message, words.includes('fields')));
  if (result.refused !== undefined) lines.push(`refused ${result.refused}`);
  if (result.unfinished) lines.push('waits');
  if (result.surplus > 0) lines.push(`surplus ${result.surplus}`);
  return lines.join('\n');
}

function tellMessage(
  { head, body, complete, mark }: StreamMessage<RequestHead | ResponseHead>,
  fields: boolean,
): string {
  const { framing } = head;
  const said: string[] = [];
  if ('method' in head) {
    said.push(`${head.method} ${shortened(head.target)} host=${head.host}`);
    if (head.expectsContinue) said.push('expects-continue');
    if (head.upgrade !== undefined) said.push(`upgrade=${head.upgrade}`);
    if (head.cookie !== undefined) said.push(`cookie=${shortened(head.cookie)}`);
  } else {
    said.push(`${head.status} ${JSON.stringify(head.phrase)}`);
    if (head.setCookies.length > 0) said.push(`cookies=${JSON.stringify(head.setCookies)}`);
  }
  if (head.minor === 0) said.push('1.0');
  said.push(framing.kind === 'length' ? `length=${framing.length}` : framing.kind, head.keepAlive ? 'keeps' : 'closes');
  if (framing.kind !== 'none') said.push(`body=${shortened(body)}`, complete ? `mark=${shortened(mark)}` : 'goes-on');
  if (fields) said.push(...head.fields.map(({ name, value }) => `\n  ${name}=${JSON.stringify(value)}`));
  return said.join(' ').replaceAll(' \n', '\n');
}

function shortened(text: string): string {
  const json = JSON.stringify(text);
  return json.length < 60 ? json : `${json.slice(0, 20)}...${text.length}`;
}
