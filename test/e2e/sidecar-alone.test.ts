/** A sidecar's container restarts under an application that goes on, as after its own death or a memory limit; and probes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../support/cookie-jar.ts';
import { deploy, type DeployedPod } from '../support/deployment.ts';
import { until } from '../support/until.ts';

async function metric(pod: DeployedPod, name: string): Promise<number> {
  const { text } = await pod.sidecar.probe('/metrics');
  return Number(new RegExp(`^holdfast_${name}(?:\\{[^}]*\\})? (\\d+)$`, 'm').exec(text)?.[1]);
}

test('kill -9 of the sidecar again and again: its sessions go on, and what the application wrote meanwhile is not lost', async (t) => {
  const deployment = await deploy(t, { application: 'plain-php', pods: 2, gateways: 0 });
  const [pod, other] = deployment.pods as readonly [DeployedPod, DeployedPod];
  const [through, beside] = [pod.dataPort, pod.applicationPort].map((port) => `http://127.0.0.1:${port}`);
  const browser = new Browser(through!, { timeoutMs: 20_000 });
  t.after(() => browser.close());
  let number = 0;
  for (let kill = 0; kill < 2; kill++) {
    browser.origin = through!;
    assert.equal(await browser.number('/inc'), ++number, `after ${kill} kills`);
    await pod.killSidecar();
    browser.origin = beside!;
    assert.equal(await browser.number('/inc'), ++number, 'by the application alone');
    await pod.sidecar.start();
  }
  // Nobody asks for it any more, and the pod dies: what was written without a sidecar is in the store.
  await until('it is stored', async () => (await metric(pod, 'sessions_owned')) === 1 && (await deployment.isStored()));
  await pod.kill();
  browser.origin = `http://127.0.0.1:${other.dataPort}`;
  assert.equal(await browser.number('/inc'), number + 1);
});

test('what probes of the application make, through the sidecar or beside it, fills neither the store nor the memory', async (t) => {
  const deployment = await deploy(t, { application: 'laravel', pods: 1, gateways: 0 });
  const pod = deployment.pods[0]!;
  const keys = await deployment.redis.size();
  const agent = { 'user-agent': 'kube-probe/1.36' };
  const probe = async (port: number): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${port}/inc`, { headers: agent });
    assert.equal(answer.status, 200);
    assert.equal(await answer.text(), '1', 'each begins a session');
  };
  for (let round = 0; round < 5; round++) {
    await probe(pod.dataPort);
    await probe(pod.applicationPort);
  }
  await pod.killSidecar();
  await probe(pod.applicationPort);
  await pod.sidecar.start();
  await probe(pod.dataPort);
  // One that is somebody's: by then everything before it has been looked at.
  const browser = new Browser(`http://127.0.0.1:${pod.dataPort}`, { timeoutMs: 20_000 });
  t.after(() => browser.close());
  assert.equal(await browser.number('/inc'), 1);
  assert.deepEqual([await metric(pod, 'keeper_creates_total'), await metric(pod, 'sessions_known')], [1, 1]);
  assert.equal(await deployment.redis.size(), keys + 1);
});
