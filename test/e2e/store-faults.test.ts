/**
 * A store that fails over, and an owner that is frozen, under deployed processes and users who count. The users judge:
 * what was answered completely is never lost.
 */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { describeVerdict } from '../support/checker-verdict.ts';
import type { Browser } from '../support/cookie-jar.ts';
import { deploy, type Deployment, type DeploymentOptions } from '../support/deployment.ts';
import { RedisSentinels } from '../support/redis-sentinels.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

interface Running {
  readonly deployment: Deployment;
  /** Lets the users get this many more answers. */
  readonly more: (answers: number) => Promise<unknown>;
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
  return { deployment, more, nothingLost };
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
  await until('there is a new primary', async () => (await sentinels.primary()) !== old, { deadlineMs: 30_000 });
  await until('every pod has stored everything', () => deployment.isStored(), { deadlineMs: 30_000 });
  await more(30);
  await deployment.pods[0]!.kill();
  await more(60);
  await nothingLost();
});

test('a frozen sidecar behind a gateway: one bounded error for its users, none for others, nothing lost', async (t) => {
  const timeouts = { response: '1s', handoff: '1s', lock: '1s', sync: '1s' };
  const deployment = await deploy(t, {
    application: 'plain-php',
    pods: 2,
    sidecar: { timeouts },
    gateway: { timeouts },
  });
  const users: Browser[] = [];
  const places = new Map<Browser, string>();
  for (let turn = 0; new Set(places.values()).size < 2 && turn < 40; turn++) {
    const user = deployment.browser();
    assert.equal(await user.number('/inc'), 1);
    users.push(user);
    places.set(user, (await deployment.podOf(user)).name);
  }
  const frozen = deployment.pods[0]!;
  const caught = users.find((user) => places.get(user) === frozen.name)!;
  const free = users.find((user) => places.get(user) !== frozen.name)!;
  frozen.sidecar.process.signal('SIGSTOP');
  const stuck = caught.get('/inc');
  for (let number = 2; number <= 10; number++) assert.equal(await free.number('/inc'), number);
  assert.equal((await stuck).status, 504);
  const after = await until('the session goes on elsewhere', () => caught.number('/inc').catch(() => undefined));
  assert.equal(after, 2, 'the frozen sidecar has stored nothing meanwhile');
  frozen.sidecar.process.signal('SIGCONT');
  assert.equal(await caught.number('/inc'), 3);
  await until('the gateway knows that it is back', () => frozen.sidecar.isReady());
  assert.equal(await caught.number('/inc'), 4);
  assert.equal(await free.number('/inc'), 11);
});
