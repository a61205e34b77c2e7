/** How running processes are taken out of service, by command and by their application's end: real processes. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { parseSecret } from '../../src/base/keyring.ts';
import { type Hello, HelloSigner, type HelloTarget } from '../../src/upstream/hello.ts';
import { probe } from '../../src/upstream/probe.ts';
import { deployedSecrets } from '../support/deployed-parts.ts';
import { deploy, type DeployedPod, type Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

function deployed(t: TestContext, pods: number, over: Partial<Parameters<typeof deploy>[1]> = {}): Promise<Deployment> {
  return deploy(t, { application: 'plain-php', pods, ...over });
}

test('a sidecar whose application is gone says so and is ready again when it is back', async (t) => {
  const { pods } = await deployed(t, 1, { gateways: 0 });
  const pod = pods[0]!;
  await pod.applicationProcess.kill('SIGKILL');
  await until('noticed', async () => (await pod.sidecar.probe('/readyz')).text.includes('application'));
  assert.equal((await pod.sidecar.probe('/readyz')).status, 503);
  assert.equal((await pod.sidecar.probe('/livez')).status, 200);
  await pod.startApplication();
  await until('ready', () => pod.sidecar.isReady());
});

test('holdfast drain: owned sessions are stored and given up, and the SIGTERM that follows ends with 0', async (t) => {
  const deployment = await deployed(t, 2, { gateway: { health: { interval: '200ms' } } });
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  const first = await deployment.podOf(browser);
  const { sidecar } = first;
  const { code, output } = await sidecar.command('drain');
  assert.deepEqual([code, output], [0, 'drained\n']);
  const readiness = await sidecar.probe('/readyz');
  assert.deepEqual([readiness.status, readiness.text], [200, 'ready: draining: serves until its application ends\n']);
  assert.equal(await browser.number('/inc'), 2);
  assert.notEqual((await deployment.podOf(browser)).name, first.name, 'it has left');
  await first.applicationProcess.kill('SIGTERM');
  await until('not ready once its application has ended', async () => !(await sidecar.isReady()));
  assert.deepEqual(await sidecar.process.kill('SIGTERM'), { code: 0, signal: null });
  assert.equal(await browser.number('/inc'), 3);
});

test("a gateway's word that its pod is terminating begins the same drain, once", async (t) => {
  const deployment = await deployed(t, 2, { gateway: { health: { interval: '200ms' } } });
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  const first = await deployment.podOf(browser);
  const uid = (await asked(first)).uid;
  const run = (await asked(first)).run!;
  assert.equal((await asked(first, { uid: 'another', run })).draining, false);
  assert.equal((await asked(first, { uid, run })).draining, true);
  await asked(first, { uid, run });
  assert.equal((await first.sidecar.probe('/readyz')).text, 'ready: draining: serves until its application ends\n');
  assert.equal(await browser.number('/inc'), 2);
  // Nobody waits for the end of this drain: until then the pod serves what it still owns.
  await until('it has left', async () => (await deployment.podOf(browser)).name !== first.name);
  await first.applicationProcess.kill('SIGTERM');
  assert.deepEqual(await first.sidecar.process.kill('SIGTERM'), { code: 0, signal: null });
  assert.equal(await browser.number('/inc'), 3);
  const told = first.sidecar.process.logLines.filter(({ msg }) => String(msg).includes('this pod is terminating'));
  assert.equal(told.length, 1);
});

/** A gateway's question, with its word where `terminating` is given. */
async function asked(pod: DeployedPod, terminating?: HelloTarget): Promise<Hello> {
  const signer = new HelloSigner([parseSecret(deployedSecrets.HOLDFAST_STORE_KEY)!]);
  const address = { host: '127.0.0.1', port: pod.dataPort };
  const result = await probe(address, { timeoutMs: 30_000, signer, path: undefined, terminating });
  assert.equal(result.kind, 'passed');
  return result.hello!;
}

test('a pod that drains serves on as long as no other pod is there', async (t) => {
  const deployment = await deployed(t, 1, { gateway: { health: { interval: '200ms' } } });
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  assert.equal((await deployment.pods[0]!.sidecar.command('drain')).code, 0);
  const { origin } = deployment.gateways[0]!;
  for (let number = 2; number <= 4; number++) assert.equal(await browser.number('/inc'), number);
  assert.equal((await fetch(`${origin}/inc`)).status, 200, 'a new session too');
});

test('holdfast drain --unready: out of service at once, by hand, a sidecar and a gateway', async (t) => {
  const deployment = await deployed(t, 2);
  const { pods, gateways } = deployment;
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  for (const process of [pods[0]!.sidecar, gateways[0]!]) {
    assert.equal((await process.command('drain', '--unready')).code, 0);
    const { status, text } = await process.probe('/readyz');
    assert.deepEqual([status, text], [503, 'not ready: draining\n']);
  }
  assert.equal(await browser.number('/inc'), 2, 'who still comes is served');
});

test('an application that ends gives its sessions up by itself, and serves again when it is back', async (t) => {
  const deployment = await deployed(t, 1);
  const pod = deployment.pods[0]!;
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  await pod.applicationProcess.kill('SIGTERM');
  await until('given back', async () =>
    /keeper_handoffs_out_total(?:\{[^}]*\})? 1$/m.test((await pod.sidecar.probe('/metrics')).text),
  );
  await pod.startApplication();
  await until('it serves again', async () => (await browser.get('/get')).text === '1');
  assert.equal(await browser.number('/inc'), 2);
});

test('without Redis at the start a gateway is ready, and says that it is degraded until Redis is there', async (t) => {
  const deployment = await deployed(t, 1, { redis: false });
  const gateway = deployment.gateways[0]!;
  assert.equal((await gateway.probe('/readyz')).text, 'ready: degraded: the store is down\n');
  await deployment.redis.start();
  await until('no longer', async () => (await gateway.probe('/readyz')).text === 'ready: ready\n');
});

test('a drain and a SIGTERM with Redis away end in time with 0, say what is not stored, and lose nothing that stays on disk', async (t) => {
  const deployment = await deployed(t, 1);
  const { sidecar } = deployment.pods[0]!;
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  await deployment.redis.process.kill('SIGKILL');
  await until('noticed', async () => (await sidecar.probe('/readyz')).text.includes('degraded'));
  assert.equal(await browser.number('/inc'), 2);
  assert.equal((await sidecar.command('drain')).code, 0);
  assert.deepEqual(await sidecar.process.kill('SIGTERM'), { code: 0, signal: null });
  const said = sidecar.process.logLines.find(({ msg }) => msg === 'ended with sessions that are not stored');
  assert.equal(said?.['unsynced'], 1);
  await deployment.redis.start();
  await sidecar.start();
  assert.equal(await browser.number('/inc'), 3);
});
