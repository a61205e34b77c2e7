/**
 * A part of the deployment dies, and the same browser goes on: same session id, next number. Laravel saves its
 * session before it answers; plain PHP after its output has left.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deploy } from '../support/deployment.ts';
import type { Deployment, DeployedPod } from '../support/deployment.ts';
import type { Browser } from '../support/cookie-jar.ts';
import { until } from '../support/until.ts';

for (const application of ['laravel', 'plain-php'] as const) {
  test(`${application}: a pod killed with kill -9 takes no session with it`, async (t) => {
    const deployment = await deploy(t, { application });
    const user = await countingUser(deployment);
    await user.pod.kill();
    await goesOn(deployment, user);
  });

  test(`${application}: a killed pod that comes back with its old file does not win`, async (t) => {
    const deployment = await deploy(t, { application });
    const user = await countingUser(deployment);
    const first = user.pod;
    await first.kill();
    await goesOn(deployment, user);
    const second = user.pod;
    await first.start();
    await goesOn(deployment, user);
    await second.kill();
    for (const pod of deployment.pods) if (pod !== first && pod !== second) await pod.kill();
    await goesOn(deployment, user);
    assert.equal(user.pod.name, first.name, 'the only pod left is the first one');
  });

  test(`${application}: a sidecar killed alone takes no session with it, and its pod serves again later`, async (t) => {
    const deployment = await deploy(t, { application });
    const user = await countingUser(deployment);
    const { pod } = user;
    await pod.sidecar.process.kill('SIGKILL');
    await goesOn(deployment, user);
    await pod.sidecar.start();
    await goesOn(deployment, user);
    for (const other of deployment.pods) if (other !== pod) await other.kill();
    await goesOn(deployment, user);
  });

  test(`${application}: an application killed alone takes no session with it`, async (t) => {
    const deployment = await deploy(t, { application });
    const user = await countingUser(deployment);
    const { pod } = user;
    await pod.applicationProcess.kill('SIGKILL');
    await goesOn(deployment, user);
    await pod.startApplication();
    await goesOn(deployment, user);
  });

  test(`${application}: a gateway killed and started again finds the session's pod`, async (t) => {
    const deployment = await deploy(t, { application });
    const user = await countingUser(deployment);
    const { pod } = user;
    const gateway = deployment.gateways[0]!;
    await gateway.process.kill('SIGKILL');
    await gateway.start();
    await goesOn(deployment, user);
    assert.equal(user.pod.name, pod.name, 'nothing happened to the pod, so the session stays there');
  });

  test(`${application}: a pod that ends by SIGTERM gives its sessions back and fails no request`, async (t) => {
    // As by default: it accepts until gateways, which ask every other second, know that they should send nothing more.
    const deployment = await deploy(t, { application, sidecar: { timeouts: { drain: '6s', drainDelay: '3s' } } });
    const user = await countingUser(deployment);
    const sidecar = user.pod.sidecar.process;
    const ended = sidecar.kill('SIGTERM');
    do user.number = await nextNumber(user);
    while (sidecar.running);
    assert.deepEqual(await ended, { code: 0, signal: null });
    await user.pod.applicationProcess.kill('SIGTERM');
    await goesOn(deployment, user);
  });

  test(`${application}: two gateways agree on a session's pod, with and without the pin cookie`, async (t) => {
    const deployment = await deploy(t, { application, gateways: 2 });
    await deployment.gatewaysKnowPods();
    const user = await countingUser(deployment);
    const { pod, browser } = user;
    for (let turn = 0; turn < 12; turn++) {
      browser.origin = deployment.gateways[turn % 2]!.origin;
      if (turn % 3 === 2) browser.jar.forget((name) => name !== deployment.application.traits.cookie);
      user.number = await nextNumber(user);
      assert.equal((await deployment.podOf(browser)).name, pod.name, `turn ${turn}`);
    }
    await pod.kill();
    for (const gateway of [...deployment.gateways].reverse()) {
      browser.origin = gateway.origin;
      await goesOn(deployment, user);
    }
  });
}

test('plain-php: a number is not answered by an application that was killed before it saved it', async (t) => {
  const deployment = await deploy(t, { application: 'plain-php' });
  const user = await countingUser(deployment);
  // All of the answer has left the application; its session is written half a minute later, or never.
  const answer = user.browser.get('/late?ms=30000');
  const application = user.pod.applicationProcess;
  await until('the session is being saved', () => application.output.includes('the session is being saved'));
  await application.kill('SIGKILL');
  assert.equal((await answer).status, 502);
  await goesOn(deployment, user);
});

test('Express with file sessions: a pod killed with kill -9 takes no session with it', async (t) => {
  const deployment = await deploy(t, { application: 'express' });
  const user = await countingUser(deployment);
  await user.pod.kill();
  await goesOn(deployment, user);
});

test('a session of 600 KB, a new id and a redirect survive the loss of their pod', async (t) => {
  const deployment = await deploy(t, { application: 'laravel' });
  const user = await countingUser(deployment);
  assert.equal(await user.browser.number('/big?kb=600'), ++user.number);
  for (const path of ['/login', '/regenerate']) {
    const before = await user.browser.text('/id');
    assert.equal(await user.browser.number(path), ++user.number);
    user.id = await user.browser.text('/id');
    assert.notEqual(user.id, before);
    await user.pod.kill();
    await goesOn(deployment, user);
    await Promise.all(deployment.pods.filter((pod) => !pod.sidecar.process.running).map((pod) => pod.start()));
  }
  assert.equal(await user.browser.number('/redirect'), ++user.number);
  await user.pod.kill();
  await goesOn(deployment, user);
});

test('the access log says where a session was and that it was restored', async (t) => {
  const deployment = await deploy(t, { application: 'laravel' });
  const user = await countingUser(deployment);
  const gateway = deployment.gateways[0]!;
  const line = () => gateway.accessLines('/inc').at(-1);
  await until(
    'a hit on the pinned pod is logged',
    () => line()?.['affinity'] === 'hit' && line()?.['pod'] === user.pod.name,
  );
  assert.deepEqual([line()?.['method'], line()?.['status']], ['GET', 200]);
  await user.pod.kill();
  user.number = await nextNumber(user);
  await until('the restored session is logged', () => line()?.['affinity'] === 'restored');
  assert.notEqual(line()?.['pod'], user.pod.name);
  assert.equal(gateway.process.output.includes(user.id), false, 'no session id is in the log');
});

interface User {
  readonly browser: Browser;
  id: string;
  number: number;
  pod: DeployedPod;
}

/** A browser with a session that has counted a few times. */
async function countingUser(deployment: Deployment): Promise<User> {
  const browser = deployment.browser();
  for (let number = 1; number <= 5; number++) assert.equal(await browser.number('/inc'), number);
  return { browser, id: await browser.text('/id'), number: 5, pod: await deployment.podOf(browser) };
}

async function nextNumber(user: User): Promise<number> {
  const number = await user.browser.number('/inc');
  assert.equal(number, user.number + 1, 'the next number');
  return number;
}

/** The same session id counts on, three times; `user.pod` is where it lives now. */
async function goesOn(deployment: Deployment, user: User): Promise<void> {
  for (let turn = 0; turn < 3; turn++) user.number = await nextNumber(user);
  assert.equal(await user.browser.text('/id'), user.id, 'the same session id');
  user.pod = await deployment.podOf(user.browser);
}
