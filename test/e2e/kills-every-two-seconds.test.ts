/**
 * Users count while a pod is killed with kill -9 every two seconds: no acknowledged number is lost, repeated, reset
 * or somebody else's.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeVerdict } from '../support/checker-verdict.ts';
import { deploy } from '../support/deployment.ts';
import type { Deployment } from '../support/deployment.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

const killIntervalMs = 2000;
const kills = 6;

for (const application of ['laravel', 'plain-php'] as const) {
  test(`${application}: eight users lose nothing while a pod is killed every two seconds`, async (t) => {
    const deployment = await deploy(t, { application, gateways: 2 });
    const checker = new SessionChecker({
      origins: deployment.gateways.map((gateway) => gateway.origin),
      users: 8,
      application: deployment.application.traits,
      seed: Number(process.env['CHECKER_SEED'] ?? '20261123'),
    });
    checker.start();
    await killInTurn(deployment, checker);
    const verdict = await checker.stop();
    t.diagnostic(describeVerdict(verdict));
    assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
    assert.ok(verdict.answers > 100, `too few answers to say anything: ${describeVerdict(verdict)}`);
  });
}

/** Kills a pod, waits until users were answered again and the interval is over, starts it, takes the next one. */
async function killInTurn(deployment: Deployment, checker: SessionChecker): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    const nextMs = performance.now() + killIntervalMs;
    const pod = deployment.pods[kill % deployment.pods.length]!;
    await pod.kill();
    const { answers } = checker;
    await until('users are answered after a kill', () => checker.answers > answers + 8);
    await pod.start();
    await until('it is time for the next kill', () => performance.now() >= nextMs);
  }
}
