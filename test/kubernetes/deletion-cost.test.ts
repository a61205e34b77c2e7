/**
 * What a gateway that lists its pods does for them besides: the real ReplicaSet controller takes the pods with the fewest
 * sessions (`pods.kubernetes.deletionCost`), and a sidecar that no hook tells of its end hears of it.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { repositoryRoot } from '../support/processes.ts';
import { clusterTest, endGroup } from './cluster.ts';
import type { KubernetesObject, Namespace } from './cluster.ts';
import { Stack } from './stack.ts';

interface Pod extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly annotations?: Readonly<Record<string, string>> };
  readonly status: { readonly podIP: string };
}

const cost = 'controller.kubernetes.io/pod-deletion-cost';

/** The sidecar's hook goes: the gateway's word has to do. */
function withoutHook(object: KubernetesObject): KubernetesObject {
  if (object.kind !== 'Deployment' || object.metadata.name !== 'application') return object;
  const text = JSON.stringify(object).replace(/"lifecycle":\{"preStop":\{"exec":[^}]*\}\}\}?,/, '');
  return JSON.parse(text) as KubernetesObject;
}

clusterTest('a Deployment that is scaled in loses the pods with the fewest sessions', async (t, namespace) => {
  const rights = await readFile(join(repositoryRoot, 'manifests/components/deletion-cost/role.yaml'), 'utf8');
  const roles = parseAllDocuments(rights.replaceAll('shop', namespace.name)).map(
    (document) => document.toJS() as KubernetesObject,
  );
  await namespace.apply(roles);
  const kubernetes = { service: 'application-pods', port: 'http', deletionCost: true };
  await Stack.deploy(namespace, { change: withoutHook, gateways: 1, gateway: { pods: { kubernetes } } });
  const pods = await application(namespace);
  assert.equal(pods.length, 3);
  // By their addresses, so that each has as many as the test wants; the one in the middle has the most.
  const wanted = [3, 9, 1];
  const script =
    'for (const url of process.argv.slice(1)) { const answer = await fetch(url); if (!answer.ok) throw new Error(answer.status); await answer.text(); }';
  const urls = pods.flatMap(({ status }, index) =>
    Array.from({ length: wanted[index]! }, () => `http://${status.podIP}:8080/inc`),
  );
  await namespace.inside(['node', '--input-type=module', '-e', script, ...urls]);
  await namespace.until('each pod has its number', async () => {
    const costs = (await application(namespace)).map(({ metadata: { annotations } }) => annotations?.[cost]);
    return JSON.stringify(costs) === JSON.stringify(wanted.map(String));
  });
  const heard = pods.map(({ metadata: { name } }) => follow(t, namespace, name));
  await namespace.until('their logs are followed', () => Promise.resolve(heard.every((said) => said() !== '')));
  await namespace.kubectl(['scale', 'deployment/application', '--replicas=1']);
  await namespace.until('one is left', async () => (await application(namespace)).length === 1);
  assert.equal((await application(namespace))[0]!.metadata.name, pods[1]!.metadata.name);
  const isTold = (index: number): boolean => heard[index]!().includes('a gateway says that this pod is terminating');
  await namespace.until('the two that went were told by a gateway', () => Promise.resolve(isTold(0) && isTold(2)));
  assert.ok(!isTold(1), 'the one that stays was told too');
});

/** What a pod's sidecar has said, from its beginning on. */
function follow(t: TestContext, namespace: Namespace, pod: string): () => string {
  const logs = namespace.startKubectl(['logs', '-f', pod, '-c', 'holdfast']);
  t.after(() => endGroup(logs));
  let text = '';
  logs.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
  return () => text;
}

/** In the order of their names. */
async function application(namespace: Namespace): Promise<readonly Pod[]> {
  const { items } = await namespace.get<{ readonly items: readonly Pod[] }>(
    'pods',
    '-l',
    'app.kubernetes.io/name=application',
  );
  return items.toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
}
