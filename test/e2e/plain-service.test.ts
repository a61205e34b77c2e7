/**
 * Sidecars alone, behind a plain Service: any sidecar gets any request of any session. Real processes; the users judge.
 */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { describeVerdict } from '../support/checker-verdict.ts';
import { deploy, type DeployedPod, type Deployment, type DeploymentOptions } from '../support/deployment.ts';
import { PlainService } from '../support/plain-service.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

/** Well longer than clients and other sidecars use a connection that is idle (rules 19). */
const timeouts = { drain: '8s', drainDelay: '2500ms' };

interface Running {
  readonly deployment: Deployment;
  readonly services: readonly PlainService[];
  readonly checker: SessionChecker;
  /** Lets the users get this many more answers. */
  readonly more: (answers: number) => Promise<unknown>;
}

async function running(t: TestContext, options: DeploymentOptions, seed: number): Promise<Running> {
  const deployment = await deploy(t, { gateways: 0, ...options, sidecar: { timeouts, ...options.sidecar } });
  const ports = deployment.pods.map(({ dataPort }) => dataPort);
  // A user goes from one to the next with each request, so that no two in a row meet the same sidecar.
  const services = await Promise.all(ports.map((_port, turn) => PlainService.open(t, ports, turn)));
  const origins = services.map(({ origin }) => origin);
  const application = deployment.application.traits;
  const checker = new SessionChecker({ origins, users: 6, application, seed, thinkMs: 100 });
  t.after(() => checker.stop().catch(() => undefined));
  checker.start();
  const more = (answers: number): Promise<unknown> => {
    const enough = checker.answers + answers;
    return until(`${answers} more answers`, () => checker.answers >= enough, { deadlineMs: 60_000 });
  };
  return { deployment, services, checker, more };
}

async function restart(pod: DeployedPod, services: readonly PlainService[], life: number): Promise<void> {
  for (const service of services) service.takeOut(pod.dataPort);
  assert.equal((await pod.sidecar.process.kill('SIGTERM')).code, 0, `${pod.name}'s sidecar ends with 0`);
  await pod.applicationProcess.kill('SIGTERM');
  pod.sidecar.configure({ pod: { name: pod.name, uid: `${pod.name}-uid-${life}` } });
  await pod.start();
  for (const service of services) service.putBack(pod.dataPort);
}

for (const elsewhere of ['forward', 'adopt'] as const) {
  test(`${elsewhere}: a rolling restart of all pods fails no request and loses nothing`, async (t) => {
    const options = { application: 'plain-php', sidecar: { sessions: { elsewhere } } } as const;
    const { deployment, services, checker, more } = await running(t, options, 41);
    await more(100);
    for (const pod of deployment.pods) {
      await restart(pod, services, 2);
      await more(60);
    }
    const verdict = await checker.stop();
    assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
    assert.deepEqual(verdict.errors, {}, describeVerdict(verdict));
  });
}

for (const application of ['laravel', 'plain-php'] as const) {
  test(`${application}: a pod killed with kill -9 takes no session with it`, async (t) => {
    const { deployment, services, checker, more } = await running(t, { application }, 42);
    await more(100);
    const killed = deployment.pods[0]!;
    await killed.kill();
    for (const service of services) service.takeOut(killed.dataPort);
    await more(200);
    await killed.start();
    for (const service of services) service.putBack(killed.dataPort);
    await more(100);
    const verdict = await checker.stop();
    assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
  });
}
