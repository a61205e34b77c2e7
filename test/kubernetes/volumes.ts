/**
 * Session directories on a volume that all pods mount, as many an old installation has them: each pod a directory of its own
 * there works; one directory for all is refused by the second pod, before it could hurt anybody. Not one of the suite's files,
 * which has no time left:
 *
 *   make kubernetes FILES=test/kubernetes/volumes.ts
 */

import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import type { TestContext } from 'node:test';
import { CheckerInPod, nothingFailed, nothingLost } from './checker-in-pod.ts';
import { clusterTest, type KubernetesObject, type Namespace } from './cluster.ts';
import { Stack } from './stack.ts';

const claim = 'shared-sessions';
const directory = '/var/www/html/storage/framework/sessions';
/** A second sidecar waits as long as the first may take to end. */
const timeouts = { store: '2s', lookup: '1s', drain: '3s' };

interface Container {
  readonly name: string;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly env?: readonly { readonly name: string }[];
}

interface Template {
  readonly spec: {
    readonly initContainers: readonly Container[];
    readonly containers: readonly Container[];
    readonly volumes: readonly { readonly name: string }[];
  };
}

clusterTest('sessions on a volume that all pods mount', async (t, namespace) => {
  await sharedVolume(t, namespace);
  const stack = await Stack.deploy(namespace, {
    pods: 2,
    gateway: { timeouts },
    sidecar: { timeouts },
    change: (object) => (isApplication(object) ? mounted(object, { subPathExpr: '$(POD_NAME)' }) : object),
  });
  const start = (seed: number): Promise<CheckerInPod> => {
    const counted = { users: 6, application: stack.traits, seed, thinkMs: 60, timeoutMs: 30_000 };
    return CheckerInPod.start(t, namespace, { origins: [stack.origin], ...counted });
  };

  await t.test('with a directory for each pod a rollout fails no request and loses nothing', async () => {
    const checker = await start(81);
    await checker.more(60);
    await namespace.kubectl(['rollout', 'restart', stack.application]);
    await stack.settled();
    await checker.more(60);
    nothingFailed(await checker.stop());
  });

  await t.test(
    'with one directory for all the second pod is refused and says why, and users notice nothing',
    async () => {
      const checker = await start(82);
      await checker.more(60);
      const [object] = await namespace
        .get<{ items: readonly KubernetesObject[] }>('deployments,statefulsets')
        .then(({ items }) => items.filter(isApplication));
      const { template } = (mounted(object!, {}) as unknown as { readonly spec: { readonly template: Template } }).spec;
      await namespace.kubectl([
        'patch',
        stack.application,
        '--type=merge',
        '-p',
        JSON.stringify({ spec: { template } }),
      ]);
      const words = await namespace.until('a sidecar ended because another one has the directory', () =>
        refusal(namespace),
      );
      assert.ok(words.includes(`${directory}: each pod needs one of its own`), words);
      await checker.more(60);
      nothingLost(await checker.stop());
    },
  );
});

function isApplication({ kind, metadata }: KubernetesObject): boolean {
  return metadata.name === 'application' && (kind === 'StatefulSet' || kind === 'Deployment');
}

/** Both containers see the claim, or a part of it, as the session directory. */
function mounted(object: KubernetesObject, part: { readonly subPathExpr?: string }): KubernetesObject {
  const spec = object['spec'] as { readonly template: Template };
  const { initContainers, containers, volumes } = spec.template.spec;
  const podName = { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };
  const withMount = (container: Container): Container => ({
    ...container,
    env: [podName, ...(container.env ?? []).filter(({ name }) => name !== 'POD_NAME')],
    volumeMounts: (container.volumeMounts ?? []).map((mount) =>
      mount.mountPath === directory ? { name: mount.name, mountPath: directory, ...part } : mount,
    ),
  });
  const template = {
    ...spec.template,
    spec: {
      ...spec.template.spec,
      initContainers: initContainers.map(withMount),
      containers: containers.map(withMount),
      volumes: volumes.map(({ name, ...volume }) =>
        name === 'sessions' ? { name, persistentVolumeClaim: { claimName: claim } } : { name, ...volume },
      ),
    },
  };
  return { ...object, spec: { ...spec, template } };
}

/** The last words of a sidecar that was refused its directory; on a busy node the kubelet may first have lost patience with it. */
async function refusal(namespace: Namespace): Promise<string | undefined> {
  const names = await namespace.kubectl(['get', 'pods', '-l', 'app.kubernetes.io/name=application', '-o', 'name']);
  for (const name of names.trim().split('\n')) {
    const { stdout } = await namespace.tryKubectl(['logs', name, '-c', 'holdfast', '--previous']);
    const line = stdout.split('\n').find((text) => text.includes('directory-in-use'));
    if (line !== undefined) return line;
  }
  return undefined;
}

/**
 * A volume of the node's own disk and a claim of it, by hand: nobody provisions volumes here. Its folder is made, opened to
 * all, and removed by a pod in a namespace of its own, since it has to be root.
 */
async function sharedVolume(t: TestContext, namespace: Namespace): Promise<void> {
  const name = `${namespace.name}-node`;
  const path = `/var/tmp/${namespace.name}-sessions`;
  const script = `mkdir -m 2777 /node/$1; trap 'rm -rf /node/$1; exit 0' TERM; sleep 3600 & wait`;
  const maker = {
    name: 'maker',
    image: namespace.images.neighbours,
    command: ['sh', '-c', script, 'sh', basename(path)],
    readinessProbe: { exec: { command: ['test', '-d', `/node/${basename(path)}`] }, periodSeconds: 1 },
    securityContext: { runAsUser: 0 },
    volumeMounts: [{ name: 'node', mountPath: '/node' }],
  };
  const size = { storage: '1Gi' };
  t.after(async () => {
    await namespace.tryKubectl(['delete', 'namespace', name, '--wait=false']);
    await namespace.tryKubectl(['delete', 'persistentvolume', name, '--wait=false']);
  });
  await namespace.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, namespace: '' } }]);
  const pod = { containers: [maker], volumes: [{ name: 'node', hostPath: { path: dirname(path) } }] };
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'maker' }, spec: pod });
  // The last of two options counts.
  await namespace.kubectl(['apply', '--namespace', name, '-f', '-'], { input });
  await namespace.apply([
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name, namespace: '' },
      spec: {
        capacity: size,
        accessModes: ['ReadWriteMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: '',
        claimRef: { namespace: namespace.name, name: claim },
        hostPath: { path, type: 'Directory' },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claim },
      spec: { accessModes: ['ReadWriteMany'], storageClassName: '', volumeName: name, resources: { requests: size } },
    },
  ]);
  await namespace.kubectl(['wait', '--namespace', name, '--for=condition=Ready', 'pod/maker', '--timeout=50s']);
}
