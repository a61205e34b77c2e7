/** Several workers as one window and one page: real processes that follow a script. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Metrics } from '../../src/base/metrics.ts';
import { CrewMetrics, CrewWindow } from '../../src/workers/crew-window.ts';
import { crewUnderTest } from '../support/crew-under-test.ts';
import { until } from '../support/until.ts';

test('how the pods are is told by the workers that serve; what is counted and in flight by those too that begin or end', async (t) => {
  const { crew, plan } = crewUnderTest(t);
  await crew.start(plan({ does: 'linger', podState: 'draining' }));
  assert.deepEqual(await crew.replace(plan({ does: 'serve', podState: 'ready' })), { kind: 'serving' });
  void crew.replace(plan({ does: 'start', podState: 'unhealthy' }));

  const shows = { title: 'gateway', isStarted: () => true, isStopping: () => false, figures: () => [] };
  const window = new CrewWindow({ ...shows, crew, reload: undefined });
  await until('all three have told', async () => {
    await window.refresh();
    return crew.all.filter(({ state }) => state !== undefined).length === 3;
  });
  assert.deepEqual(window.pods(), [{ name: 'a', state: 'ready', why: 'as written', inFlight: 3 }]);

  const pages = new CrewMetrics(new Metrics(), crew);
  const page = await until('all three have counted', async () => {
    const text = await pages.text();
    return crew.all.every(({ reading }) => reading !== undefined) && text;
  });
  assert.match(page, /^holdfast_seen_total 3$/m);
  assert.match(page, /^holdfast_exchanges 3$/m);
  assert.match(page, /^holdfast_pods_panic 0$/m);
});
