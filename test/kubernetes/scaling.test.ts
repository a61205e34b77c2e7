/**
 * What operators and nodes do to pods, under users who count: nothing of theirs is ever lost, and no request fails for what is
 * done in order.
 */

import type { TestContext } from 'node:test';
import { CheckerInPod, nothingFailed, nothingLost } from './checker-in-pod.ts';
import type { Judgement } from './checker-in-pod.ts';
import { clusterTest } from './cluster.ts';
import type { KubernetesObject, Namespace } from './cluster.ts';
import { Stack } from './stack.ts';

interface Pod extends KubernetesObject {
  readonly status: {
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly restartCount: number;
      readonly lastState?: { readonly terminated?: { readonly reason: string } };
      readonly state?: { readonly waiting?: { readonly reason: string } };
    }[];
  };
}

/** Machines are busy: a store that answers late is no store that is down. */
const timeouts = { store: '2s', lookup: '1s' };
const answersBetween = 60;

/** Users who count while `disturb` does something; begins and ends with answers for everybody. */
async function underLoad(
  t: TestContext,
  { namespace, stack, seed }: { readonly namespace: Namespace; readonly stack: Stack; readonly seed: number },
  disturb: (checker: CheckerInPod) => Promise<void>,
): Promise<Judgement> {
  namespace.tellsOfFailure(t);
  const checker = await CheckerInPod.start(t, namespace, {
    origins: [stack.origin],
    users: 6,
    application: stack.traits,
    seed,
    thinkMs: 60,
    timeoutMs: 30_000,
  });
  await checker.more(answersBetween);
  await disturb(checker);
  await checker.more(answersBetween);
  const judgement = await checker.stop();
  t.diagnostic(`${judgement.verdict.answers} answers, ${JSON.stringify(judgement.verdict.errors)}`);
  return judgement;
}

clusterTest('behind a gateway', async (t, namespace) => {
  const stack = await Stack.deploy(namespace, { gateway: { timeouts }, sidecar: { timeouts } });
  const given = { namespace, stack };

  await t.test('a rollout of the application fails no request and loses nothing', async (t) => {
    const judgement = await underLoad(t, { ...given, seed: 1 }, async () => {
      await namespace.kubectl(['rollout', 'restart', stack.application]);
      await stack.settled();
    });
    nothingFailed(judgement);
  });

  await t.test('scaling from 3 to 6 and down to 2 fails no request and loses nothing', async (t) => {
    const judgement = await underLoad(t, { ...given, seed: 2 }, async (checker) => {
      await stack.scaleTo(6);
      await checker.more(answersBetween);
      await stack.scaleTo(2);
    });
    nothingFailed(judgement);
    await stack.scaleTo(3);
  });

  await t.test(
    'a drained node, pod after pod evicted within a disruption budget, fails no request and loses nothing',
    async (t) => {
      const judgement = await underLoad(t, { ...given, seed: 3 }, async () => {
        for (const name of await podNames(namespace, 'application')) await evict(namespace, name);
        await stack.settled();
      });
      nothingFailed(judgement);
    },
  );

  await t.test('a rollout of the gateways fails no request', async (t) => {
    const judgement = await underLoad(t, { ...given, seed: 4 }, async () => {
      await namespace.kubectl(['rollout', 'restart', stack.gateway]);
      await stack.settled();
    });
    nothingFailed(judgement);
  });

  await t.test('a pod that is deleted by force, without a grace period, takes no session with it', async (t) => {
    const judgement = await underLoad(t, { ...given, seed: 5 }, async () => {
      const [, name] = await podNames(namespace, 'application');
      await namespace.kubectl(['delete', 'pod', name!, '--force', '--grace-period=0']);
      await stack.settled();
    });
    nothingLost(judgement);
  });

  await t.test('an application that the memory limit kills loses no session', async (t) => {
    const judgement = await underLoad(t, { ...given, seed: 6 }, async () => {
      await namespace.fetch(`${stack.origin}/memory?mb=4096`);
      await namespace.until('an application was killed by its memory limit', async () =>
        (await pods(namespace)).some((pod) => application(pod)?.lastState?.terminated?.reason === 'OOMKilled'),
      );
      await stack.settled();
    });
    nothingLost(judgement);
  });

  await t.test(
    'a rollout to an application that crashes in a loop, taken back, fails no request and loses nothing',
    async (t) => {
      const judgement = await underLoad(t, { ...given, seed: 7 }, async () => {
        await stack.changeCommand(['/bin/false']);
        await namespace.until('a pod crashes in a loop', async () =>
          (await pods(namespace)).some((pod) => (application(pod)?.restartCount ?? 0) >= 2),
        );
        await stack.undo();
      });
      nothingFailed(judgement);
    },
  );
});

clusterTest('sidecars alone, behind a Service', async (t, namespace) => {
  const stack = await Stack.deploy(namespace, {
    gateways: 0,
    sidecar: { timeouts: { ...timeouts, handoff: '6s' } },
    change: withLongHook,
  });
  const given = { namespace, stack };

  await t.test('a rollout fails no request and loses nothing', async (t) => {
    const judgement = await underLoad(t, { ...given, seed: 11 }, async () => {
      await namespace.kubectl(['rollout', 'restart', stack.application]);
      await stack.settled();
    });
    nothingFailed(judgement);
  });

  await t.test('scaling from 3 to 4 and down to 2 fails no request and loses nothing', async (t) => {
    const judgement = await underLoad(t, { ...given, seed: 12 }, async (checker) => {
      await stack.scaleTo(4);
      await checker.more(answersBetween);
      await stack.scaleTo(2);
    });
    nothingFailed(judgement);
    await stack.scaleTo(3);
  });

  await t.test('a pod that is deleted by force takes no session with it', async (t) => {
    const judgement = await underLoad(t, { ...given, seed: 13 }, async () => {
      const [name] = await podNames(namespace, 'application');
      await namespace.kubectl(['delete', 'pod', name!, '--force', '--grace-period=0']);
      await stack.settled();
    });
    nothingLost(judgement);
  });
});

/**
 * The application sleeps 15 s before it is told to end instead of 5. Without a gateway only the sidecar's own hook tells it that
 * the pod ends, and that is a process which the kubelet has to start: at a load of 30 on two processors it came after 6 to 7 s.
 * By then applications had ended under requests, and what PHP's own server had managed to answer was cut all the same (rules 12).
 */
function withLongHook(object: KubernetesObject): KubernetesObject {
  if (object.metadata.name !== 'application') return object;
  const text = JSON.stringify(object)
    .replace('"sleep":{"seconds":5}', '"sleep":{"seconds":15}')
    .replace('"terminationGracePeriodSeconds":30', '"terminationGracePeriodSeconds":40');
  return JSON.parse(text) as KubernetesObject;
}

async function pods(namespace: Namespace): Promise<readonly Pod[]> {
  const list = await namespace.get<{ readonly items: readonly Pod[] }>(
    'pods',
    '-l',
    'app.kubernetes.io/name=application',
  );
  return list.items;
}

async function podNames(namespace: Namespace, app: string): Promise<readonly string[]> {
  const text = await namespace.kubectl(['get', 'pods', '-l', `app.kubernetes.io/name=${app}`, '-o', 'name']);
  return text
    .trim()
    .split('\n')
    .map((name) => name.replace('pod/', ''));
}

function application(pod: Pod) {
  return pod.status.containerStatuses?.find(({ name }) => name === 'application');
}

/** As kubectl drain does it: asks again for as long as the budget refuses. */
async function evict(namespace: Namespace, name: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace.name}/pods/${name}/eviction`;
  const input = JSON.stringify({
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace: namespace.name },
  });
  await namespace.until(`${name} may be evicted`, async () => {
    await namespace.kubectl(['create', '--raw', path, '-f', '-'], { input });
    return true;
  });
}
