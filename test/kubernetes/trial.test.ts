/** manifests/base in a real cluster: the application answers through gateway and sidecar, and counts. Without them it does not. */

import assert from 'node:assert/strict';
import { applications, applicationSecrets } from '../support/applications.ts';
import { CheckerInPod, nothingFailed, nothingLost } from './checker-in-pod.ts';
import { clusterTest } from './cluster.ts';
import { Stack } from './stack.ts';
import { laravelObjects } from './stock-laravel.ts';

clusterTest(
  'the base of the manifests serves users who count, and nothing of theirs is lost or fails',
  async (t, namespace) => {
    // Machines are busy: a store that answers late is no store that is down.
    const timeouts = { store: '2s', lookup: '1s' };
    const stack = await Stack.deploy(namespace, { gateway: { timeouts }, sidecar: { timeouts } });
    const { status, headers } = await namespace.fetch(`${stack.origin}/inc`);
    assert.equal(status, 200);
    assert.ok(headers.some(([name, value]) => name === 'set-cookie' && value.startsWith('hf_')));
    const checker = await CheckerInPod.start(t, namespace, {
      origins: [stack.origin],
      users: 6,
      application: stack.traits,
      seed: 61,
      thinkMs: 50,
      timeoutMs: 30_000,
    });
    await checker.more(300);
    nothingFailed(await checker.stop());
  },
);

clusterTest('without Holdfast the same users lose what they had, and are seen to', async (t, namespace) => {
  const stringData = { 'app-key': applicationSecrets['APP_KEY']! };
  await namespace.apply([
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'application' }, stringData },
    ...laravelObjects(namespace.images.laravel, { replicas: 2, targetPort: 'http', annotations: {} }),
  ]);
  await namespace.rolledOut('deployment/shop');
  const checker = await CheckerInPod.start(t, namespace, {
    origins: [`http://shop.${namespace.name}.svc.cluster.local`],
    users: 6,
    application: applications.laravel.traits,
    seed: 61,
    thinkMs: 50,
  });
  await namespace.until('a loss is seen', () => Promise.resolve(checker.violations > 0));
  const judgement = await checker.stop();
  assert.throws(() => nothingLost(judgement));
  assert.ok(judgement.verdict.violations.some(({ kind }) => kind === 'reset' || kind === 'lost-write'));
});
