/**
 * Whether a request costs more where there is more of something: pods, sessions, connections. The sessions are made
 * up, with the cookies that the proxy itself would have given them, since a million first requests would be a
 * measurement of their own; a few of them prove that the proxy takes them for its own. Of a hundred thousand and more none
 * comes back before its round is over: each request is the first that the process sees of its session, which is the
 * dearest case and not the usual one, as browsers ask several times in a row.
 */

import type { Contender, Visitor } from '../contender.ts';
import { cpuTime, cpuTimeSince } from '../cpu-time.ts';
import { openLoop } from '../open-loop/open-loop.ts';
import type { Growth } from '../results.ts';
import type { Running, Stage } from '../stage.ts';
import { traffics } from '../traffic.ts';
import { measureProcessorTime, warmUp } from './processor-time.ts';

const podCounts = [3, 30, 300, 1_000];
const sessionCounts = [1, 1_000, 100_000, 1_000_000];
const connectionCounts = [1, 100, 1_000, 9_800];
/** With more pods each of them has its share of these. */
const sessionsOverPods = 1_000;
/** Little enough for one connection. */
const requestsPerSecond = 1_500;
const provers = 20;

export interface GrowthOptions {
  readonly stage: Stage;
  readonly rounds: number;
  readonly seconds: number;
  /** Those who say what cookies they would give (`cookieFor`). */
  readonly contenders: readonly Contender[];
}

export async function measurePodGrowth(options: GrowthOptions): Promise<Growth> {
  const lines = await along(podCounts, options, async (contender, pods) => {
    const running = await options.stage.introduce(contender, traffics.plain(pods));
    return withSessions(running, { sessions: sessionsOverPods, pods });
  });
  return { of: 'pods', points: podCounts, lines };
}

export async function measureSessionGrowth(options: GrowthOptions): Promise<Growth> {
  const traffic = traffics.plain();
  const lines = await along(sessionCounts, options, async (contender, sessions) => {
    const running = await options.stage.introduce(contender, traffic);
    return withSessions(running, { sessions, pods: traffic.pods });
  });
  return { of: 'sessions', points: sessionCounts, lines };
}

/** At one rate for all, since the connections are what there is more of, not the requests. */
export async function measureConnectionGrowth(options: GrowthOptions): Promise<Growth> {
  const { stage, rounds, seconds, contenders } = options;
  const lines = [];
  for (const contender of contenders) {
    const running = await stage.introduce(contender, traffics.plain());
    await warmUp(running, stage);
    const cpuUs: number[][] = connectionCounts.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [point, connections] of connectionCounts.entries()) {
        const before = cpuTime(running.own);
        const { requests } = await openLoop(running, { stage, connections, requestsPerSecond, seconds });
        const { userUs, kernelUs } = cpuTimeSince(before, cpuTime(running.own));
        cpuUs[point]!.push((userUs + kernelUs) / requests);
      }
    }
    await running.stop();
    lines.push({ name: contender.name, cpuUs });
  }
  return { of: 'connections', points: connectionCounts, lines };
}

/** Each contender started anew at each point, the contenders' rounds at one point one after another. */
async function along(
  points: readonly number[],
  { stage, rounds, seconds, contenders }: GrowthOptions,
  start: (contender: Contender, point: number) => Promise<Running>,
): Promise<Growth['lines']> {
  const lines = contenders.map(({ name }) => ({ name, cpuUs: points.map(() => new Array<number>()) }));
  for (const [index, point] of points.entries()) {
    const field: Running[] = [];
    for (const contender of contenders) field.push(await start(contender, point));
    for (const running of field) await warmUp(running, stage);
    for (let round = 0; round < rounds; round++) {
      for (const [place, running] of field.entries()) {
        const { userUs, kernelUs } = await measureProcessorTime(running, { stage, seconds });
        lines[place]!.cpuUs[index]!.push(userUs + kernelUs);
      }
    }
    for (const running of field) await running.stop();
  }
  return lines;
}

/** The same contender with made-up sessions. @throws Error where it does not take them for its own. */
async function withSessions(
  running: Running,
  { sessions, pods }: { readonly sessions: number; readonly pods: number },
): Promise<Running> {
  const { cookieFor } = running.contender;
  if (cookieFor === undefined) throw new Error(`${running.name} does not say what cookies it gives`);
  const cookie = cookieFor();
  const visitors = Array.from({ length: sessions }, (_, index): Visitor => {
    const backend = `b${(index % pods) + 1}`;
    return { cookie: cookie(`growth${String(index).padStart(20, '0')}`, backend), backend };
  });
  for (const visitor of visitors.slice(0, provers)) {
    const answer = await fetch(`${running.origin}/orders/1`, { headers: { cookie: visitor.cookie } });
    await answer.arrayBuffer();
    const backend = answer.headers.get('x-backend');
    if (backend === visitor.backend && answer.headers.getSetCookie().length === 0) continue;
    throw new Error(`${running.name} does not know its own cookie: ${backend ?? 'nobody'} for ${visitor.backend}`);
  }
  return { ...running, visitors };
}
