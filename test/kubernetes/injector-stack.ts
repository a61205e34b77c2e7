/**
 * The injector as manifests/overlays/injector deploys it, in a test's namespace, and the applications that it injects in
 * another one, which is the only one that it is asked about: tests of other people run in the same cluster.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { applicationSecrets } from '../support/applications.ts';
import { repositoryRoot } from '../support/processes.ts';
import { type ClusterHandle, handleVariable, type KubernetesObject, Namespace, plainPod } from './cluster.ts';
import { PlayedCertManager } from './played-cert-manager.ts';
import { redis } from './stack.ts';

export interface InjectorStack {
  /** Where the applications are, with a Redis and the Secrets `holdfast` and `application`. */
  readonly shop: Namespace;
  /** The name of its cluster-wide objects. */
  readonly name: string;
  /** Who keeps its certificate; undefined: the injector itself. */
  readonly certManager: PlayedCertManager | undefined;
}

/** Its own, with its life; or somebody else's, by manifests/components/cert-manager. */
export type CertificateChoice = { readonly days: number } | 'cert-manager';

/**
 * Pods of `shop` that ask and get no answer are refused, so that each one that is there has been looked at; ignoreFailures()
 * ends that.
 */
export async function deployInjector(
  t: TestContext,
  own: Namespace,
  certificate: CertificateChoice,
): Promise<InjectorStack> {
  const handle = JSON.parse(process.env[handleVariable] ?? '') as ClusterHandle;
  const shop = await Namespace.create(t, { ...handle });
  const name = `holdfast-injector-${own.name}`;
  const objects = await rendered(own, certificate);
  // Namespaces do not take what is cluster-wide along.
  t.after(async () => {
    for (const kind of clusterWide) await own.tryKubectl(['delete', kind, name, '--ignore-not-found', '--wait=false']);
  });
  const days = certificate === 'cert-manager' ? 1 : certificate.days;
  await own.apply(objects.map((object) => placed(object, { own, shop, name, days })));
  await shop.apply([...redis(shop.images.neighbours), ...secrets()]);
  const certManager = certificate === 'cert-manager' ? await PlayedCertManager.start(t, own) : undefined;
  await certManager?.issue();
  await certManager?.injectAuthority(name);
  await own.rolledOut('deployment/holdfast-injector');
  // It is Ready a moment before its Service leads there. Until then a pod that asks is refused.
  const asks = { inject: 'true', preset: 'php', directory: '/s', uid: '1', port: '9000' };
  const annotations = Object.fromEntries(Object.entries(asks).map(([key, value]) => [`holdfast.dev/${key}`, value]));
  const pod = plainPod('asks', { image: own.images.checker });
  const asking = { ...pod, metadata: { ...pod.metadata, namespace: shop.name, annotations } };
  await shop.until('the webhook is asked', async () => {
    const args = ['create', '--dry-run=server', '-o', 'json', '-f', '-'];
    const { stdout } = await shop.tryKubectl(args, { input: JSON.stringify(asking) });
    return stdout.includes('"holdfast.dev/sidecar"');
  });
  return { shop, name, certManager };
}

/** Without its namespace and what only cert-manager understands. */
async function rendered(own: Namespace, certificate: CertificateChoice): Promise<readonly KubernetesObject[]> {
  const manifests = join(repositoryRoot, 'manifests');
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-injector-'));
  const components =
    certificate === 'cert-manager' ? [relative(folder, join(manifests, 'components/cert-manager'))] : [];
  const resources = [relative(folder, join(manifests, 'overlays/injector'))];
  await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify({ resources, components }));
  const text = await own.kubectl(['kustomize', folder]).finally(() => rm(folder, { recursive: true }));
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject)
    .filter(({ kind, apiVersion }) => kind !== 'Namespace' && !apiVersion.startsWith('cert-manager.io/'));
}

/** The gateway of manifests/base in front of an injected application: pods of this Service of the shop's. */
export async function deployGateway(shop: Namespace, service: string): Promise<void> {
  const text = await shop.kubectl(['kustomize', join(repositoryRoot, 'manifests/base/gateway')]);
  const objects = parseAllDocuments(text).map((document) => {
    const object = JSON.stringify(document.toJS())
      .replaceAll('"namespace":"shop"', `"namespace":"${shop.name}"`)
      .replace('"image":"holdfast"', `"image":"${shop.images.holdfast}"`)
      .replace('service: application-pods', `service: ${service}`)
      .replace('"replicas":2', '"replicas":1');
    return JSON.parse(object) as KubernetesObject;
  });
  await shop.apply(objects);
  await shop.rolledOut('deployment/holdfast-gateway');
}

/** As the manifests have it. */
export async function ignoreFailures(own: Namespace, name: string): Promise<void> {
  const patch = [0, 1].map((index) => ({ op: 'replace', path: `/webhooks/${index}/failurePolicy`, value: 'Ignore' }));
  await own.kubectl(['patch', 'mutatingwebhookconfiguration', name, '--type=json', '-p', JSON.stringify(patch)]);
}

const clusterWide = ['mutatingwebhookconfiguration', 'clusterrole', 'clusterrolebinding'];

interface Place {
  readonly own: Namespace;
  readonly shop: Namespace;
  readonly name: string;
  readonly days: number;
}

function placed(object: KubernetesObject, { own, shop, name, days }: Place): KubernetesObject {
  const text = JSON.stringify(object)
    .replaceAll('"namespace":"holdfast-injector"', `"namespace":"${own.name}"`)
    .replaceAll('docker.io/local/holdfast:1', own.images.holdfast)
    .replace('"args":["injector"', `"args":["injector","--webhook","${name}","--certificate-days","${days}"`);
  const moved = JSON.parse(text) as KubernetesObject;
  if (moved.kind === 'ClusterRole')
    return renamed(moved, name, (rules) => rules.replace('["holdfast-injector"]', `["${name}"]`));
  if (moved.kind === 'ClusterRoleBinding') {
    return renamed(moved, name, (rest) =>
      rest.replace('"kind":"ClusterRole","name":"holdfast-injector"', `"kind":"ClusterRole","name":"${name}"`),
    );
  }
  if (moved.kind !== 'MutatingWebhookConfiguration') return moved;
  const hooks = moved['webhooks'] as readonly {
    readonly namespaceSelector: { readonly matchExpressions: readonly object[] };
  }[];
  const ours = { key: 'kubernetes.io/metadata.name', operator: 'In', values: [shop.name] };
  return {
    ...renamed(moved, name, (rest) => rest),
    webhooks: hooks.map((hook) => ({
      ...hook,
      // A test must not depend on how fast a busy machine is. The last of it is about Ignore.
      timeoutSeconds: 30,
      failurePolicy: 'Fail',
      namespaceSelector: { matchExpressions: [...hook.namespaceSelector.matchExpressions, ours] },
    })),
  };
}

function renamed(object: KubernetesObject, name: string, change: (rest: string) => string): KubernetesObject {
  const changed = JSON.parse(change(JSON.stringify(object))) as KubernetesObject;
  return { ...changed, metadata: { ...changed.metadata, name, namespace: '' } };
}

function secrets(): readonly KubernetesObject[] {
  const secret = (name: string, stringData: Readonly<Record<string, string>>): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    stringData,
  });
  return [
    secret('holdfast', {
      'store-url': 'redis://redis:6379',
      'store-key': 'an example store key, open to all who read',
    }),
    secret('application', { 'app-key': applicationSecrets['APP_KEY'] ?? '' }),
  ];
}
