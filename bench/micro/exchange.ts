/**
 * What an exchange costs without sockets: `node bench/micro/exchange.ts [plain|laravel] [ROUNDS]`. Client and pod are played,
 * all that is between them is a gateway's. User and system time, the least and the quartiles of the rounds.
 */

import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { PinCookies } from '../../src/affinity/pin-cookie.ts';
import { PinTable } from '../../src/affinity/pin-table.ts';
import { createSessionCodec } from '../../src/affinity/preset-codec.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Deadline } from '../../src/base/deadline.ts';
import type { Log } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { observeExchanges } from '../../src/commands/exchange-observer.ts';
import { emptyPodSet, withPods, withState } from '../../src/pods/pod-set.ts';
import { ClientConnection } from '../../src/proxy/client-connection.ts';
import { GatewayRole } from '../../src/proxy/gateway-role.ts';
import { PerSessionLimit } from '../../src/proxy/per-session.ts';
import type { ProxyContext } from '../../src/proxy/proxy-context.ts';
import { RetryBudget } from '../../src/proxy/retry.ts';
import type { UpstreamUser } from '../../src/upstream/connection.ts';
import type { PodWatch } from '../../src/upstream/pod-watch.ts';
import { usualLimits, usualTimeouts } from '../../test/support/proxy-under-test.ts';
import { bodyBytes, laravelCookie, traffics } from '../traffic.ts';

const [kind = 'plain', roundsText = '20'] = process.argv.slice(2);
const rounds = Number(roundsText);
const exchangesEach = 10_000;
/** Before them the compiler is at work. */
const warmUpRounds = 5;
const clients = 64;
const sessions = 128;
/** As many events as a busy turn of the event loop has. */
const exchangesEachTurn = 20;

const isLaravel = kind === 'laravel';
const traffic = isLaravel ? traffics.laravel() : traffics.plain();
const { cookie: cookieName, session } = traffic;
/** Cookie texts of one session. */
const texts = isLaravel ? 64 : 1;

class PlayedClient extends EventEmitter {
  readonly writableLength = 0;
  readonly writableCorked = 0;
  readonly errored = null;
  written = 0;
  write(data: string): boolean {
    this.written += data.length;
    return true;
  }
  isPaused(): boolean {
    return false;
  }
  resume(): void {
    // It always reads.
  }
}

class PlayedPod {
  readonly deadline = new Deadline(systemClock, () => undefined);
  readonly hasSent = true;
  takenAtMs = 0;
  user: UpstreamUser | undefined;
  taken = 0;
  writeWithHead(head: string): boolean {
    this.taken += head.length;
    return true;
  }
}

const pod = new PlayedPod();
const pool = {
  take(_address: unknown, user: UpstreamUser): PlayedPod {
    pod.takenAtMs = systemClock.monotonicMs();
    pod.deadline.clear();
    pod.user = user;
    return pod;
  },
  give(): void {
    pod.deadline.set(usualTimeouts.upstreamIdleMs);
  },
};

const pins = new PinCookies({
  secrets: [Buffer.from('a key for measurements only, open to all')],
  application: 'holdfast',
  name: undefined,
  sessionCookie: cookieName,
});
const names = ['b1', 'b2', 'b3'];
const list = names.map((name, index) => ({ name, uid: '', address: { host: '127.0.0.1', port: 8001 + index } }));
const cold = withPods(
  emptyPodSet((name, uid) => pins.podDigests(name, uid)),
  list,
);
const set = names.reduce(
  (pods, name) => withState(pods, name, { state: 'ready', why: 'asked' }, { nowMs: -1e9, warm: true }),
  cold,
);
const watch = { set, storeDown: false, connected: () => undefined, podOf: () => undefined };
const role = new GatewayRole({
  codec: createSessionCodec({ preset: isLaravel ? 'laravel' : 'php', cookie: cookieName, keys: session.keys }),
  pins,
  table: new PinTable({ entriesMax: 1_000_000 }),
  lookup: undefined,
  watch: watch as unknown as PodWatch,
  signer: undefined,
  nameOf: String,
  digestOf: String,
  perSession: new PerSessionLimit(usualLimits.perSession),
  rebalance: undefined,
  boundedLoad: 1.25,
  slowStartMs: 0,
  strict: false,
  timeouts: usualTimeouts,
  clock: systemClock,
  random: Math.random,
});
const log = { writesAccess: false, error: (facts: unknown) => console.error(facts) };
const context: ProxyContext = {
  role,
  pool: pool as unknown as ProxyContext['pool'],
  clock: systemClock,
  timeouts: usualTimeouts,
  limits: usualLimits,
  answerLimits: usualLimits,
  sidecarAnswerLimits: usualLimits,
  observer: observeExchanges(log as unknown as Log, new Metrics()),
  retries: new RetryBudget(),
  inFlight: 0,
  draining: false,
};

const visitors = Array.from({ length: sessions }, () => {
  const id = randomBytes(20)
    .toString('hex')
    .slice(0, isLaravel ? 40 : 32) as SessionId;
  const change = { kind: 'set', session: id, attributes: ' path=/', lifetimeSeconds: undefined } as const;
  const served = { pod: { name: 'b1', uid: '' }, epoch: undefined, secure: false, nowMs: systemClock.nowMs() };
  const before = { session: undefined, reading: { kind: 'none' } } as const;
  const pin = pins.due({ status: 200, cacheControl: undefined, change, ...before, ...served })!.split(';')[0];
  const values = Array.from({ length: texts }, () => (isLaravel ? laravelCookie(id) : id));
  return {
    requests: values.map((value) => request(`${cookieName}=${value}; ${pin}`)),
    answers: values.map((value) => answer(value)),
  };
});

function request(cookie: string): Buffer {
  const browser = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
  return Buffer.from(
    `GET /orders/1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: ${browser}\r\nAccept: text/html\r\n` +
      `Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nCookie: ${cookie}\r\n\r\n`,
    'latin1',
  );
}

function answer(value: string): Buffer {
  const setCookie = `Set-Cookie: ${cookieName}=${value}; Max-Age=7200; path=/; httponly; samesite=lax\r\n`;
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 28 Nov 2026 20:00:00 GMT\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${bodyBytes}\r\nConnection: keep-alive\r\nX-Backend: b1\r\nCache-Control: no-store\r\n` +
      `${isLaravel ? setCookie : ''}\r\n${'x'.repeat(bodyBytes)}`,
    'latin1',
  );
}

const sockets = Array.from({ length: clients }, () => {
  const socket = new PlayedClient();
  const peer = { address: '10.1.2.3', secure: false, trusted: false, verified: undefined };
  new ClientConnection(socket as unknown as Socket, { context, peer, closed: () => undefined });
  return socket;
});

let exchanges = 0;

function exchange(): void {
  const visitor = visitors[exchanges % sessions]!;
  const text = Math.floor(exchanges / sessions) % texts;
  exchanges++;
  sockets[exchanges % clients]!.emit('data', visitor.requests[text]!);
  pod.user!.upstreamData(visitor.answers[(text + 1) % texts]!);
}

const times: number[] = [];
for (let round = 0; round < warmUpRounds + rounds; round++) {
  const before = process.cpuUsage();
  for (let index = 0; index < exchangesEach; index++) {
    exchange();
    if (index % exchangesEachTurn === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  if (round >= warmUpRounds) times.push((user + system) / exchangesEach);
}
const answered = sockets.reduce((sum, { written }) => sum + written, 0);
if (answered < exchanges * bodyBytes * 0.99 || pod.taken === 0) throw new Error('not every exchange was answered');
times.sort((one, other) => one - other);
const [least, low, median, high] = [0, 0.25, 0.5, 0.75].map((part) =>
  times[Math.floor((rounds - 1) * part)]!.toFixed(1),
);
console.log(`${kind}: ${least} us at least, ${median} (${low}-${high})`);
process.exit();
