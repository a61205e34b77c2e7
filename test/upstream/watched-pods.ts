/** Pods under watch, on a clock that a test moves. */

import type { TestContext } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import type { Pod } from '../../src/pods/pod.ts';
import { HelloSigner } from '../../src/upstream/hello.ts';
import { PodWatch, type PodWatchOptions } from '../../src/upstream/pod-watch.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { testSecrets } from '../support/scripted-sidecar.ts';
import { until } from '../support/until.ts';

const log = createLog({ level: 'silent', destination: { write: () => undefined } });
export const intervalMs = 2000;

export interface Watched {
  readonly watch: PodWatch;
  readonly clock: ManualClock;
  readonly pod: (name: string) => Pod;
  /** Lets time pass, an interval a step, until it holds. */
  readonly sees: (what: string, holds: () => boolean) => Promise<void>;
}

export function watched(
  t: TestContext,
  pods: PodWatchOptions['pods'],
  over: Partial<Omit<PodWatchOptions, 'clock' | 'pods'>> = {},
): Watched {
  const clock = new ManualClock();
  const watch = new PodWatch({
    pods,
    digestsOf: (name, uid) => [`${name}/${uid}`],
    hello: new HelloSigner(testSecrets),
    path: undefined,
    intervalMs,
    timeoutMs: 5000,
    rules: { fails: 2, passes: 1 },
    clock,
    log,
    silent: () => undefined,
    ...over,
  });
  t.after(() => watch.stop());
  return {
    watch,
    clock,
    pod: (name) => watch.set.byName.get(name)!,
    async sees(what, holds) {
      await until(what, () => {
        clock.advance(intervalMs);
        return holds();
      });
    },
  };
}
