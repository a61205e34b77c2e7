/** Normal users while somebody else attacks: a steady pace, whatever the answers take. */

import { Agent, request } from 'node:http';

export interface UsersSaw {
  readonly requests: number;
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const connections = 20;
const perSecond = 200;
const waitMaxMs = 10_000;

/** Asks at the pace until `over` resolves. */
export async function users(port: number, over: Promise<unknown>): Promise<UsersSaw> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const tookMs: number[] = [];
  const asking = new Set<Promise<void>>();
  let failures = 0;
  const end = new AbortController();
  void over.finally(() => end.abort());
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      const startMs = performance.now();
      const done = (isWell: boolean): void => {
        tookMs.push(performance.now() - startMs);
        if (!isWell) failures++;
        resolve();
      };
      const options = {
        agent,
        port,
        host: '127.0.0.1',
        path: '/page',
        headers: { cookie: 'PHPSESSID=normaluser123456' },
      };
      const asked = request({ ...options, timeout: waitMaxMs }, (answer) => {
        answer.resume();
        answer.on('end', () => done(answer.statusCode === 200));
        answer.on('error', () => done(false));
      });
      asked.on('timeout', () => asked.destroy(new Error('too long')));
      asked.on('error', () => done(false));
      asked.end();
    });
  const startMs = performance.now();
  for (let asked = 0; !end.signal.aborted;) {
    const due = ((performance.now() - startMs) / 1000) * perSecond;
    for (; asked < due; asked++) {
      const answered = ask();
      asking.add(answered);
      void answered.finally(() => asking.delete(answered));
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(asking);
  agent.destroy();
  const sorted = tookMs.toSorted((one, other) => one - other);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { requests: sorted.length, failures, p50Ms: at(0.5), p99Ms: at(0.99) };
}
