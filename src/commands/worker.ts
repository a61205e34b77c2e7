/**
 * One of several workers of a gateway, started by `run` (run-workers.ts) with a configuration and bound sockets, and
 * ended by it. Signals are the parent's: one that reaches all processes counts once.
 *
 * Must not know files of configuration, nor what is shown of it: its parent has the window.
 */

import type { Window } from '../admin/window.ts';
import { systemClock } from '../base/clock.ts';
import { Lifecycle, onSignals, surviveFaults } from '../base/lifecycle.ts';
import { createLog, type Log } from '../base/log.ts';
import { standardOutput } from '../base/log-output.ts';
import { countProcess, Metrics } from '../base/metrics.ts';
import type { GatewayConfig } from '../config/config.ts';
import type { Answer, Question, WorkerStart } from '../workers/messages.ts';
import { openParentLink, type ParentLink, type WorkerDuties } from '../workers/parent-link.ts';
import { openGateway } from './gateway.ts';
import { takeLive } from './live-settings.ts';
import { closeBoundMs, drainBoundMs, startFailed } from './process-end.ts';
import { readVersion } from './version.ts';

/** Exit code 0: stopped as told, or without its parent. 1 and 2: as `run`. */
export async function worker(): Promise<number> {
  const link = openParentLink();
  if (link === undefined) {
    process.stderr.write('holdfast worker is started by holdfast run, where the configuration says workers\n');
    return 1;
  }
  const forgetSignals = onSignals({ onStop: () => undefined });
  const start = await link.start;
  if (start === undefined) return 0;
  process.title = `holdfast worker ${start.number}`;
  // The parent read it, as this same program does.
  const config = start.config as GatewayConfig;
  const destination = standardOutput({ shared: true });
  const log = createLog({ ...config.log, level: start.level, destination }).child({ worker: start.number });
  const metrics = new Metrics();
  const faults = metrics.counter({ name: 'uncaught_faults_total', help: 'Faults that nobody caught.' }).child();
  countProcess(metrics, readVersion());
  const forgetFaults = surviveFaults(log, faults);
  try {
    return await serve({ link, start, config, log, metrics });
  } finally {
    forgetSignals();
    forgetFaults();
    log.flush();
  }
}

interface WorkerParts {
  readonly link: ParentLink;
  readonly start: WorkerStart;
  readonly config: GatewayConfig;
  readonly log: Log;
  readonly metrics: Metrics;
}

async function serve({ link, start, config, log, metrics }: WorkerParts): Promise<number> {
  const lifecycle = new Lifecycle({ log, clock: systemClock });
  try {
    const role = await openGateway(config, { log, metrics, clock: systemClock, descriptors: start.descriptors });
    const take = (next: GatewayConfig): void => takeLive(next, { config, log, role });
    link.duties = dutiesOf(role.window, { log, metrics, take });
    let replaced = false;
    lifecycle.add({ name: 'connections', boundMs: closeBoundMs, stop: () => role.close() });
    lifecycle.add({
      name: 'drain',
      // Another configuration may change it.
      get boundMs() {
        return drainBoundMs(config);
      },
      stop: () => role.drain({ replaced }),
    });
    const serving = role.start().then(() => link.tell({ kind: 'serving' }));
    const manner = await Promise.race([serving.then(() => link.stopped), link.stopped]);
    replaced = manner === 'replaced';
    if (link.isLost) log.error({}, 'the parent process has died: this worker ends when its exchanges have');
    await Promise.race([lifecycle.stop(), link.hurried]);
    await link.tell({ kind: 'last', reading: await metrics.read() });
    return 0;
  } catch (error) {
    const exitCode = startFailed(error, log);
    await link.tell({ kind: 'failed', exitCode, why: error instanceof Error ? error.message : String(error) });
    await lifecycle.stop();
    return exitCode;
  }
}

interface DutyParts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly take: (next: GatewayConfig) => void;
}

function dutiesOf(window: Window, { log, metrics, take }: DutyParts): WorkerDuties {
  async function answer(question: Question): Promise<Answer> {
    switch (question.about) {
      case 'metrics':
        return metrics.read();
      case 'session':
        return window.session(question.given);
      case 'state':
        return {
          ready: window.ready(),
          pods: window.pods(),
          source: window.source?.(),
          figures: window.figures(),
        };
      case 'configuration':
        take(question.config as GatewayConfig);
        return 'taken';
    }
  }
  return {
    answer: (question) =>
      answer(question).catch((error: unknown) => {
        log.error({ error }, 'a question of the parent process could not be answered');
        return undefined;
      }),
    setLevel: (level) => void (log.level = level),
    beUnready: () => void window.drain({ unready: true }),
  };
}
