/**
 * A load that does not wait for answers: requests leave at the moments of a plan made before (a Poisson process with
 * a fixed seed), and each one's time counts from its planned moment, even where all connections were busy then or
 * this process was late. So a proxy that stalls is not asked less while it stalls (coordinated omission).
 *
 * One argument: GeneratorOptions as JSON. Prints one GeneratorResult as JSON. How late the requests left is part of
 * it, since a generator that is late measures itself.
 */

import { readFileSync } from 'node:fs';
import { quantile } from '../statistics.ts';
import { ClientConnection } from './client-connection.ts';

export interface GeneratorOptions {
  readonly port: number;
  readonly path: string;
  /** A file with one visitor's Cookie value on each line. */
  readonly cookies: string;
  /** Taken in turn: with few requests in flight, all are used alike. */
  readonly connections: number;
  readonly requestsPerSecond: number;
  readonly seconds: number;
}

export interface GeneratorResult {
  readonly requests: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** How long after its planned moment a request left while a connection was free. */
  readonly latenessP50Us: number;
  readonly latenessP99Us: number;
}

/** The longest wait for the last answers; then those that lack count as failures. */
const graceMs = 5_000;
const connectAtOnce = 200;

const options = JSON.parse(process.argv[2]!) as GeneratorOptions;
const result = await generate(options);
console.log(JSON.stringify(result));
process.exit(0);

async function generate(given: GeneratorOptions): Promise<GeneratorResult> {
  const requests = requestsOf(given);
  const plan = poissonPlan(given);
  const latencies = new Float64Array(plan.length);
  const lateness: number[] = [];
  /** Connections without a request, the longest idle first. */
  const free = await connect(given);
  let head = 0;
  let next = 0;
  let answered = 0;
  let failure: Error | undefined;
  const startMs = performance.now();
  const due = () => startMs + plan[next]!;

  const send = () => {
    for (; next < plan.length && head < free.length; next++) {
      const nowMs = performance.now();
      if (nowMs < due()) return;
      lateness.push(nowMs - due());
      const connection = free[head++]!;
      const place = next;
      const plannedMs = due();
      connection.ask(requests[place % requests.length]!, (error) => {
        if (error !== undefined) failure = error;
        latencies[place] = performance.now() - plannedMs;
        answered++;
        free.push(connection);
        send();
      });
    }
  };

  const endMs = startMs + given.seconds * 1000 + graceMs;
  while (answered < plan.length) {
    if (failure !== undefined) throw failure;
    if (performance.now() > endMs) throw new Error(`${plan.length - answered} of ${plan.length} answers never came`);
    send();
    // Not a timer: its millisecond is longer than many an answer takes.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return summary([...latencies], lateness);
}

async function connect({ port, connections }: GeneratorOptions): Promise<ClientConnection[]> {
  const open: ClientConnection[] = [];
  while (open.length < connections) {
    const count = Math.min(connectAtOnce, connections - open.length);
    open.push(...(await Promise.all(Array.from({ length: count }, () => ClientConnection.open(port)))));
  }
  return open;
}

function requestsOf({ cookies, path }: GeneratorOptions): readonly Buffer[] {
  const lines = readFileSync(cookies, 'latin1').split('\n').filter(Boolean);
  return lines.map((cookie) =>
    Buffer.from(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: open-loop\r\nAccept: */*\r\nCookie: ${cookie}\r\n\r\n`,
      'latin1',
    ),
  );
}

/** Milliseconds from the start, in order: exponential gaps. */
function poissonPlan({ requestsPerSecond, seconds }: GeneratorOptions): Float64Array {
  const plan = new Float64Array(Math.round(requestsPerSecond * seconds));
  let state = 0x2545f491;
  let atMs = 0;
  for (let index = 0; index < plan.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    atMs += (-Math.log(((state >>> 0) + 1) / 0x1_0000_0001) * 1000) / requestsPerSecond;
    plan[index] = atMs;
  }
  return plan;
}

function summary(latencies: readonly number[], lateness: readonly number[]): GeneratorResult {
  const us = (values: readonly number[], share: number) => Math.round(quantile(values, share) * 1000);
  return {
    requests: latencies.length,
    p50Us: us(latencies, 0.5),
    p99Us: us(latencies, 0.99),
    p999Us: us(latencies, 0.999),
    latenessP50Us: us(lateness, 0.5),
    latenessP99Us: us(lateness, 0.99),
  };
}
