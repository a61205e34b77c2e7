/**
 * A store that fails over, and one that is slow, under deployed processes and users who count. The users judge: what was
 * answered completely is never lost.
 */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { describeVerdict } from '../support/checker-verdict.ts';
import { deploy, type Deployment, type DeploymentOptions } from '../support/deployment.ts';
import { RedisSentinels } from '../support/redis-sentinels.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

interface Running {
  readonly deployment: Deployment;
  /** Lets the users get this many more answers. */
  readonly more: (answers: number) => Promise<unknown>;
  /** What was not answered with a 200, so far. */
  readonly failed: () => readonly unknown[];
  /** Ends the users; fails where they lost anything. */
  readonly nothingLost: () => Promise<void>;
}

async function running(t: TestContext, options: DeploymentOptions, seed: number): Promise<Running> {
  const deployment = await deploy(t, options);
  const origins = deployment.gateways.map(({ origin }) => origin);
  const { traits } = deployment.application;
  const checker = new SessionChecker({ origins, users: 6, application: traits, seed, thinkMs: 50 });
  t.after(() => checker.stop().catch(() => undefined));
  checker.start();
  const more = (answers: number): Promise<unknown> => {
    const enough = checker.answers + answers;
    return until(`${answers} more answers`, () => checker.answers >= enough, { deadlineMs: 60_000 });
  };
  const nothingLost = async (): Promise<void> => {
    const verdict = await checker.stop();
    assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
  };
  return { deployment, more, failed: () => checker.failed, nothingLost };
}

test('a primary dies, its sentinels promote a replica: users go on, and survive their pod afterwards', async (t) => {
  const sentinels = await RedisSentinels.start({ replicas: 2 });
  t.after(() => sentinels.stop());
  const store = { url: sentinels.url(), wait: { replicas: 1, timeout: '200ms' } };
  const options = { application: 'plain-php', redis: false, sidecar: { store }, gateway: { store } } as const;
  const { deployment, more, nothingLost } = await running(t, options, 52);
  await more(30);
  const old = await sentinels.primary();
  await old.kill();
  await more(60);
  await until('there is a new primary', async () => (await sentinels.primary()) !== old);
  await until('every pod has stored everything', () => deployment.isStored());
  await more(30);
  await deployment.pods[0]!.kill();
  await more(60);
  await nothingLost();
});

for (const store of ['2s', '500ms'] as const) {
  const words =
    store === '2s' ? 'within its bound: answers are slow and complete' : 'beyond its bound: it counts as down';
  test(`a store that takes 600 ms for each command, ${words}, and nothing is lost`, async (t) => {
    const options = { application: 'plain-php', faultProxies: true, sidecar: { timeouts: { store } } } as const;
    const { deployment, more, failed, nothingLost } = await running(t, options, 61);
    const eachWay = async (ms: number): Promise<void> => {
      for (const { network } of deployment.pods) await network!.set({ kind: 'latency', ms }, 'store');
    };
    await more(20);
    await eachWay(300);
    await more(30);
    await eachWay(0);
    await until('every pod has stored everything', () => deployment.isStored());
    await more(20);
    if (store === '2s') assert.deepEqual(failed(), []);
    await deployment.pods[0]!.kill();
    await more(30);
    await nothingLost();
  });
}
