/**
 * A second HTTP/1 reader, to hold against the one in src/http1/: slow, on whole text, a regular expression for each rule
 * of RFC 9112, with Holdfast's choices where the RFC leaves one. It shares no line with what it judges.
 *
 * It knows no limits. It has a verdict on complete lines only: what a line that has not ended may still become, it leaves open.
 */

import { isIPv6 } from 'node:net';

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const text = '[\\t\\x20-\\x7e\\x80-\\xff]*';
const requestLine = new RegExp(`^(${token}) ([!"$-~]+) HTTP/(\\d)\\.(\\d)$`);
const statusLine = new RegExp(`^HTTP/1\\.(\\d) ([1-9]\\d\\d)(?: (${text}))?$`);
const fieldLine = new RegExp(`^(${token}):[ \\t]*(${text}?)[ \\t]*$`);
const extension = `[ \\t]*;[ \\t]*${token}(?:[ \\t]*=[ \\t]*(?:${token}|"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"))?`;
const chunkLine = new RegExp(`^([0-9A-Fa-f]{1,16})(?:${extension})*$`);
const standardMethod = /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH)$/;
const namedHost = /^(?:[-._~!$&'()*+,;=0-9A-Za-z]|%[0-9A-Fa-f]{2})*(?::\d*)?$/;
const literalHost = /^\[([^\]]*)\](?::\d*)?$/;
const emptyLinesMax = 8;

export type Fields = readonly (readonly [name: string, value: string])[];

export interface ReadMessage {
  readonly minor: 0 | 1;
  readonly fields: Fields;
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** latin1, without its frame; as much of it as there is. */
  readonly body: string;
  readonly complete: boolean;
  /** Of a chunked body that is complete. */
  readonly trailers?: Fields;
  /** The connection persists behind it. */
  readonly keepAlive: boolean;
  /** Where it stands in the stream. */
  readonly start: number;
  readonly end: number;
}

export interface ReadRequest extends ReadMessage {
  readonly method: string;
  /** In origin-form, or `*`. */
  readonly target: string;
  readonly host: string;
  readonly cookie: string | undefined;
}

export interface ReadResponse extends ReadMessage {
  readonly status: number;
  readonly phrase: string;
}

export interface Reading<Message> {
  readonly messages: readonly Message[];
  /** 'policy': legal, and answered by a refusal all the same. 'open': more has to come. 'closed': the rest is nobody's. */
  readonly verdict: 'clean' | 'open' | 'closed' | 'refused' | 'policy';
  readonly why: string;
  /** Bytes behind the last message of a connection that ends there. */
  readonly surplus: number;
}

/** Thrown in here only. */
class Stop extends Error {
  readonly verdict: 'open' | 'refused' | 'policy';

  constructor(verdict: 'open' | 'refused' | 'policy', why: string) {
    super(why);
    this.verdict = verdict;
  }
}

/** All requests of a client's stream, given as latin1. */
export function strictRequests(stream: string): Reading<ReadRequest> {
  return readAll(stream, { read: readRequest, goesOn: ({ keepAlive }) => keepAlive });
}

/** The answer to one request: interim responses, then the final one. `upgrade`: the protocols that were offered. */
export function strictResponses(
  stream: string,
  asked: { readonly method: string; readonly upgrade?: string },
): Reading<ReadResponse> {
  return readAll(stream, {
    read: (all, from) => readResponse(all, from, asked),
    goesOn: ({ status }) => status < 200 && status !== 101,
  });
}

interface Side<Message> {
  readonly read: (stream: string, from: number) => Message & { stop?: Stop };
  readonly goesOn: (message: Message) => boolean;
}

function readAll<Message extends ReadMessage>(stream: string, { read, goesOn }: Side<Message>): Reading<Message> {
  const messages: Message[] = [];
  let at = 0;
  try {
    while (at < stream.length) {
      const { stop, ...message } = read(stream, at);
      messages.push(message as unknown as Message);
      if (stop !== undefined) throw stop;
      at = message.end;
      if (!goesOn(message as unknown as Message))
        return { messages, verdict: 'closed', why: '', surplus: stream.length - at };
    }
    return { messages, verdict: 'clean', why: '', surplus: 0 };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { messages, verdict: error.verdict, why: error.message, surplus: 0 };
  }
}

/** A line that ends with CRLF. Anything else that could end one makes it illegal. */
function lineAt(stream: string, from: number): { readonly line: string; readonly end: number } {
  const length = stream.slice(from).search(/[\r\n]/);
  const at = from + length;
  if (length === -1 || at + 1 === stream.length + (stream[at] === '\n' ? 1 : 0))
    throw new Stop('open', 'a line goes on');
  if (!stream.startsWith('\r\n', at)) throw new Stop('refused', 'a line does not end with CRLF');
  return { line: stream.slice(from, at), end: at + 2 };
}

function fieldsAt(stream: string, from: number): { readonly fields: Fields; readonly end: number } {
  const fields: [string, string][] = [];
  for (let at = from; ;) {
    const { line, end } = lineAt(stream, at);
    if (line === '') return { fields, end };
    const match = fieldLine.exec(line);
    if (match === null) throw new Stop('refused', 'a field line is malformed');
    fields.push([match[1]!, match[2]!]);
    at = end;
  }
}

function readRequest(stream: string, start: number): ReadRequest & { stop?: Stop } {
  let first = lineAt(stream, start);
  for (let lines = 0; first.line === ''; lines++) {
    if (lines === emptyLinesMax) throw new Stop('refused', 'too many empty lines');
    first = lineAt(stream, first.end);
  }
  const match = requestLine.exec(first.line);
  if (match === null) throw new Stop('refused', 'the request line is malformed');
  const [, method = '', raw = '', major, minorDigit] = match;
  if (major !== '1') throw new Stop('refused', 'another version');
  const minor = minorDigit === '0' ? 0 : 1;
  const { target, authority } = readTarget(method, raw);
  const { fields, end } = fieldsAt(stream, first.end);
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && minor === 1)) throw new Stop('refused', 'none or several Host fields');
  if (!isAuthority(hosts[0] ?? '')) throw new Stop('refused', 'a bad Host');
  const framing = declared(fields, minor) ?? 0;
  if (method === 'CONNECT') throw new Stop('policy', 'CONNECT');
  if (!standardMethod.test(method) && standardMethod.test(method.toUpperCase()))
    throw new Stop('policy', 'a standard method in other letters');
  if (minor === 1 && members(fields, 'expect').some((word) => word !== '100-continue'))
    throw new Stop('policy', 'Expect');
  const cookies = valuesOf(fields, 'cookie').filter((value) => value !== '');
  return {
    method,
    target,
    host: authority ?? hosts[0] ?? '',
    cookie: cookies.length === 0 ? undefined : cookies.join('; '),
    keepAlive: persists(fields, minor),
    ...withBody(stream, { minor, fields, start, end, framing }),
  };
}

/** RFC 9112 section 3.2; http and https URIs are reduced. */
function readTarget(method: string, raw: string): { readonly target: string; readonly authority: string | undefined } {
  if (method === 'CONNECT') {
    if (isAuthority(raw) && /[^:]:\d+$/.test(raw)) return { target: raw, authority: undefined };
    throw new Stop('refused', 'CONNECT to nowhere');
  }
  if (raw.startsWith('/') || (raw === '*' && method === 'OPTIONS')) return { target: raw, authority: undefined };
  const match = /^https?:\/\/([^/?]+)(\/?)(.*)$/i.exec(raw);
  if (match === null || !isAuthority(match[1]!) || match[1]!.startsWith(':')) throw new Stop('refused', 'a bad target');
  const [, authority, slash, rest] = match;
  const target = slash === '' && rest === '' && method === 'OPTIONS' ? '*' : `/${rest!}`;
  return { target, authority };
}

/** `uri-host [":" port]` (RFC 3986 section 3.2). */
function isAuthority(value: string): boolean {
  const literal = literalHost.exec(value)?.[1];
  if (literal === undefined) return namedHost.test(value);
  if (/^v[0-9a-f]+\.[-._~!$&'()*+,;=:0-9a-z]+$/i.test(literal)) return true;
  const [address, zone] = literal.split('%25', 2);
  const zoned = literal.includes('%');
  if (zoned && (zone === undefined || !/^(?:[-._~0-9a-z]|%[0-9a-f]{2})+$/i.test(literal.slice(address!.length + 3))))
    return false;
  return isIPv6(address!);
}

function readResponse(
  stream: string,
  start: number,
  { method, upgrade = '' }: { readonly method: string; readonly upgrade?: string },
): ReadResponse & { stop?: Stop } {
  const first = lineAt(stream, start);
  const match = statusLine.exec(first.line);
  if (match === null) throw new Stop('refused', 'the status line is malformed');
  const minor = match[1] === '0' ? 0 : 1;
  const status = Number(match[2]);
  const { fields, end } = fieldsAt(stream, first.end);
  const framing = declared(fields, minor);
  const none =
    status < 200 || status === 204 || status === 304 || method === 'HEAD' || (method === 'CONNECT' && status < 300);
  if (status === 101) {
    const chosen = members(fields, 'upgrade');
    const offered = upgrade.toLowerCase().split(/[ \t]*,[ \t]*/);
    const fits = chosen.length > 0 && chosen.every((protocol) => offered.includes(protocol));
    if (minor === 0 || !fits || !members(fields, 'connection').includes('upgrade'))
      throw new Stop('refused', '101 unasked');
  }
  const message = withBody(stream, { minor, fields, start, end, framing: none ? 0 : (framing ?? 'close') });
  const keepAlive = message.framing !== 'close' && status !== 101 && persists(fields, minor);
  return { status, phrase: match[3] ?? '', ...message, keepAlive };
}

/** Content-Length and Transfer-Encoding (RFC 9112 section 6); undefined: neither. */
function declared(fields: Fields, minor: 0 | 1): number | 'chunked' | undefined {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length > 1 || lengths.some((value) => !/^\d+$/.test(value) || !Number.isSafeInteger(Number(value))))
    throw new Stop('refused', 'Content-Length');
  if (codings.length === 0) return lengths.length === 0 ? undefined : Number(lengths[0]);
  if (codings.length > 1 || minor === 0 || !/^chunked$/i.test(codings[0]!))
    throw new Stop('refused', 'Transfer-Encoding');
  if (lengths.length > 0) throw new Stop('refused', 'both lengths');
  return 'chunked';
}

interface Framed {
  readonly minor: 0 | 1;
  readonly fields: Fields;
  readonly start: number;
  readonly end: number;
  readonly framing: number | 'chunked' | 'close';
}

function withBody(stream: string, { framing, ...head }: Framed): Omit<ReadMessage, 'keepAlive'> & { stop?: Stop } {
  if (framing === 'chunked') return { ...head, framing, ...chunkedAt(stream, head.end) };
  if (framing === 'close')
    return { ...head, framing, body: stream.slice(head.end), complete: false, end: stream.length };
  const body = stream.slice(head.end, head.end + framing);
  const complete = body.length === framing;
  const message = { ...head, framing: framing === 0 ? ('none' as const) : ('length' as const), body, complete };
  return {
    ...message,
    end: head.end + body.length,
    ...(complete ? {} : { stop: new Stop('open', 'the body goes on') }),
  };
}

function chunkedAt(stream: string, from: number) {
  let body = '';
  let at = from;
  try {
    for (;;) {
      const { line, end } = lineAt(stream, at);
      const match = chunkLine.exec(line);
      const size = match === null ? NaN : parseInt(match[1]!, 16);
      if (!Number.isSafeInteger(size)) throw new Stop('refused', 'a chunk line is malformed');
      if (size === 0) {
        const trailers = fieldsAt(stream, end);
        return { body, complete: true, trailers: trailers.fields, end: trailers.end };
      }
      body += stream.slice(end, end + size);
      at = end + size;
      if (at + 2 > stream.length && '\r\n'.startsWith(stream.slice(at))) throw new Stop('open', 'the body goes on');
      if (!stream.startsWith('\r\n', at)) throw new Stop('refused', 'no CRLF behind a chunk');
      at += 2;
    }
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { body, complete: false, end: stream.length, stop: error };
  }
}

function persists(fields: Fields, minor: 0 | 1): boolean {
  const options = members(fields, 'connection');
  return !options.includes('close') && (minor === 1 || options.includes('keep-alive'));
}

/** The values of all lines of one name, which is given in lower case. */
export function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([other]) => lowered(other) === name).map(([, value]) => value);
}

function members(fields: Fields, name: string): string[] {
  return valuesOf(fields, name)
    .flatMap((value) => value.split(','))
    .map((member) => lowered(member.replace(/^[ \t]+|[ \t]+$/g, '')))
    .filter((member) => member !== '');
}

/** ASCII only. */
function lowered(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
