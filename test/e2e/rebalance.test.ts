/** A scale-up with `sessions.rebalance`: idle sessions follow to the new pods until all have about as many. Real processes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describeVerdict } from '../support/checker-verdict.ts';
import { type DeployedPod, prepare } from '../support/deployment.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

const users = 30;

async function active(pod: DeployedPod): Promise<number> {
  const { text } = await pod.sidecar.probe('/metrics');
  return Number(/^holdfast_sessions_active(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1]);
}

test('three pods become five: their sessions even out, nothing is lost and no request fails', async (t) => {
  const deployment = await prepare({
    application: 'plain-php',
    pods: 5,
    gateways: 2,
    sidecar: { sessions: { rebalance: true } },
    gateway: { health: { interval: '500ms', slowStart: '0s' } },
  });
  t.after(async () => {
    if (!t.passed) t.diagnostic(await deployment.lastWords());
    await deployment.close();
  });
  await deployment.redis.start();
  const first = deployment.pods.slice(0, 3);
  await Promise.all([...first, ...deployment.gateways].map((part) => part.start()));
  const origins = deployment.gateways.map(({ origin }) => origin);
  const traits = deployment.application.traits;
  const checker = new SessionChecker({ origins, users, application: traits, seed: 61, thinkMs: 100 });
  t.after(() => checker.stop().catch(() => undefined));
  checker.start();
  const counts = (): Promise<number[]> => Promise.all(deployment.pods.map((pod) => active(pod)));
  const settled = () =>
    until('all users have sessions', async () => sum(await Promise.all(first.map(active))) >= users);
  await settled();

  await Promise.all(deployment.pods.slice(3).map((pod) => pod.start()));
  const isEven = async (): Promise<boolean> => {
    const now = await counts();
    // What the gateways aim at, and one session that is on its way.
    return now.every((count) => count <= (sum(now) / 5) * 1.1 + 3) && now.every((count) => count >= sum(now) / 5 / 2);
  };
  await until('the new pods have their part', isEven, { deadlineMs: 60_000 });

  const verdict = await checker.stop();
  assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
  assert.deepEqual(verdict.errors, {}, describeVerdict(verdict));
  const pages = await Promise.all(deployment.gateways.map((gateway) => gateway.probe('/metrics')));
  const moved = pages.map(({ text }) =>
    Number(/^holdfast_rebalance_moved_total(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1]),
  );
  assert.ok(sum(moved) >= 5, `${String(moved)} moved`);
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((one, other) => one + other, 0);
}
