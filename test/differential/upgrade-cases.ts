/**
 * Requests that ask for another protocol, or seem to, and what upstreams answer to them: every request meets every answer.
 *
 * What may become a tunnel is written down with each request; whether an answer makes it one, a strict reader says.
 */

import { strictResponses } from '../support/strict-reader.ts';

export interface UpgradeAsk {
  readonly promise: string;
  readonly method: string;
  /** Everything but the target; latin1. */
  readonly head: (target: string) => string;
  readonly body: string;
  /** The protocols that are offered as the request is forwarded; undefined: it may become no tunnel. */
  readonly offered: string | undefined;
  /** It is answered so without anybody being asked. */
  readonly refused?: number;
  /** Nothing that follows it on its connection is answered. */
  readonly isLast?: true;
}

export interface UpgradeAnswer {
  readonly promise: string;
  /** latin1. */
  readonly bytes: string;
}

function ask(
  promise: string,
  offered: string | undefined,
  fields: readonly string[],
  more: { readonly line?: string; readonly version?: string; readonly body?: string } & Partial<UpgradeAsk> = {},
): UpgradeAsk {
  const { line, version = '1.1', body = '', method = 'GET', ...rest } = more;
  const head = (target: string): string =>
    `${line ?? `${method} ${target}`} HTTP/${version}\r\n${['Host: a', ...fields].map((field) => `${field}\r\n`).join('')}\r\n`;
  return { promise, method, head, body, offered, ...rest };
}

const upgrade = ['Connection: Upgrade', 'Upgrade: echo'];
const connect = { method: 'CONNECT', refused: 501, isLast: true } as const;

export const upgradeAsks: readonly UpgradeAsk[] = [
  ask('an upgrade', 'echo', upgrade),
  ask('an upgrade in other letters, among other words', 'Echo', ['connection: keep-alive, UPGRADE', 'UPGRADE: Echo']),
  ask('several protocols', 'echo, other', ['Connection: upgrade', 'Upgrade: echo, other']),
  ask('several protocols on two lines', 'other, echo', ['Connection: upgrade', 'Upgrade: other', 'Upgrade: echo']),
  ask('an upgrade with HEAD', 'echo', upgrade, { method: 'HEAD' }),
  ask('an upgrade with a body', undefined, [...upgrade, 'Content-Length: 3'], { method: 'POST', body: 'abc' }),
  ask('an upgrade with chunks', undefined, [...upgrade, 'Transfer-Encoding: chunked'], {
    method: 'POST',
    body: '3\r\nabc\r\n0\r\n\r\n',
  }),
  ask('an upgrade of HTTP/1.0', undefined, ['Connection: keep-alive, Upgrade', 'Upgrade: echo'], { version: '1.0' }),
  ask('Upgrade that Connection does not name', undefined, ['Upgrade: echo']),
  ask('Connection: upgrade to nothing', undefined, ['Connection: upgrade']),
  ask('Connection: upgrade to an empty list', undefined, ['Connection: upgrade', 'Upgrade:']),
  ask('an upgrade to HTTP/2', undefined, ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA']),
  ask('an upgrade to HTTP/2 beside another', undefined, ['Connection: Upgrade', 'Upgrade: echo, h2c']),
  ask('no upgrade', undefined, []),
  ask('CONNECT', undefined, [], { ...connect, line: 'CONNECT a:443' }),
  ask('CONNECT with an upgrade', undefined, upgrade, { ...connect, line: 'CONNECT a:443' }),
  ask('CONNECT with a path', undefined, upgrade, { ...connect, line: 'CONNECT /chat', refused: 400 }),
];

const switched = (...fields: string[]): string =>
  `HTTP/1.1 101 Switching Protocols\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
const usual = switched('Connection: upgrade', 'Upgrade: echo');
const both = ['Connection: upgrade', 'Upgrade: echo'];

export const upgradeAnswers: readonly UpgradeAnswer[] = [
  ['a 101', usual],
  ['a 101 with bytes right behind it', `${usual}early`],
  ['a 101 in other letters', switched('connection: x, UPGRADE', 'UPGRADE: ECHO')],
  ['a 101 with a length', `${switched(...both, 'Content-Length: 5')}early`],
  ['a 101 with no length', switched(...both, 'Content-Length: 0')],
  ['a 101 with chunks', `${switched(...both, 'Transfer-Encoding: chunked')}5\r\nearly\r\n0\r\n\r\n`],
  ['a 101 with two lengths', `${switched(...both, 'Content-Length: 5', 'Content-Length: 6')}early`],
  ['a 101 with a length and chunks', switched(...both, 'Content-Length: 5', 'Transfer-Encoding: chunked')],
  ['a 101 that is no upgrade', `${switched('Upgrade: echo')}early`],
  ['a 101 to nothing', `${switched('Connection: upgrade')}early`],
  ['a 101 to something else', `${switched('Connection: upgrade', 'Upgrade: telnet')}early`],
  ['a 101 to more than was offered', `${switched('Connection: upgrade', 'Upgrade: echo, telnet')}early`],
  ['a 101 to several', switched('Connection: upgrade', 'Upgrade: echo', 'Upgrade: other')],
  ['a 101 of HTTP/1.0', `${usual.replace('HTTP/1.1', 'HTTP/1.0')}early`],
  ['a 101 behind a 100', `HTTP/1.1 100 Continue\r\n\r\n${usual}early`],
  ['a 101 behind a 103', `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${usual}early`],
  ['a 101 before an answer', `${usual}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno`],
  ['a 101 with a bare LF', `${usual.replace('\r\nUpgrade', '\nUpgrade')}early`],
  ['a 101 with a folded line', usual.replace('Upgrade: echo', 'Upgrade:\r\n echo')],
  ['a 101 with a space before the colon', usual.replace('Upgrade:', 'Upgrade :')],
  ['an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno'],
  ['an answer that names the protocol', 'HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: echo\r\nContent-Length: 2\r\n\r\nno'],
  ['an answer in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n'],
  ['an answer that ends its connection', 'HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno'],
  ['426', 'HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: other\r\nContent-Length: 0\r\n\r\n'],
].map(([promise = '', bytes = '']) => ({ promise, bytes })); // prettier-ignore

/** What has to become of a request and its answer. */
export type UpgradeWorth =
  /** `early`: what of the answer is the tunnel's. */
  | { readonly kind: 'tunnel'; readonly early: string }
  | { readonly kind: 'answer'; readonly status: number; readonly body: string; readonly persists: boolean }
  | { readonly kind: 'bad' }
  /** Nobody is asked. */
  | { readonly kind: 'refused'; readonly status: number };

export function worthOfUpgrade({ method, offered, refused }: UpgradeAsk, { bytes }: UpgradeAnswer): UpgradeWorth {
  if (refused !== undefined) return { kind: 'refused', status: refused };
  const { messages, verdict, surplus } = strictResponses(bytes, {
    method,
    ...(offered === undefined ? {} : { upgrade: offered }),
  });
  const last = messages.at(-1);
  if (verdict === 'refused' || last === undefined) return { kind: 'bad' };
  if (last.status === 101) return { kind: 'tunnel', early: bytes.slice(bytes.length - surplus) };
  return { kind: 'answer', status: last.status, body: last.body, persists: last.keepAlive && surplus === 0 };
}
