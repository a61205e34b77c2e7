/**
 * Users count while parts of the deployment are killed every two seconds: no acknowledged number is lost, repeated,
 * reset or somebody else's.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ApplicationName } from '../support/applications.ts';
import { describeVerdict } from '../support/checker-verdict.ts';
import { deploy } from '../support/deployment.ts';
import type { Deployment, DeployedPod } from '../support/deployment.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

const faultIntervalMs = 2000;

/** Does its harm; what it returns mends it. */
type Fault = (deployment: Deployment, pod: DeployedPod) => Promise<() => Promise<void>>;

const killPod: Fault = async (_deployment, pod) => {
  await pod.kill();
  return () => pod.start();
};

const killSidecar: Fault = async (_deployment, pod) => {
  await pod.sidecar.process.kill('SIGKILL');
  return () => pod.sidecar.start();
};

const killApplication: Fault = async (_deployment, pod) => {
  await pod.applicationProcess.kill('SIGKILL');
  return () => pod.startApplication();
};

const terminatePod: Fault = async (_deployment, pod) => {
  const { code } = await pod.terminate();
  assert.equal(code, 0, `${pod.name}'s sidecar ends with 0 at SIGTERM`);
  return () => pod.start();
};

const killGateway: Fault = async (deployment) => {
  const gateway = deployment.gateways[0]!;
  await gateway.process.kill('SIGKILL');
  return () => gateway.start();
};

const freezeRedis: Fault = (deployment) => {
  deployment.redis.process.signal('SIGSTOP');
  return Promise.resolve(async () => {
    deployment.redis.process.signal('SIGCONT');
    // What was answered meanwhile is only where it happened, until it is stored.
    await until('every pod has stored everything', () => deployment.isStored());
  });
};

for (const application of ['laravel', 'plain-php'] as const) {
  test(`${application}: eight users lose nothing while a pod is killed every two seconds`, (t) =>
    check(t, application, [killPod, killPod, killPod, killPod, killPod, killPod]));

  test(`${application}: eight users lose nothing whatever part of the deployment fails next`, (t) =>
    check(t, application, [killSidecar, killApplication, terminatePod, killGateway, freezeRedis, killPod]));
}

async function check(t: TestContext, application: ApplicationName, faults: readonly Fault[]): Promise<void> {
  const deployment = await deploy(t, { application, gateways: 2 });
  const checker = new SessionChecker({
    origins: deployment.gateways.map((gateway) => gateway.origin),
    users: 8,
    application: deployment.application.traits,
    seed: Number(process.env['CHECKER_SEED'] ?? '20261123'),
  });
  checker.start();
  for (const [turn, fault] of faults.entries()) {
    const nextMs = performance.now() + faultIntervalMs;
    const pod = deployment.pods[turn % deployment.pods.length]!;
    t.diagnostic(`${new Date().toISOString()} ${fault.name} ${pod.name}`);
    const mend = await fault(deployment, pod);
    const { answers } = checker;
    await until('users are answered after a fault', () => checker.answers > answers + 8);
    t.diagnostic(`${new Date().toISOString()} mended`);
    await mend();
    await until('it is time for the next fault', () => performance.now() >= nextMs);
  }
  const verdict = await checker.stop();
  t.diagnostic(describeVerdict(verdict));
  assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
  assert.ok(verdict.answers > 100, `too few answers to say anything: ${describeVerdict(verdict)}`);
}
