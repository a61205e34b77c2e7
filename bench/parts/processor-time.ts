/**
 * Processor time for each request, and the requests a second that one core carries: 64 keep-alive connections that
 * ask as fast as they are answered (closed loop), 1 KB answers, one visitor after another.
 */

import { cpuTime, cpuTimeSince, residentBytes } from '../cpu-time.ts';
import { load } from '../load.ts';
import type { LoadOptions } from '../load.ts';
import type { ProcessorTimeRound } from '../results.ts';
import type { Running, Stage } from '../stage.ts';

const warmUpRequests = 40_000;
const warmUpSecondsMax = 5;

/** @throws Error where a request failed. */
export async function measureProcessorTime(
  running: Running,
  options: { readonly stage: Stage; readonly seconds: number } & Partial<LoadOptions>,
): Promise<ProcessorTimeRound> {
  const { stage, ...more } = options;
  const { processes, folder, onLoadCore: pinned } = stage;
  const cookies = running.visitors.map(({ cookie }) => cookie);
  const before = { own: cpuTime(running.own), beside: cpuTime(running.beside), at: performance.now() };
  try {
    const { requests, requestsPerSecond } = await load(running.origin, { processes, folder, pinned, cookies, ...more });
    const own = cpuTimeSince(before.own, cpuTime(running.own));
    const beside = cpuTimeSince(before.beside, cpuTime(running.beside));
    return {
      userUs: own.userUs / requests,
      kernelUs: own.kernelUs / requests,
      besideUs: (beside.userUs + beside.kernelUs) / requests,
      requestsPerSecond,
      busy: ((own.userUs + own.kernelUs) * requestsPerSecond) / requests / 1e6,
      residentBytes: residentBytes(running.own),
    };
  } catch (error) {
    const said = running.front.output.slice(-2000);
    throw new Error(`${running.name}: ${(error as Error).message}\n${said}`, { cause: error });
  }
}

/** Compiled code is what runs in production: unmeasured seconds until enough requests have passed, within a bound. */
export async function warmUp(running: Running, stage: Stage): Promise<void> {
  let requests = 0;
  for (let second = 0; second < warmUpSecondsMax && requests < warmUpRequests; second++) {
    requests += (await measureProcessorTime(running, { stage, seconds: 1 })).requestsPerSecond;
  }
}
