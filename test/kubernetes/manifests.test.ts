/** The manifests in a real cluster: the API server takes them all, docs/operations.md installs them, keys rotate by Secrets. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { applications } from '../support/applications.ts';
import { repositoryRoot } from '../support/processes.ts';
import { CheckerInPod, nothingFailed } from './checker-in-pod.ts';
import { clusterTest } from './cluster.ts';
import type { KubernetesObject, Namespace } from './cluster.ts';
import { withPatience } from './stack.ts';

const manifests = join(repositoryRoot, 'manifests');

clusterTest(
  'the API server takes every overlay, in a namespace that enforces restricted, and warns of nothing',
  async (_t, namespace) => {
    for (const overlay of [
      'base',
      'overlays/gateway',
      'overlays/sidecar',
      'overlays/redis',
      'overlays/example-laravel',
    ]) {
      const input = JSON.stringify(list(await rendered(namespace, overlay)));
      const { code, stderr } = await namespace.tryKubectl(['apply', '--dry-run=server', '-f', '-'], { input });
      assert.deepEqual([code, stderr], [0, ''], overlay);
    }
    const monitoring = await rendered(namespace, 'overlays/monitoring');
    // Their kinds are the Prometheus operator's, which is not here; a Prometheus has judged them in test/manifests.
    const known = monitoring.filter(({ apiVersion }) => !apiVersion.startsWith('monitoring.coreos.com/'));
    assert.equal(known.length, monitoring.length - 2);
    const input = JSON.stringify(list(known));
    await namespace.kubectl(['apply', '--dry-run=server', '-f', '-'], { input });
  },
);

clusterTest(
  "an overlay of one's own moves the gateway to another namespace with all that it may do, and takes every component",
  async (t, namespace) => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-overlay-'));
    t.after(() => rm(folder, { recursive: true }));
    const ours = (path: string): string => relative(realpathSync(folder), join(manifests, path));
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      namespace: namespace.name,
      resources: [ours('overlays/gateway')],
      components: ['autoscaling', 'deletion-cost', 'stateful-set'].map((name) => ours(`components/${name}`)),
    };
    await writeFile(join(folder, 'kustomization.yaml'), stringify(kustomization));
    const text = await namespace.kubectl(['kustomize', folder]);
    const objects = parseAllDocuments(text)
      .map((document) => document.toJS() as KubernetesObject & { readonly subjects?: readonly object[] })
      .filter(({ kind }) => kind !== 'Namespace');
    const subjects = objects.flatMap((object) => object.subjects ?? []);
    const gateway = { kind: 'ServiceAccount', name: 'holdfast-gateway', namespace: namespace.name };
    assert.deepEqual(subjects, [gateway, gateway]);
    assert.ok(objects.some(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'application'));
    const input = JSON.stringify(list(objects));
    const { code, stderr } = await namespace.tryKubectl(['apply', '--dry-run=server', '-f', '-'], { input });
    assert.deepEqual([code, stderr], [0, '']);
  },
);

clusterTest(
  'the five commands of docs/operations.md install the example, and store.key rotates by its Secret under users who count',
  async (t, namespace) => {
    const commands = installCommands();
    assert.equal(commands.length, 5);
    for (const command of commands.flatMap((line) => line.split(' && '))) await run(command, namespace);
    await namespace.rolledOut('deployment/application');
    const origin = `http://holdfast-gateway.${namespace.name}.svc.cluster.local`;
    const checker = await CheckerInPod.start(t, namespace, {
      origins: [origin],
      users: 4,
      application: applications.laravel.traits,
      seed: 67,
      thinkMs: 100,
      timeoutMs: 30_000,
    });
    await checker.more(40);
    const before = await pods(namespace);

    const stored = await namespace.get<SecretObject>('secret', 'holdfast');
    const old = Buffer.from(stored.data['store-key']!, 'base64').toString();
    const more = { 'store-key-2': 'a store key that comes by a Secret', 'name-key': old };
    await namespace.kubectl([
      'patch',
      'secret',
      'holdfast',
      '--type=merge',
      '-p',
      JSON.stringify({ stringData: more }),
    ]);
    const [first, second] = ['file:/etc/holdfast/store-key', 'file:/etc/holdfast/store-key-2'];
    for (const [step, key] of [[first, second], [second, first], [second]].entries()) {
      for (const name of ['holdfast-gateway', 'holdfast-sidecar']) await reconfigure(namespace, name, key);
      // The kubelet brings what has changed within a minute or so, or at once where a pod has changed.
      await namespace.kubectl([
        'annotate',
        'pods',
        '-l',
        'app.kubernetes.io/name in (holdfast-gateway, application)',
        `step=${step}`,
        '--overwrite',
      ]);
      for (const { ip } of before) {
        await namespace.until(`step ${step} is taken up`, async () => (await applied(namespace, ip)) > step);
      }
      await checker.more(40);
    }
    nothingFailed(await checker.stop());
    assert.deepEqual(await pods(namespace), before, 'nobody was restarted');
  },
);

interface SecretObject extends KubernetesObject {
  readonly data: Readonly<Record<string, string>>;
}

/** The lines of the first block below the heading, whole. */
function installCommands(): readonly string[] {
  const page = readFileSync(join(repositoryRoot, 'docs/operations.md'), 'utf8');
  const [, block = ''] = /## Install\n[^]*?```sh\n([^]*?)```/.exec(page) ?? [];
  return block.split('\n').filter((line) => line !== '');
}

/** As a shell would, with kubectl and images of this cluster, in this namespace. */
async function run(command: string, namespace: Namespace): Promise<void> {
  const script = `kubectl() { printf '%s\\0' "$@"; }\n${command.replaceAll('shop', namespace.name)}`;
  const args = execFileSync('bash', ['-euc', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
  // The test's own is there.
  if (args[0] === 'create' && args[1] === 'namespace') return;
  if (args[0] === 'apply') {
    const [, flag, folder] = args;
    assert.equal(flag, '-k');
    const objects = await rendered(namespace, folder!.replace(/^manifests\//, ''));
    await namespace.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list(objects.map(patient))) });
    return;
  }
  await namespace.kubectl(args, { timeoutMs: 600_000 });
}

/** An overlay's objects, for this namespace and its images. */
async function rendered(namespace: Namespace, overlay: string): Promise<readonly KubernetesObject[]> {
  const text = await namespace.kubectl(['kustomize', join(manifests, overlay)]);
  const { holdfast, laravel, neighbours } = namespace.images;
  const placed = text
    .replaceAll('namespace: shop', `namespace: ${namespace.name}`)
    .replaceAll('docker.io/local/holdfast:1', holdfast)
    .replaceAll('docker.io/local/laravel:1', laravel)
    .replaceAll('docker.io/library/redis:7.2', neighbours);
  return parseAllDocuments(placed)
    .map((document) => document.toJS() as KubernetesObject)
    .filter(({ kind }) => kind !== 'Namespace');
}

/** Machines are busy: a store that answers late is no store that is down. */
function patient(object: KubernetesObject): KubernetesObject {
  const given = JSON.parse(withPatience(JSON.stringify(object))) as KubernetesObject & {
    readonly data?: Readonly<Record<string, string>>;
  };
  const config = given.kind === 'ConfigMap' ? given.data?.['config.yaml'] : undefined;
  if (config === undefined) return given;
  const settings = parse(config) as { readonly timeouts?: object };
  const timeouts = { ...settings.timeouts, store: '2s', lookup: '1s' };
  return { ...given, data: { ...given.data, 'config.yaml': stringify({ ...settings, timeouts }) } };
}

function list(items: readonly KubernetesObject[]): object {
  return { apiVersion: 'v1', kind: 'List', items };
}

async function reconfigure(namespace: Namespace, name: string, key: readonly (string | undefined)[]): Promise<void> {
  const { data } = await namespace.get<SecretObject>('configmap', name);
  const settings = parse(data['config.yaml']!) as { readonly store: object };
  const store = { ...settings.store, key, nameKey: 'file:/etc/holdfast/name-key' };
  const text = stringify({ ...settings, store });
  await namespace.kubectl([
    'patch',
    'configmap',
    name,
    '--type=merge',
    '-p',
    JSON.stringify({ data: { 'config.yaml': text } }),
  ]);
}

interface PodSeen {
  readonly name: string;
  readonly ip: string;
  readonly restarts: number;
}

/** Gateways and application. */
async function pods(namespace: Namespace): Promise<readonly PodSeen[]> {
  interface Pod {
    readonly metadata: { readonly name: string };
    readonly status: {
      readonly podIP: string;
      readonly containerStatuses: readonly { readonly restartCount: number }[];
      readonly initContainerStatuses?: readonly { readonly restartCount: number }[];
    };
  }
  const selector = 'app.kubernetes.io/name in (holdfast-gateway, application)';
  const { items } = await namespace.get<KubernetesObject & { readonly items: readonly Pod[] }>('pods', '-l', selector);
  return items.map(({ metadata, status }) => ({
    name: metadata.name,
    ip: status.podIP,
    restarts: [...status.containerStatuses, ...(status.initContainerStatuses ?? [])].reduce(
      (sum, one) => sum + one.restartCount,
      0,
    ),
  }));
}

/** How many reloads a process has applied. */
async function applied(namespace: Namespace, ip: string): Promise<number> {
  const { text } = await namespace.fetch(`http://${ip}:9903/metrics`);
  return Number(/^holdfast_reloads_total\{result="applied"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}
