/**
 * A worker process that does what its configuration says instead of serving: what a parent makes of its workers can be
 * seen without a gateway. Started as the real one is, with the command `worker`.
 */

import type { FromWorker, ToWorker } from '../../src/workers/messages.ts';

export interface WorkerScript {
  /** late: serves, and answers each question only when the next one comes. */
  readonly does: 'serve' | 'fail' | 'late' | 'silent';
}

let script: WorkerScript = { does: 'serve' };
const waiting: number[] = [];

function tell(message: FromWorker, told: () => void = () => undefined): void {
  process.send!(message, undefined, {}, told);
}

function reading(value: number): Extract<FromWorker, { readonly kind: 'last' }>['reading'] {
  const values = [{ labels: {}, value }];
  return [{ name: 'holdfast_seen_total', help: 'For tests.', type: 'counter', aggregator: 'sum', values }];
}

process.on('message', (message) => {
  const told = message as ToWorker;
  switch (told.kind) {
    case 'start':
      script = told.config as WorkerScript;
      if (script.does === 'fail') tell({ kind: 'failed', exitCode: 1, why: 'as written' }, () => process.exit(1));
      else tell({ kind: 'serving' });
      break;
    case 'ask': {
      if (script.does === 'silent') break;
      waiting.push(told.id);
      const id = script.does === 'late' && waiting.length === 1 ? undefined : waiting.shift();
      if (id !== undefined) tell({ kind: 'answer', id, answer: reading(1) });
      break;
    }
    case 'stop':
      tell({ kind: 'last', reading: reading(2) }, () => process.exit(0));
      break;
    case 'level':
    case 'unready':
    // Nothing that it shows.
  }
});
process.on('disconnect', () => process.exit(0));
