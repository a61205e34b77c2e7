/**
 * The sidecar's life in a pod that makes it hard: no hooks tell it of the end, its session directory is a tmpfs, the application
 * is probed through it, and its container is killed while the application runs.
 */

import assert from 'node:assert/strict';
import { CheckerInPod, nothingLost } from './checker-in-pod.ts';
import { clusterTest } from './cluster.ts';
import type { KubernetesObject, Namespace } from './cluster.ts';
import { Stack } from './stack.ts';

interface Container {
  readonly name: string;
  readonly [key: string]: unknown;
}

interface PodSpec {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly Container[];
}

const sessions = '/var/www/html/storage/framework/sessions';
/** Machines are busy: a store that answers late is no store that is down. */
const timeouts = { store: '2s', lookup: '1s' };

/** The application's pods without hooks, on a tmpfs, probed through the sidecar, with one process namespace for both. */
function hard(object: KubernetesObject): KubernetesObject {
  if (object.kind !== 'Deployment' || object.metadata.name !== 'application') return object;
  const spec = object['spec'] as { readonly template: { readonly spec: PodSpec } };
  const { initContainers, containers, volumes } = spec.template.spec;
  const readinessProbe = { httpGet: { path: '/inc', port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 };
  const template = {
    ...spec.template,
    spec: {
      ...spec.template.spec,
      shareProcessNamespace: true,
      initContainers: initContainers.map(withoutHooks),
      containers: containers.map((container) => ({ ...withoutHooks(container), readinessProbe })),
      volumes: volumes.map((volume) =>
        volume.name === 'sessions' ? { name: volume.name, emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } } : volume,
      ),
    },
  };
  return { ...object, spec: { ...spec, template } };
}

function withoutHooks(container: Container): Container {
  return Object.fromEntries(Object.entries(container).filter(([key]) => key !== 'lifecycle')) as unknown as Container;
}

clusterTest('a sidecar whose pod has no hooks', async (t, namespace) => {
  const stack = await Stack.deploy(namespace, { change: hard, gateway: { timeouts }, sidecar: { timeouts } });
  // One of three, on which each of these is done.
  const [pod = ''] = await podNames(namespace);
  const start = (seed: number): Promise<CheckerInPod> =>
    CheckerInPod.start(t, namespace, {
      origins: [stack.origin],
      users: 6,
      application: stack.traits,
      seed,
      thinkMs: 60,
      timeoutMs: 30_000,
    });

  await t.test('the sessions that probes of the application make are files, and are not stored', async () => {
    await namespace.until('probes have made sessions', async () => {
      const files = await inApplication(namespace, pod, `ls ${sessions} | wc -l`);
      return Number(files) >= 3;
    });
    assert.equal(await metric(namespace, pod, 'keeper_creates_total'), 0);
    assert.equal(await metric(namespace, pod, 'sessions_known'), 0);
  });

  await t.test('kill -9 of a sidecar in its container loses no session', async () => {
    const checker = await start(21);
    await checker.more(60);
    await inApplication(
      namespace,
      pod,
      "for p in /proc/[0-9]*; do grep -qs '[h]oldfast' $p/cmdline && kill -9 ${p#/proc/}; done; :",
    );
    await namespace.until('its container was started again', async () => (await restarts(namespace, pod)) >= 1);
    await stack.settled();
    await checker.more(60);
    nothingLost(await checker.stop());
  });

  await t.test('a pod that is deleted without a word to its sidecar takes no session with it', async () => {
    const checker = await start(22);
    await checker.more(60);
    await namespace.kubectl(['delete', 'pod', pod, '--wait=false']);
    await namespace.until('it is gone', async () => !(await podNames(namespace)).includes(pod));
    await stack.settled();
    await checker.more(60);
    nothingLost(await checker.stop());
  });
});

async function podNames(namespace: Namespace): Promise<readonly string[]> {
  const { items } = await namespace.get<{ readonly items: readonly KubernetesObject[] }>(
    'pods',
    '-l',
    'app.kubernetes.io/name=application',
  );
  return items.map(({ metadata }) => metadata.name);
}

function inApplication(namespace: Namespace, pod: string, script: string): Promise<string> {
  return namespace.kubectl(['exec', pod, '-c', 'application', '--', 'sh', '-c', script]);
}

/** Of the sidecar's container. */
async function restarts(namespace: Namespace, pod: string): Promise<number> {
  const { status } = await namespace.get<{
    readonly status: { readonly initContainerStatuses?: readonly { readonly restartCount: number }[] };
  }>('pod', pod);
  return status.initContainerStatuses?.[0]?.restartCount ?? -1;
}

async function metric(namespace: Namespace, pod: string, name: string): Promise<number> {
  const text = await namespace.kubectl([
    'get',
    '--raw',
    `/api/v1/namespaces/${namespace.name}/pods/${pod}:9903/proxy/metrics`,
  ]);
  const value = new RegExp(`^holdfast_${name}(?:\\{[^}]*\\})? (\\d+)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`no metric ${name}`);
  return Number(value);
}
