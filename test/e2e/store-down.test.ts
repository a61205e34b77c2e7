/**
 * Redis is away: sessions that are here go on, and what happened meanwhile is stored when it comes back.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deploy } from '../support/deployment.ts';
import type { Browser } from '../support/cookie-jar.ts';
import { until } from '../support/until.ts';

test('Redis killed in flight: sessions go on where they are, and survive their pod once it is back', async (t) => {
  const deployment = await deploy(t, { application: 'laravel' });
  const browser = deployment.browser();
  for (let number = 1; number <= 3; number++) assert.equal(await browser.number('/inc'), number);
  const pod = await deployment.podOf(browser);
  await deployment.redis.process.kill('SIGKILL');
  for (let number = 4; number <= 8; number++) assert.equal(await browser.number('/inc'), number);
  assert.equal((await deployment.podOf(browser)).name, pod.name);
  assert.equal((await pod.sidecar.probe('/readyz')).status, 200, 'the store does not change readiness');
  // It has forgotten everything: what the pods hold is the only copy.
  await deployment.redis.start();
  await until('every pod has stored everything', () => deployment.isStored());
  await pod.kill();
  assert.equal(await browser.number('/inc'), 9);
});

test('Redis frozen in flight: an answer waits for it for a bounded time, then sessions go on', async (t) => {
  const deployment = await deploy(t, { application: 'plain-php' });
  const browser = deployment.browser();
  for (let number = 1; number <= 3; number++) assert.equal(await browser.number('/inc'), number);
  const pod = await deployment.podOf(browser);
  deployment.redis.process.signal('SIGSTOP');
  for (let number = 4; number <= 8; number++) assert.equal(await browser.number('/inc'), number);
  deployment.redis.process.signal('SIGCONT');
  await until('every pod has stored everything', () => deployment.isStored());
  await pod.kill();
  assert.equal(await browser.number('/inc'), 9);
});

test('Redis away at the start: pods become ready, serve, and store what they have when it comes', async (t) => {
  const deployment = await deploy(t, { application: 'laravel', redis: false });
  const browser = deployment.browser();
  for (let number = 1; number <= 3; number++) assert.equal(await browser.number('/inc'), number);
  const pod = await deployment.podOf(browser);
  await deployment.redis.start();
  await until('every pod has stored everything', () => deployment.isStored());
  await pod.kill();
  assert.equal(await browser.number('/inc'), 4);
});

test('onStoreDown: refuse gives no complete answer whose session could be lost, and nothing is lost', async (t) => {
  const deployment = await deploy(t, { application: 'laravel', sidecar: { sessions: { onStoreDown: 'refuse' } } });
  const browser = deployment.browser();
  for (let number = 1; number <= 3; number++) assert.equal(await browser.number('/inc'), number);
  await deployment.redis.process.kill('SIGKILL');
  for (let attempt = 0; attempt < 5; attempt++) {
    // Where the head had left, the answer is cut.
    const answer = await browser.get('/inc').catch(() => undefined);
    if (answer === undefined) continue;
    assert.equal(answer.status, 503);
    assert.match(String(answer.headers['retry-after']), /^\d+$/);
  }
  await deployment.redis.start();
  const number = await until('the session counts again', () => acknowledgedNumber(browser));
  assert.ok(number >= 4, `${number} after 3: the refused requests may have counted, nothing before them is lost`);
});

/** 0 while it is refused. */
async function acknowledgedNumber(browser: Browser): Promise<number> {
  const answer = await browser.get('/inc');
  return answer.status === 200 ? Number(answer.text) : 0;
}
