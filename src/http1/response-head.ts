/**
 * Is a response head legal, and what does it say? (RFC 9112 sections 4 to 6)
 *
 * Must not know how the bytes came together (head-buffer.ts). Every refusal has the reason 'upstream-bad-response'.
 */

import { type Field, trait } from './fields.ts';
import { type Framing, responseFraming } from './framing.ts';
import { CR, LF, listMembers, SP, valueByte, withMembers } from './grammar.ts';
import {
  effectiveFields,
  effectiveHeadBytes,
  fieldsOf,
  type HeadLimits,
  type HeadStep,
  scanFieldLines,
  stopped,
  stopScan,
} from './head-lines.ts';

export interface ResponseHead {
  readonly status: number;
  readonly phrase: string;
  readonly minor: 0 | 1;
  readonly fields: readonly Field[];
  /** The head as latin1 text, which fields' `start` and `end` point into. */
  readonly source?: string | undefined;
  /** 'none' for 1xx, 204, 304 and answers to HEAD. */
  readonly framing: Framing;
  readonly keepAlive: boolean;
  readonly setCookies: readonly string[];
}

/** What the response answers. */
export interface Answering {
  readonly method: string;
  /** The Upgrade value that was sent with the request; undefined: none, and a 101 is refused. */
  readonly upgrade: string | undefined;
}

/** The status line of one call; one object for all. */
const line = { status: 0, phraseStart: 0, phraseEnd: 0, minor: 0 as 0 | 1 };

const refused: HeadStep<never> = { kind: 'refused', reason: 'upstream-bad-response' };
const noCookies: readonly string[] = [];

/**
 * Reads a response head that begins at `from`; 1xx heads are read like any other, the next one follows at `end`.
 *
 * Call again with more bytes after 'more', with the same `from`; before another CR or LF came or `limits.headBytes` is
 * reached the answer stays 'more'. Never throws.
 */
export function readResponseHead(
  bytes: Buffer,
  from: number,
  limits: HeadLimits,
  answering: Answering,
): HeadStep<ResponseHead> {
  const headBytesMax = effectiveHeadBytes(limits);
  const limit = Math.min(bytes.length, from + headBytesMax);
  const fieldsStart = scanStatusLine(bytes, from, limit);
  const end =
    fieldsStart === -1 ? -1 : scanFieldLines(bytes, fieldsStart, { limit, fieldsMax: effectiveFields(limits) });
  if (end === -1)
    return stopped(bytes, from, headBytesMax, 'upstream-bad-response').kind === 'more' ? { kind: 'more' } : refused;
  const text = bytes.toString('latin1', from, end);
  const fields = fieldsOf(text, from);
  const phrase = text.substring(line.phraseStart - from, line.phraseEnd - from);
  return judge(fields, { text, phrase, end, answering });
}

/** `HTTP-version SP status-code [SP reason-phrase] CRLF`; without the last SP too, which many servers leave out. */
function scanStatusLine(bytes: Buffer, from: number, limit: number): number {
  const shape = 'HTTP/1.1 200';
  for (let at = 0; at < shape.length; at++) {
    if (from + at >= limit) return stopScan(from + at, undefined);
    const byte = bytes[from + at]!;
    const fits = at === 7 || at > 8 ? byte >= 48 && byte <= 57 : byte === shape.charCodeAt(at);
    if (!fits) return stopScan(from + at, 'upstream-bad-response');
  }
  line.minor = bytes[from + 7] === 48 ? 0 : 1;
  line.status = (bytes[from + 9]! - 48) * 100 + (bytes[from + 10]! - 48) * 10 + (bytes[from + 11]! - 48);
  let at = from + shape.length;
  line.phraseStart = at + 1;
  if (at < limit && bytes[at] === SP) {
    while (at < limit && valueByte[bytes[at]!] === 1) at++;
  }
  line.phraseEnd = Math.max(at, line.phraseStart);
  if (at >= limit) return stopScan(at, undefined);
  if (bytes[at] !== CR || line.status < 100) return stopScan(at, 'upstream-bad-response');
  if (at + 1 >= limit) return stopScan(at, undefined);
  return bytes[at + 1] === LF ? at + 2 : stopScan(at + 1, 'upstream-bad-response');
}

function judge(
  fields: Field[],
  { text, phrase, end, answering }: { text: string; phrase: string; end: number; answering: Answering },
): HeadStep<ResponseHead> {
  const { status, minor } = line;
  const bodyless = status < 200 || status === 204 || status === 304 || answersWithoutBody(answering.method, status);
  const framing = responseFraming(fields, minor, bodyless);
  if (framing.kind === 'refused') return refused;
  let connection: readonly string[] = noCookies;
  let setCookies: string[] | undefined;
  let upgrade = '';
  for (const { traits = 0, value } of fields) {
    if ((traits & (trait.setCookie | trait.connection | trait.upgrade)) === 0) continue;
    if ((traits & trait.setCookie) !== 0) (setCookies ??= []).push(value);
    else if ((traits & trait.connection) !== 0) connection = withMembers(connection, value);
    else upgrade += `,${value}`;
  }
  const switches = minor === 1 && connection.includes('upgrade') && isOffered(upgrade, answering.upgrade);
  if (status === 101 && !switches) return refused;
  const head: ResponseHead = {
    status,
    phrase,
    minor,
    fields,
    source: text,
    framing,
    keepAlive:
      framing.kind !== 'close' &&
      status !== 101 &&
      !connection.includes('close') &&
      (minor === 1 || connection.includes('keep-alive')),
    setCookies: setCookies ?? noCookies,
  };
  return { kind: 'head', head, end };
}

/**
 * Whether a head declares a body that must not follow it: legal for HEAD and 304, a fault for 204. A broken upstream
 * sends it all the same, perhaps later than its head.
 */
export function declaresAbsentBody({ framing, fields }: ResponseHead): boolean {
  if (framing.kind !== 'none') return false;
  return fields.some(({ traits = 0, value }) => {
    if ((traits & trait.transferEncoding) !== 0) return true;
    return (traits & trait.contentLength) !== 0 && /[^0]/.test(value);
  });
}

/** Answers to HEAD, and a 2xx to CONNECT (RFC 9112 section 6.3), which is never sent but easily told apart. */
function answersWithoutBody(method: string, status: number): boolean {
  return method === 'HEAD' || (method === 'CONNECT' && status < 300);
}

/** A server switches only to what was offered (RFC 9110 section 7.8). */
function isOffered(chosen: string, offer: string | undefined): boolean {
  const protocols = listMembers(chosen);
  const offers = offer === undefined ? noCookies : listMembers(offer);
  return protocols.length > 0 && protocols.every((protocol) => offers.includes(protocol));
}
