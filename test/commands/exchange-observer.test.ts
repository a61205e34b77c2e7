import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { observeExchanges } from '../../src/commands/exchange-observer.ts';
import type { ExchangeLine, ExchangeObserver } from '../../src/proxy/proxy-context.ts';
import { helloTarget } from '../../src/upstream/hello.ts';

const usual: ExchangeLine = {
  method: 'GET',
  target: '/shop?token=secret',
  status: 200,
  affinity: 'hit',
  pod: 'pod-a',
  tried: ['pod-a'],
  ms: 1.5,
  bytes: 100,
  reason: undefined,
  session: () => 'digest',
  client: '203.0.113.9',
  replayed: false,
  heldInVain: false,
};

interface Observed {
  readonly observer: ExchangeObserver;
  readonly lines: () => Record<string, unknown>[];
  readonly metrics: Metrics;
}

function observed(access = true): Observed {
  let text = '';
  const log = createLog({ level: 'info', access, destination: { write: (written) => void (text += written) } });
  const metrics = new Metrics();
  const lines = (): Record<string, unknown>[] => {
    log.flush();
    const written = text.split('\n').filter((line) => line !== '');
    return written.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { observer: observeExchanges(log, metrics), lines, metrics };
}

test('each exchange is one access line, with what the contract names, and one count', async () => {
  const { observer, lines, metrics } = observed();
  observer.ended(usual);
  const [line] = lines();
  const { method, path, status, affinity, pod, tried, ms } = line!;
  assert.deepEqual(
    { method, path, status, affinity, pod, tried, ms },
    { method: 'GET', path: '/shop', status: 200, affinity: 'hit', pod: 'pod-a', tried: ['pod-a'], ms: 1.5 },
  );
  assert.equal(JSON.stringify(line).includes('secret'), false);
  const text = await metrics.text();
  assert.match(text, /^holdfast_requests_total\{method="GET",status="200",affinity="hit"\} 1$/m);
  assert.match(text, /^holdfast_answer_bytes_total 100$/m);
});

test('connections that are turned away are counted like exchanges, and told in one line for ten seconds', async () => {
  const { observer, lines, metrics } = observed();
  for (const nowMs of [5, 6, 10_004, 10_005, 10_006]) observer.turnedAway(nowMs);
  assert.deepEqual(
    lines().map(({ level, connections }) => [level, connections]),
    [
      ['warn', 1],
      ['warn', 3],
    ],
  );
  const text = await metrics.text();
  assert.match(text, /^holdfast_requests_total\{method="OTHER",status="503",affinity="none"\} 5$/m);
  assert.match(text, /^holdfast_exchange_failures_total\{reason="overloaded",side="self"\} 5$/m);
});

test('replays, answers held in vain and faults are counted', async () => {
  const { observer, lines, metrics } = observed();
  observer.ended({ ...usual, replayed: true });
  observer.ended({ ...usual, heldInVain: true });
  observer.fault(new Error('ours'));
  observer.fault('not even an error');
  const text = await metrics.text();
  assert.match(text, /^holdfast_replayed_total 1$/m);
  assert.match(text, /^holdfast_held_in_vain_total 1$/m);
  assert.match(text, /^holdfast_faults_total 2$/m);
  assert.equal(lines().filter(({ level }) => level === 'error').length, 2);
});

test('without access lines exchanges are counted all the same', async () => {
  const { observer, lines, metrics } = observed(false);
  observer.ended(usual);
  assert.deepEqual(lines(), []);
  assert.match(await metrics.text(), /^holdfast_requests_total\{.*\} 1$/m);
});

test('an answered hello is no exchange; a refused request under its name is one', async () => {
  const { observer, lines, metrics } = observed();
  observer.ended({ ...usual, target: helloTarget, tried: [], pod: undefined });
  assert.deepEqual(lines(), []);
  assert.doesNotMatch(await metrics.text(), /^holdfast_requests_total\{/m);
  observer.ended({ ...usual, target: helloTarget, tried: [], status: 503, reason: 'overloaded' });
  observer.ended({ ...usual, target: helloTarget });
  assert.equal(lines().length, 2);
});
