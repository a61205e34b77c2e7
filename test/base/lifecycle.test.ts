import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lifecycle, onSignals } from '../../src/base/lifecycle.ts';
import { createLog } from '../../src/base/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

function started() {
  const lines: string[] = [];
  const clock = new ManualClock();
  const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  return { lines, clock, life: new Lifecycle({ log, clock }) };
}

test('what was started last is stopped first, each once', async () => {
  const { life } = started();
  const order: string[] = [];
  for (const name of ['store', 'keeper', 'listener'])
    life.add({ name, boundMs: 10, stop: () => void order.push(name) });
  assert.equal(life.stopping, false);
  await Promise.all([life.stop(), life.stop()]);
  assert.equal(life.stopping, true);
  assert.deepEqual(order, ['listener', 'keeper', 'store']);
});

test('a part that fails or never ends does not keep the others from being stopped', async () => {
  const { life, clock, lines } = started();
  let stopped = false;
  life.add({ name: 'first', boundMs: 10, stop: () => void (stopped = true) });
  life.add({ name: 'stuck', boundMs: 500, stop: () => new Promise(() => undefined) });
  life.add({ name: 'broken', boundMs: 10, stop: () => Promise.reject(new Error('no')) });
  const end = life.stop();
  await until(
    'the stuck part is waited for',
    () => lines.some((line) => line.includes('broken')) && clock.pending === 1,
  );
  clock.advance(500);
  await end;
  assert.equal(stopped, true);
  assert.equal(clock.pending, 0);
  assert.ok(lines.some((line) => line.includes('stuck')));
});

test('SIGHUP without a reload does not end the process, and signals are told', async () => {
  const told: string[] = [];
  const off = onSignals({ onStop: (signal) => void told.push(signal) });
  try {
    process.kill(process.pid, 'SIGHUP');
    process.kill(process.pid, 'SIGTERM');
    await until('the signal arrived', () => told.length === 1);
  } finally {
    off();
  }
  assert.deepEqual(told, ['SIGTERM']);
});
