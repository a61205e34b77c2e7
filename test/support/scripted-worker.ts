/**
 * A worker process that does what its configuration says instead of serving: what a parent makes of its workers can be
 * seen without a gateway. Started as the real one is, with the command `worker`.
 */

import type { MetricsReading } from '../../src/base/metrics.ts';
import type { Answer, FromWorker, Question, ToWorker, WorkerState } from '../../src/workers/messages.ts';

export interface WorkerScript {
  /**
   * start: answers, and never serves. late: serves, and answers each question only when the next one comes. linger: serves,
   * and does not end when it is told to.
   */
  readonly does: 'serve' | 'fail' | 'late' | 'silent' | 'linger' | 'start';
  /** What it says of its one pod. */
  readonly podState?: string;
}

let script: WorkerScript = { does: 'serve' };
const waiting: { readonly id: number; readonly question: Question }[] = [];

function tell(message: FromWorker, told: () => void = () => undefined): void {
  process.send!(message, undefined, {}, told);
}

function reading(value: number): MetricsReading {
  const values = [{ labels: {}, value }];
  const panic = [{ labels: {}, value: script.podState === 'unhealthy' ? 1 : 0 }];
  const common = { help: 'For tests.', values };
  return [
    { ...common, name: 'holdfast_seen_total', type: 'counter', aggregator: 'sum' },
    { ...common, name: 'holdfast_exchanges', type: 'gauge', aggregator: 'sum' },
    { ...common, name: 'holdfast_pods_panic', type: 'gauge', aggregator: 'max', values: panic },
  ];
}

function state(): WorkerState {
  const pod = { name: 'a', state: script.podState ?? 'ready', why: 'as written', inFlight: 1 };
  return { ready: { ok: true, reason: 'ready' }, pods: [pod], figures: [] };
}

function answerTo({ about }: Question): Answer {
  switch (about) {
    case 'state':
      return state();
    case 'configuration':
      return 'taken';
    case 'metrics':
    case 'session':
      return reading(1);
  }
}

process.on('message', (message) => {
  const told = message as ToWorker;
  switch (told.kind) {
    case 'start':
      script = told.config as WorkerScript;
      if (script.does === 'fail') tell({ kind: 'failed', exitCode: 1, why: 'as written' }, () => process.exit(1));
      else if (script.does !== 'start') tell({ kind: 'serving' });
      break;
    case 'ask': {
      if (script.does === 'silent') break;
      waiting.push(told);
      const next = script.does === 'late' && waiting.length === 1 ? undefined : waiting.shift();
      if (next === undefined) break;
      if (next.question.about === 'configuration') script = next.question.config as WorkerScript;
      const answer = answerTo(next.question);
      tell({ kind: 'answer', id: next.id, answer });
      break;
    }
    case 'stop':
      if (script.does !== 'linger') tell({ kind: 'last', reading: reading(2) }, () => process.exit(0));
      break;
    case 'level':
    case 'unready':
    // Nothing that it shows.
  }
});
process.on('disconnect', () => process.exit(0));
