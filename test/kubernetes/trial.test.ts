/** manifests/base in a real cluster: the application answers through gateway and sidecar, and counts. */

import assert from 'node:assert/strict';
import { CheckerInPod, nothingFailed } from './checker-in-pod.ts';
import { clusterTest } from './cluster.ts';
import { Stack } from './stack.ts';

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
