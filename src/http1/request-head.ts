/**
 * Is a request head legal, and what does it say? (RFC 9112 sections 2 to 6)
 *
 * Must not know how the bytes came together (head-buffer.ts) or who sent them.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import { type Field, trait } from './fields.ts';
import { type Framing, requestFraming } from './framing.ts';
import { CR, LF, listMembers, SP, targetByte, tokenLower, withMembers } from './grammar.ts';
import {
  effectiveFields,
  effectiveHeadBytes,
  fieldsOf,
  type HeadLimits,
  type HeadStep,
  scan,
  scanFieldLines,
  stopped,
  stopScan,
} from './head-lines.ts';
import { isAuthority, readTarget, type Target } from './target.ts';

export type { HeadLimits, HeadStep } from './head-lines.ts';

export interface RequestHead {
  readonly method: string;
  /** origin-form, or `*` for OPTIONS; an absolute-form target was reduced and its authority is `host`. */
  readonly target: string;
  readonly minor: 0 | 1;
  /** Host field or absolute-form authority; '' where an HTTP/1.0 request has none. */
  readonly host: string;
  readonly fields: readonly Field[];
  /** The head as latin1 text, which fields' `start` and `end` point into. */
  readonly source?: string | undefined;
  readonly framing: Framing;
  /** The client's side of the connection persists after this exchange. */
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
  /** The Upgrade value, where Connection names upgrade and the request may be upgraded; else undefined. */
  readonly upgrade: string | undefined;
  /** All Cookie lines that are not empty, joined with "; ". */
  readonly cookie: string | undefined;
}

/** Empty lines that a client may send before its request line (RFC 9112 section 2.2 asks for one at least). */
const leadingLinesMax = 8;

const SLASH = 47;
/** CONNECT's first letter. */
const capitalC = 67;

/** The request line of one call; one object for all. */
const line = {
  start: 0,
  methodEnd: 0,
  targetStart: 0,
  targetEnd: 0,
  minor: 0 as 0 | 1,
  /** Undefined: the target is in origin-form. */
  form: undefined as Target | undefined,
};

/**
 * Reads a request head that begins at `from`.
 *
 * Call again with more bytes after 'more', with the same `from`; before another CR or LF came or `limits.headBytes` is
 * reached the answer stays 'more'. Never throws.
 */
export function readRequestHead(bytes: Buffer, from: number, limits: HeadLimits): HeadStep<RequestHead> {
  const headBytesMax = effectiveHeadBytes(limits);
  const limit = Math.min(bytes.length, from + headBytesMax);
  const targetBytesMax = limits.targetBytes === 0 ? headBytesMax : limits.targetBytes;
  line.targetStart = -1;
  const fieldsStart = scanRequestLine(bytes, from, { limit, targetBytesMax });
  if (fieldsStart === -1) {
    const tooLong = line.targetStart !== -1 && scan.at - line.targetStart > targetBytesMax;
    return stopped(bytes, from, headBytesMax, tooLong ? 'target-too-long' : 'head-too-large');
  }
  const end = scanFieldLines(bytes, fieldsStart, { limit, fieldsMax: effectiveFields(limits) });
  if (end === -1) return stopped(bytes, from, headBytesMax, 'head-too-large');
  const text = bytes.toString('latin1', line.start, end);
  return judge(text, { fields: fieldsOf(text, line.start), end, limits });
}

/** `method SP request-target SP HTTP-version CRLF` (RFC 9112 section 3). */
function scanRequestLine(
  bytes: Buffer,
  from: number,
  { limit, targetBytesMax }: { limit: number; targetBytesMax: number },
): number {
  let at = from;
  for (let lines = 0; at < limit && bytes[at] === CR; lines++) {
    if (lines === leadingLinesMax) return stopScan(at, 'bad-request-line');
    if (at + 1 >= limit) return stopScan(at, undefined);
    if (bytes[at + 1] !== LF) return stopScan(at + 1, 'bad-line-end');
    at += 2;
  }
  line.start = at;
  while (at < limit && tokenLower[bytes[at]!] !== 0) at++;
  if (at >= limit) return stopScan(at, undefined);
  if (bytes[at] !== SP || at === line.start) return stopScan(at, bytes[at] === LF ? 'bad-line-end' : 'bad-method');
  line.methodEnd = at++;
  line.targetStart = at;
  while (at < limit && targetByte[bytes[at]!] === 1) at++;
  if (at >= limit) return stopScan(at, undefined);
  if (at - line.targetStart > targetBytesMax) return stopScan(at, 'target-too-long');
  if (bytes[at] !== SP || at === line.targetStart) return stopScan(at, targetFault(bytes[at]!));
  line.targetEnd = at++;
  const versionEnd = scanVersion(bytes, at, limit);
  if (versionEnd === -1) return -1;
  // Almost every target is in origin-form, and needs no text to be made before the head is complete.
  line.form = undefined;
  if (bytes[line.targetStart] !== SLASH || bytes[line.start] === capitalC) {
    const method = bytes.toString('latin1', line.start, line.methodEnd);
    line.form = readTarget(method, bytes.toString('latin1', line.targetStart, line.targetEnd));
    if (line.form.kind === 'bad') return stopScan(versionEnd - 1, 'bad-target');
  }
  return versionEnd;
}

function targetFault(byte: number): CloseReason {
  if (byte === LF) return 'bad-line-end';
  return byte === CR || byte === SP ? 'bad-request-line' : 'bad-target';
}

/** `HTTP/1.0`, `HTTP/1.1`, or a later 1.x, which is read as 1.1 (RFC 9110 section 2.5), and the line's end. */
function scanVersion(bytes: Buffer, from: number, limit: number): number {
  const shape = 'HTTP/1.1\r\n';
  for (let at = 0; at < shape.length; at++) {
    if (from + at >= limit) return stopScan(from + at, undefined);
    const byte = bytes[from + at]!;
    const fits = at === 5 || at === 7 ? byte >= 48 && byte <= 57 : byte === shape.charCodeAt(at);
    if (!fits) return stopScan(from + at, byte === LF || at === 9 ? 'bad-line-end' : 'bad-version');
  }
  if (bytes[from + 5] !== 49) return stopScan(from + 9, 'version-unsupported');
  line.minor = bytes[from + 7] === 48 ? 0 : 1;
  return from + shape.length;
}

function refused(reason: CloseReason): HeadStep<never> {
  return { kind: 'refused', reason };
}

/** All lines are legal: do they make a legal request together? */
function judge(
  text: string,
  { fields, end, limits }: { fields: Field[]; end: number; limits: HeadLimits },
): HeadStep<RequestHead> {
  const { start, minor, form } = line;
  const facts = gather(fields);
  if (facts.hosts > 1 || (facts.hosts === 0 && minor === 1) || !isAuthority(facts.host)) return refused('bad-host');
  const framing = requestFraming(fields, minor);
  if (framing.kind === 'refused') return framing;
  if (form?.kind === 'authority') return refused('connect-refused');
  const method = text.substring(0, line.methodEnd - start);
  if (isOtherSpelling(method)) return refused('method-unknown');
  const absolute = form?.kind === 'target' ? form : undefined;
  const bodyBytesMax = limits.bodyBytes ?? 0;
  if (framing.kind === 'length' && bodyBytesMax !== 0 && framing.length > bodyBytesMax)
    return refused('body-too-large');
  const { connection } = facts;
  // An HTTP/1.0 client knows no 100; its expectation is ignored (RFC 9110 section 10.1.1).
  const unknown = minor === 1 && facts.expect.some((expectation) => expectation !== '100-continue');
  if (unknown) return refused('expectation-unknown');
  const persistent =
    minor === 1 ? !connection.includes('close') : connection.includes('keep-alive') && !connection.includes('close');
  const head: RequestHead = {
    method,
    target: absolute?.target ?? text.substring(line.targetStart - start, line.targetEnd - start),
    minor,
    host: absolute?.authority ?? facts.host,
    fields,
    source: text,
    framing,
    keepAlive: persistent,
    expectsContinue: minor === 1 && facts.expect.length > 0 && framing.kind !== 'none',
    upgrade:
      minor === 1 && framing.kind === 'none' && connection.includes('upgrade') ? offered(facts.upgrade) : undefined,
    cookie: facts.cookie,
  };
  return { kind: 'head', head, end };
}

const standardMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/**
 * Methods are case-sensitive (RFC 9110 section 9.1), but gunicorn, Symfony and Laravel raise them: `head` would be
 * answered there as HEAD is, without the body that its Content-Length announces to everybody else.
 */
function isOtherSpelling(method: string): boolean {
  for (let at = 0; at < method.length; at++) {
    const code = method.charCodeAt(at);
    if (code >= 97 && code <= 122) return standardMethods.includes(method.toUpperCase());
  }
  return false;
}

interface Facts {
  hosts: number;
  host: string;
  cookie: string | undefined;
  connection: readonly string[];
  expect: readonly string[];
  upgrade: string | undefined;
}

const none: readonly string[] = [];

function gather(fields: readonly Field[]): Facts {
  const facts: Facts = { hosts: 0, host: '', cookie: undefined, connection: none, expect: none, upgrade: undefined };
  const wanted = trait.host | trait.cookie | trait.connection | trait.expect | trait.upgrade;
  for (const { traits = 0, value } of fields) {
    if ((traits & wanted) === 0) continue;
    if ((traits & trait.host) !== 0) {
      facts.hosts++;
      facts.host = value;
    } else if ((traits & trait.cookie) !== 0) {
      if (value !== '') facts.cookie = facts.cookie === undefined ? value : `${facts.cookie}; ${value}`;
    } else if ((traits & trait.connection) !== 0) {
      facts.connection = withMembers(facts.connection, value);
    } else if ((traits & trait.expect) !== 0) {
      facts.expect = withMembers(facts.expect, value);
    } else {
      facts.upgrade = facts.upgrade === undefined ? value : `${facts.upgrade}, ${value}`;
    }
  }
  return facts;
}

/**
 * The Upgrade value that may be forwarded. An upgrade to HTTP/2 is not: what then passes in the tunnel would be
 * requests that nobody here has read.
 */
function offered(upgrade: string | undefined): string | undefined {
  if (upgrade === undefined || upgrade === '') return undefined;
  return listMembers(upgrade).some((protocol) => protocol.startsWith('h2c') || protocol.startsWith('http/'))
    ? undefined
    : upgrade;
}
