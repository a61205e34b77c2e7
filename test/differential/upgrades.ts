/**
 * One round of upgrades: a gateway process, alone or with a sidecar behind it, before an upstream that answers as a case
 * says; every client through it, and the verdict.
 */

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../support/free-port.ts';
import { Processes } from '../support/processes.ts';
import { RedisServer } from '../support/redis-server.ts';
import { strictRequests, strictResponses } from '../support/strict-reader.ts';
import { until } from '../support/until.ts';
import { startGateway, startSidecar } from './requests.ts';
import {
  type UpgradeAnswer,
  upgradeAnswers,
  type UpgradeAsk,
  upgradeAsks,
  type UpgradeWorth,
  worthOfUpgrade,
} from './upgrade-cases.ts';

export interface UpgradeCase {
  readonly ask: UpgradeAsk;
  readonly answer: UpgradeAnswer;
  /** What the client sends right behind its request: nothing, the next request, or what is none. */
  readonly tail: 'nothing' | 'request' | 'garbage';
  readonly client: 'raw' | 'node:http';
}

const tails = ['nothing', 'request', 'garbage'] as const;

/** Every request with every answer, each with one of the tails, which of them is another one for each `turn`. */
export function upgradeCases(turn: number): UpgradeCase[] {
  const raw = upgradeAsks.flatMap((ask, row) =>
    upgradeAnswers.map((answer, column): UpgradeCase => {
      const tail = tails[(row + column + turn) % tails.length]!;
      return { ask, answer, tail, client: 'raw' };
    }),
  );
  const [usual] = upgradeAsks;
  return [
    ...raw,
    ...upgradeAnswers.map((answer): UpgradeCase => ({ ask: usual!, answer, tail: 'nothing', client: 'node:http' })),
  ];
}

export interface UpgradeVerdicts {
  cases: number;
  tunnels: number;
  answers: number;
  refused: number;
  badPassed: string[];
  goodRefused: string[];
}

const atOnce = 16;
const answerMsMax = 60_000;
/** What the two ends say to each other once they are in a tunnel. */
const [ping, pong] = ['ping\0', 'pong\r\n\r\n'];

interface UpstreamConnection {
  /** Numbers of the cases it was asked for, -1: the request behind one. */
  readonly asked: number[];
  /** What came once it had answered a 101 that is one. */
  tunnel: string | undefined;
  received: string;
  closed: boolean;
}

/** `folder`: empty. `chain`: what the upstream gets has passed a sidecar too. */
export async function runUpgrades(
  cases: readonly UpgradeCase[],
  { folder, chain }: { readonly folder: string; readonly chain: boolean },
): Promise<UpgradeVerdicts> {
  const processes = new Processes();
  const redis = chain ? await RedisServer.start() : undefined;
  const worths = cases.map(({ ask, answer }) => worthOfUpgrade(ask, answer));
  const upstream = await Upstream.start(cases, worths);
  try {
    const port = await freePort();
    const podPort =
      redis === undefined
        ? upstream.port
        : await startSidecar(processes, { applicationPort: upstream.port, folder, store: redis.url });
    await startGateway(processes, { port, podPort, folder, store: redis?.url });
    const gotten = await askAll(port, cases);
    await until('tunnels and connections behind bad answers have ended', () => upstream.hasSettled());
    return judge({ cases, worths, gotten, connections: upstream.connections });
  } finally {
    upstream.close();
    await processes.close();
    await redis?.stop();
  }
}

async function askAll(port: number, cases: readonly UpgradeCase[]): Promise<string[]> {
  const gotten = new Array<string>(cases.length).fill('');
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let index = next++; index < cases.length; index = next++) {
        const entry = cases[index]!;
        gotten[index] = entry.client === 'raw' ? await raw(port, entry, index) : await byNode(port, entry, index);
      }
    }),
  );
  return gotten;
}

function tailOf({ tail }: UpgradeCase, index: number): string {
  if (tail === 'request') return `GET /next/${index} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
  return tail === 'garbage' ? `\0garbage ${index}\xff\r\n\r\n` : '';
}

/** Request and tail in one write; in a tunnel the ping, and a half-close at last. @returns all that came, latin1 */
function raw(port: number, entry: UpgradeCase, index: number): Promise<string> {
  const { ask } = entry;
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    let got = '';
    let isAnswered = false;
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${ask.promise}, ${entry.answer.promise}: not answered to its end: ${JSON.stringify(got)}`));
    }, answerMsMax);
    socket.setEncoding('latin1').on('data', (text: string) => {
      got += text;
      const final = /HTTP\/1\.[01] (101|[2-5]\d\d)/.exec(got);
      if (isAnswered || final === null || !got.slice(final.index).includes('\r\n\r\n')) return;
      isAnswered = true;
      if (final[1] === '101') socket.end(ping, 'latin1');
      else socket.end();
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(got);
    });
    socket.write(ask.head(`/case/${index}`) + ask.body + tailOf(entry, index), 'latin1');
  });
}

/** As Node's own client takes it. @returns it as a stream again, heads in short */
function byNode(port: number, { ask }: UpgradeCase, index: number): Promise<string> {
  const headers = { connection: 'upgrade', upgrade: ask.offered ?? '' };
  return new Promise((resolve) => {
    const path = `/case/${index}`;
    const request = httpRequest({ port, host: '127.0.0.1', method: ask.method, path, headers, timeout: answerMsMax });
    let got = '';
    request.on('upgrade', (response, socket, early) => {
      got = `HTTP/1.1 101 x\r\nConnection: ${response.headers.connection ?? ''}\r\nUpgrade: ${response.headers.upgrade ?? ''}\r\n\r\n`;
      got += early.toString('latin1');
      socket.setEncoding('latin1').on('data', (text: string) => (got += text));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(got));
      socket.end(ping, 'latin1');
    });
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => (body += text));
      response.on('error', () => undefined);
      response.on('close', () => {
        request.destroy();
        resolve(`HTTP/1.1 ${response.statusCode} x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      });
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(got));
    request.end();
  });
}

/** Answers `/case/N` with the bytes of case N, whatever they are. */
class Upstream {
  readonly connections: UpstreamConnection[] = [];
  readonly #cases: readonly UpgradeCase[];
  readonly #worths: readonly UpgradeWorth[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(cases: readonly UpgradeCase[], worths: readonly UpgradeWorth[]) {
    this.#cases = cases;
    this.#worths = worths;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#serve(socket));
  }

  static async start(cases: readonly UpgradeCase[], worths: readonly UpgradeWorth[]): Promise<Upstream> {
    const upstream = new Upstream(cases, worths);
    await once(upstream.#server.listen(0, '127.0.0.1'), 'listening');
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  hasSettled(): boolean {
    return this.connections.every(({ asked, closed }) => {
      const worth = this.#worths[asked.at(-1) ?? -1];
      return closed || worth === undefined || (worth.kind === 'answer' && worth.persists);
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    const connection: UpstreamConnection = { asked: [], tunnel: undefined, received: '', closed: false };
    this.connections.push(connection);
    this.#sockets.add(socket);
    let begun = 0;
    socket.setEncoding('latin1').on('data', (text: string) => {
      connection.received += text;
      if (connection.tunnel !== undefined) {
        connection.tunnel += text;
        return;
      }
      const { messages } = strictRequests(connection.received.slice(begun));
      for (const { target, complete, end } of messages) {
        if (!complete) break;
        const rest = begun + end;
        if (this.#answer(socket, connection, target)) {
          connection.tunnel = connection.received.slice(rest);
          break;
        }
      }
      begun += messages.filter(({ complete }) => complete).at(-1)?.end ?? 0;
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end(connection.tunnel === undefined ? '' : pong, 'latin1'));
    socket.on('close', () => {
      connection.closed = true;
      this.#sockets.delete(socket);
    });
  }

  /** @returns whether a tunnel begins behind it */
  #answer(socket: Socket, connection: UpstreamConnection, target: string): boolean {
    const [, kind, number] = target.split('/');
    if (kind !== 'case') {
      connection.asked.push(-1);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
      return false;
    }
    const index = Number(number);
    connection.asked.push(index);
    socket.write(this.#cases[index]!.answer.bytes, 'latin1');
    return this.#worths[index]!.kind === 'tunnel';
  }
}

interface Evidence {
  readonly cases: readonly UpgradeCase[];
  readonly worths: readonly UpgradeWorth[];
  readonly gotten: readonly string[];
  readonly connections: readonly UpstreamConnection[];
}

function judge({ cases, worths, gotten, connections }: Evidence): UpgradeVerdicts {
  const verdicts: UpgradeVerdicts = {
    cases: cases.length,
    tunnels: 0,
    answers: 0,
    refused: 0,
    badPassed: [],
    goodRefused: [],
  };
  for (const [index, entry] of cases.entries()) {
    const { ask, answer, tail, client } = entry;
    const got = gotten[index]!;
    const mine = connections.filter(({ asked }) => asked.includes(index));
    const about = `${client}: ${ask.promise}, ${tail} behind it; ${answer.promise}`;
    const say = (what: string): string =>
      `${about}: ${what}: ${JSON.stringify(got)}, seen ${JSON.stringify(mine.map(({ received }) => received))}`;
    const wrong = judgeOne(entry, { worth: worths[index]!, got, mine, tail: tailOf(entry, index), index });
    if (wrong === undefined) {
      const { kind } = worths[index]!;
      verdicts[kind === 'tunnel' ? 'tunnels' : kind === 'answer' ? 'answers' : 'refused']++;
    } else verdicts[wrong.isBad ? 'badPassed' : 'goodRefused'].push(say(wrong.what));
  }
  for (const { received, tunnel, asked } of connections) {
    const requests = tunnel === undefined ? received : received.slice(0, received.length - tunnel.length);
    if (requests.includes('garbage')) verdicts.badPassed.push(`seen as a request: ${JSON.stringify(received)}`);
    const used = asked.slice(0, -1).map((index) => worths[index]);
    if (used.some((worth) => worth !== undefined && (worth.kind !== 'answer' || !worth.persists)))
      verdicts.badPassed.push(`a connection is used again behind ${JSON.stringify(asked)}`);
  }
  return verdicts;
}

interface One {
  readonly worth: UpgradeWorth;
  readonly got: string;
  readonly mine: readonly UpstreamConnection[];
  readonly tail: string;
  readonly index: number;
}

type Wrong = { readonly what: string; readonly isBad: boolean } | undefined;

function bad(what: string): Wrong {
  return { what, isBad: true };
}

function judgeOne({ ask, client }: UpgradeCase, { worth, got, mine, tail, index }: One): Wrong {
  const asked = { method: ask.method, ...(ask.offered === undefined ? {} : { upgrade: ask.offered }) };
  const { messages, verdict, surplus } = strictResponses(got, asked);
  const last = messages.at(-1);
  const rest = got.slice(got.length - surplus);
  // Node's client takes neither a 101 that it did not ask for nor interim answers for an end.
  if (verdict === 'refused' || last === undefined) return bad('not a legal answer');
  switch (worth.kind) {
    case 'tunnel': {
      if (last.status !== 101) return { what: 'no tunnel', isBad: false };
      if (last.fields.some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name))) return bad('a length');
      if (rest !== worth.early + pong) return bad('other bytes came to the client');
      const seen = mine.map(({ tunnel }) => tunnel);
      return seen.length === 1 && seen[0] === tail + ping ? undefined : bad('other bytes came to the upstream');
    }
    case 'refused':
      if (last.status !== worth.status || rest !== '') return bad('not refused');
      return mine.length === 0 ? undefined : bad('it was forwarded');
    case 'bad':
      if (last.status !== 502) return bad('not 502');
      return judgeNext(rest, { tail, index, persists: last.keepAlive });
    case 'answer':
      if (last.status === 502) return { what: 'refused', isBad: false };
      if (last.status !== worth.status || last.body !== worth.body) return bad('another answer');
      return client === 'raw' ? judgeNext(rest, { tail, index, persists: last.keepAlive }) : undefined;
  }
}

/** What follows an answer is the next one's own, or nothing where the connection ended. */
function judgeNext(
  rest: string,
  { tail, index, persists }: { readonly tail: string; readonly index: number; readonly persists: boolean },
): Wrong {
  if (rest === '') return tail === '' || !persists ? undefined : bad('nothing follows on a connection that persists');
  const { messages, surplus } = strictResponses(rest, { method: 'GET' });
  const next = messages.at(-1);
  if (surplus > 0 || next === undefined) return bad('what follows is no answer');
  if (tail.startsWith('GET') && next.status === 200 && next.body === `/next/${index}`) return undefined;
  return tail.includes('garbage') && next.status === 400 ? undefined : bad('what follows is another answer');
}
