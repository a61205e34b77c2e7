/**
 * Pods that say nothing any more, not even that they are gone: a frozen sidecar, a node that is unplugged. Deployed
 * processes behind a gateway, whose bound for an answer is a minute: nobody waits for that here.
 */

import assert from 'node:assert/strict';
import { get } from 'node:http';
import { test, type TestContext } from 'node:test';

import type { Browser } from '../support/cookie-jar.ts';
import { deploy, type DeployedPod, type Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

interface Users {
  readonly deployment: Deployment;
  /** The pod that is going to fall silent. */
  readonly pod: DeployedPod;
  /** Two users whose sessions live there, and one who lives at the other pod; all have counted to 1. */
  readonly caught: Browser;
  readonly reader: Browser;
  readonly free: Browser;
  /** Why each request ended that did not end by an answer, by its path; waits until so many did. */
  readonly reasons: (count: number) => Promise<readonly (readonly [path: unknown, reason: unknown])[]>;
}

async function users(t: TestContext, over: { readonly faultProxies?: boolean } = {}): Promise<Users> {
  // Four questions take as long as any silence has to last: a pod that is only slow, here, is not found dead before.
  const gateway = { health: { interval: '200ms', fails: 4 }, timeouts: { upstreamIdle: '30s' } };
  const deployment = await deploy(t, { application: 'plain-php', pods: 2, gateway, ...over });
  await deployment.gatewaysKnowPods();
  const pod = deployment.pods[0]!;
  const [here, elsewhere]: [Browser[], Browser[]] = [[], []];
  for (let turn = 0; turn < 40 && (here.length < 2 || elsewhere.length < 1); turn++) {
    const user = deployment.browser({ timeoutMs: 50_000 });
    assert.equal(await user.number('/inc'), 1);
    ((await deployment.podOf(user)) === pod ? here : elsewhere).push(user);
  }
  const [caught, reader] = here as [Browser, Browser];
  const { process } = deployment.gateways[0]!;
  const reasons: Users['reasons'] = (count) =>
    until('the lines are written', () => {
      const failed = process.logLines.filter(({ msg, reason }) => msg === 'access' && reason !== undefined);
      return failed.length === count && failed.map(({ path, reason }) => [path, reason] as const);
    });
  return { deployment, pod, caught, reader, free: elsewhere[0]!, reasons };
}

/** Begins to read an endless answer; resolves at its first bytes. `cut` resolves when it has ended before its end. */
async function reading(browser: Browser, path: string): Promise<{ readonly cut: Promise<void> }> {
  const headers = { cookie: browser.jar.header(path) };
  const asked = get(browser.origin + path, { headers, agent: false });
  return new Promise((resolve, reject) => {
    asked.once('error', reject);
    asked.once('response', (answer) => {
      const cut = new Promise<void>((ended, whole) => {
        answer.once('end', () => whole(new Error('the answer looks complete')));
        answer.once('error', () => ended());
      });
      answer.once('data', () => resolve({ cut }));
    });
  });
}

test('a frozen sidecar: what waits there is a 504 or a cut soon, others notice nothing, and nothing is lost', async (t) => {
  const { deployment, pod, caught, reader, free, reasons } = await users(t);
  const { cut } = await reading(reader, '/stream?n=100&ms=50&chunked');
  pod.sidecar.process.signal('SIGSTOP');
  const stuck = caught.get('/inc');
  for (let number = 2; number <= 10; number++) assert.equal(await free.number('/inc'), number);
  assert.equal((await stuck).status, 504);
  await cut;
  assert.deepEqual((await reasons(2)).toSorted(), [
    ['/inc', 'upstream-silent'],
    ['/stream', 'upstream-silent'],
  ]);
  for (const user of [caught, reader])
    assert.equal(await user.number('/inc'), 2, 'the frozen sidecar has stored nothing meanwhile');
  pod.sidecar.process.signal('SIGCONT');
  for (const user of [caught, reader]) assert.equal(await user.number('/inc'), 3);
  await deployment.gatewaysKnowPods();
  for (const user of [caught, reader]) assert.equal(await user.number('/inc'), 4);
  assert.equal(await free.number('/inc'), 11);
});

test('an unplugged node: a request on a connection that was open is a 504 soon, and the session goes on elsewhere', async (t) => {
  const { deployment, pod, caught, reader, free, reasons } = await users(t, { faultProxies: true });
  // One after the other, so that each leaves an open connection behind.
  for (const user of [caught, reader]) assert.equal(await user.number('/inc'), 2);
  await pod.network!.set({ kind: 'silent' }, 'data', 'peer');
  assert.equal((await caught.get('/inc')).status, 504);
  assert.deepEqual(await reasons(1), [['/inc', 'upstream-silent']]);
  assert.equal(await free.number('/inc'), 2);
  for (const user of [caught, reader]) assert.equal(await user.number('/inc'), 3);
  await pod.network!.set({ kind: 'pass' }, 'data', 'peer');
  await deployment.gatewaysKnowPods();
  for (const user of [caught, reader]) assert.equal(await user.number('/inc'), 4);
});
