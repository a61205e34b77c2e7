/** Streams of HTTP/1 messages by their grammar, wrong in one place now and then, and the words they are made of. */

import { below, type Chance } from '../support/seeded.ts';

/** One of them; those in front, which are the usual ones, more often. */
function one<T>(chance: Chance, from: readonly T[]): T {
  return from[below(chance, chance() < 0.8 ? Math.ceil(from.length / 3) : from.length)]!;
}

function some(chance: Chance, most: number, make: () => string): string {
  let text = '';
  for (let left = below(chance, most + 1); left > 0; left--) text += make();
  return text;
}

const methods = ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'CONNECT', 'TRACE', 'M-X!', 'get', 'Head', 'm-x'];
const targets = [
  '/',
  '/a?b=c',
  '//a//b',
  '/a\\b',
  '/a%2Fb;c',
  '/?',
  '/%2e%00',
  'http://h:80/x?y',
  '/..//../x',
  '*',
  'http://h',
  '/<>"^`{|}~',
  'HTTPS://[::1]/?q',
  'h:443',
  '/%zz',
  '/?a?b/../%',
  'http://u@h/',
  'http:///x',
  'ftp://h/',
  '/#f',
  '/\xe9',
];
const versions = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.10',
  'HTTP/1.1 ',
];
const hosts = [
  'a',
  'a',
  'a:80',
  'a,b',
  '[::1]',
  '%41',
  '',
  'a b',
  '[::1%25e]',
  '[v1.x]',
  'a:b',
  'a/b',
  'u@a',
  'a:',
  '%4',
  '[::1',
];
const names = [
  'Accept',
  'Cookie',
  'X-Y',
  'Connection',
  'X-Forwarded-For',
  'Content_Length',
  'X.Real-IP',
  'X~Real^IP',
  'Upgrade',
  'Expect',
  'Transfer-Encoding ',
  'Forwarded',
  'x-holdfast-own',
  'TE',
  'Proxy',
  'Keep-Alive',
  'Trailer',
  'Set-Cookie',
  'X-Request-ID',
  '',
  ' X',
  'X\t',
];
const values = [
  'x',
  'a=1; b=2',
  'keep-alive',
  '',
  '\t x \t',
  '\xff',
  'keep-alive, Upgrade',
  'close',
  'websocket',
  'h2c',
  'HTTP/2.0',
  '100-continue',
  '100-Continue, x',
  'host, cookie, x-y',
  '"q, \\" r"',
  'a\x0bb',
  'a\x00',
  'chunked',
];
const lengths = [
  '0',
  '3',
  '3',
  '03',
  '+3',
  '3, 3',
  '-1',
  '0x3',
  '3 ',
  '',
  '9007199254740991',
  '9007199254740992',
  '99999999999999999999',
];
const codings = [
  'chunked',
  'chunked',
  'Chunked',
  'gzip, chunked',
  'chunked, chunked',
  'identity',
  'xchunked',
  '"chunked"',
  'chunked;q=1',
  '\x0bchunked',
  'chun\u212aed',
];
const sizes = [
  '1',
  '3',
  '03',
  'a',
  'A',
  '0x1',
  '1 ',
  ' 1',
  '-1',
  '',
  'g',
  '0000000000000001',
  '00000000000000001',
  'ffffffffffffffff',
  '20000000000000',
];
const extensions = [
  '',
  '',
  ';a',
  ';a=b',
  ' ; a = "b\\"c"',
  ';',
  ';a=',
  ';a="',
  '; =b',
  ';\x00',
  ' a',
  ';a=b;c',
  ';a="\\\x7f"',
];
const ends = [
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\r\n',
  '\r\n ',
  '',
];

function end(chance: Chance): string {
  return chance() < 0.97 ? '\r\n' : ends[below(chance, ends.length)]!;
}

function chunked(chance: Chance): string {
  const chunks = some(chance, 3, () => {
    if (chance() < 0.8) {
      const length = 1 + below(chance, 20);
      return `${length.toString(16)}${chance() < 0.8 ? '' : one(chance, extensions)}\r\n${'x'.repeat(length)}\r\n`;
    }
    return `${one(chance, sizes)}${one(chance, extensions)}${end(chance)}${one(chance, ['x', 'abc', ''])}${end(chance)}`;
  });
  const trailers = some(chance, 2, () => field(chance));
  return `${chunks}0${one(chance, extensions)}${end(chance)}${trailers}${end(chance)}`;
}

function field(chance: Chance): string {
  return `${one(chance, names)}:${chance() < 0.8 ? ' ' : ''}${one(chance, values)}${end(chance)}`;
}

function framed(chance: Chance): readonly [fields: string, body: string] {
  const kind = chance();
  if (kind < 0.35) return ['', ''];
  if (kind < 0.6) return [`Content-Length: ${chance() < 0.8 ? '3' : one(chance, lengths)}${end(chance)}`, 'abc'];
  if (kind < 0.95) return [`Transfer-Encoding: ${one(chance, codings)}${end(chance)}`, chunked(chance)];
  return [`Content-Length: ${one(chance, lengths)}\r\nTransfer-Encoding: ${one(chance, codings)}\r\n`, chunked(chance)];
}

/** Requests, one behind the other. */
export function requestStream(chance: Chance): string {
  return some(chance, 3, () => {
    const [framing, body] = framed(chance);
    const host = chance() < 0.95 ? `Host: ${one(chance, hosts)}${end(chance)}` : '';
    const line = `${one(chance, methods)} ${one(chance, targets)} ${one(chance, versions)}${end(chance)}`;
    return `${line}${host}${some(chance, 4, () => field(chance))}${framing}${end(chance)}${body}`;
  });
}

const statuses = [
  '200 OK',
  '200',
  '200 ',
  '204 No',
  '304 x',
  '100 Continue',
  '101 Switch',
  '103 Hints',
  '099 x',
  '999 x',
  '20 x',
  '2000 x',
  '404 \xff\t',
  '200 a\x00',
];

/** Responses, one behind the other. */
export function responseStream(chance: Chance): string {
  const asked = chance() < 0.3 ? String.fromCharCode(below(chance, 3)) : '';
  const messages = some(chance, 3, () => {
    const [framing, body] = framed(chance);
    const line = `${one(chance, versions).trim()} ${one(chance, statuses)}${end(chance)}`;
    return `${line}${some(chance, 4, () => field(chance))}${framing}${end(chance)}${body}`;
  });
  return asked + messages;
}

const common = [
  ...names,
  ...values,
  ...lengths,
  ...codings,
  ...sizes,
  ...extensions,
  ...ends,
  ': ',
  'Host: ',
  'Content-Length: ',
  'Transfer-Encoding: ',
  '\r\n\r\n',
  '0\r\n\r\n',
];
export const requestWords: readonly string[] = [
  ...common,
  ...methods,
  ...targets,
  ...versions,
  ...hosts,
  'GET / HTTP/1.1\r\nHost: a\r\n',
];
export const responseWords: readonly string[] = [...common, ...versions, ...statuses, 'HTTP/1.1 200 OK\r\n'];
/** For the chunked coding alone. */
export const chunkWords: readonly string[] = [...sizes, ...extensions, ...ends, ...names, ':', '0\r\n\r\n'];
export { chunked as chunkedBody };
