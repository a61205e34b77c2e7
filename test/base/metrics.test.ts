import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExchangeMetrics } from '../../src/base/exchange-metrics.ts';
import { Metrics, countProcess, mergedText } from '../../src/base/metrics.ts';
import { countLimits } from '../../src/commands/limit-metrics.ts';

test('a counter is a plain number that the page shows, by its labels', async () => {
  const metrics = new Metrics();
  const family = metrics.counter({ name: 'puts_total', help: 'Puts.', labels: ['result'] });
  const stored = family.child('stored');
  stored.value += 2;
  family.child('refused').value++;
  assert.equal(family.child('stored'), stored);
  for (const round of [1, 2]) {
    const page = await metrics.text();
    assert.match(page, /^# TYPE holdfast_puts_total counter$/m, `reading ${round}`);
    assert.match(page, /^holdfast_puts_total\{result="stored"\} 2$/m);
    assert.match(page, /^holdfast_puts_total\{result="refused"\} 1$/m);
  }
});

test('a counter without labels is there from the start, as 0', async () => {
  const metrics = new Metrics();
  metrics.counter({ name: 'faults_total', help: 'Faults.' });
  assert.match(await metrics.text(), /^holdfast_faults_total 0$/m);
});

test('a family has an end: what comes after it is counted as other', () => {
  const metrics = new Metrics();
  const family = metrics.counter({ name: 'many_total', help: 'Many.', labels: ['pod'] });
  for (let index = 0; index < 2100; index++) family.child(`pod-${index}`).value++;
  assert.equal(family.child('other').value, 100);
});

test('a gauge is read when the page is asked for, and forgets labels that are gone', async () => {
  const metrics = new Metrics();
  let pods: readonly (readonly [readonly string[], number])[] = [[['ready'], 3]];
  metrics.gauge({ name: 'pods', help: 'Pods.', labels: ['state'] }, () => pods);
  assert.match(await metrics.text(), /holdfast_pods\{state="ready"\} 3/);
  pods = [[['gone'], 1]];
  const page = await metrics.text();
  assert.match(page, /holdfast_pods\{state="gone"\} 1/);
  assert.doesNotMatch(page, /state="ready"/);
});

test("a histogram's buckets are cumulative and end with the count", async () => {
  const metrics = new Metrics();
  const histogram = metrics.histogram({ name: 'wait_seconds', help: 'Waits.' });
  for (const seconds of [0.001, 0.004, 0.004, 100]) histogram.observe(seconds);
  const page = await metrics.text();
  assert.match(page, /^holdfast_wait_seconds_bucket\{le="0.001"\} 1$/m);
  assert.match(page, /^holdfast_wait_seconds_bucket\{le="0.005"\} 3$/m);
  assert.match(page, /^holdfast_wait_seconds_bucket\{le="60"\} 3$/m);
  assert.match(page, /^holdfast_wait_seconds_bucket\{le="\+Inf"\} 4$/m);
  assert.match(page, /^holdfast_wait_seconds_count 4$/m);
  assert.match(page, /^holdfast_wait_seconds_sum 100.009$/m);
});

test('an exchange is counted by method, status and affinity; a made-up method is OTHER', async () => {
  const metrics = new Metrics();
  const exchanges = new ExchangeMetrics(metrics);
  exchanges.ended({ method: 'GET', status: 200, affinity: 'hit', reason: undefined, ms: 3 });
  exchanges.ended({ method: 'GET', status: 200, affinity: 'hit', reason: undefined, ms: 3 });
  exchanges.ended({ method: 'EVIL"', status: 503, affinity: 'none', reason: 'no-pods', ms: 1 });
  const page = await metrics.text();
  assert.match(page, /holdfast_requests_total\{method="GET",status="200",affinity="hit"\} 2/);
  assert.match(page, /holdfast_requests_total\{method="OTHER",status="503",affinity="none"\} 1/);
  assert.match(page, /holdfast_exchange_failures_total\{reason="no-pods",side="self"\} 1/);
  assert.match(page, /holdfast_request_duration_seconds_count 3/);
  assert.doesNotMatch(page, /EVIL/);
});

test('every name begins with holdfast_', async () => {
  const metrics = new Metrics();
  countProcess(metrics, '1.2.3');
  new ExchangeMetrics(metrics);
  const names = [...(await metrics.text()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '');
  assert.ok(names.length >= 6);
  assert.deepEqual(
    names.filter((name) => !name.startsWith('holdfast_')),
    [],
  );
});

test('of a limit that each worker keeps to by itself the page shows the fullest worker, and the sum of all others', async () => {
  const readings = [
    [3, 7],
    [4, 7],
    [5, 2],
  ].map(async ([connections = 0, perSession = 0]) => {
    const metrics = new Metrics();
    countLimits(metrics, () => [
      { limit: 'connections', use: connections, max: 100 },
      { limit: 'perSession', use: perSession, max: 16 },
    ]);
    return metrics.read();
  });
  const page = await mergedText(await Promise.all(readings));
  const rows = [...page.matchAll(/^holdfast_limit_(.*) (\d+)$/gm)].map(([, row, value]) => `${row} ${value}`);
  assert.deepEqual(rows.toSorted(), [
    'maximum{limit="connections"} 300',
    'maximum{limit="perSession"} 16',
    'use{limit="connections"} 12',
    'use{limit="perSession"} 7',
  ]);
});
