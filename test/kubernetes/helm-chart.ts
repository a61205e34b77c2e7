/**
 * The Helm chart renders the objects of the overlays, and the API server takes them. Run by `make helm-test`, which gets Helm;
 * it is no part of the suite, because building Helm takes minutes.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { repositoryRoot } from '../support/processes.ts';
import { clusterTest } from './cluster.ts';
import type { KubernetesObject, Namespace } from './cluster.ts';

const manifests = join(repositoryRoot, 'manifests');
const withoutParts = ['gateway.enabled=false', 'application.enabled=false'];

/** Each overlay and the values that make it. */
const variants: readonly (readonly [overlay: string, ...values: string[]])[] = [
  ['overlays/gateway'],
  ['overlays/sidecar', 'gateway.enabled=false'],
  ['overlays/redis', 'redis.enabled=true', ...withoutParts],
  ['overlays/example-laravel', 'redis.enabled=true'],
  ['overlays/monitoring', 'monitoring.enabled=true', ...withoutParts],
];

clusterTest(
  'the Helm chart renders the objects of each overlay, and the API server takes them',
  async (_t, namespace) => {
    for (const [overlay, ...values] of variants) {
      const rendered = await helm('template', ...values.flatMap((value) => ['--set', value]));
      const wanted = await namespace.kubectl(['kustomize', join(manifests, overlay)]);
      assert.deepEqual(comparable(rendered), comparable(wanted), overlay);
      if (overlay !== 'overlays/monitoring') await take(namespace, rendered);
    }
    const scaled = objects(
      await helm('template', '--set', 'gateway.autoscaling.enabled=true,gateway.config.log.level=debug'),
    );
    const gateway = scaled.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'holdfast-gateway');
    assert.equal((gateway?.['spec'] as { readonly replicas?: number }).replicas, undefined);
    assert.ok(scaled.some(({ kind }) => kind === 'HorizontalPodAutoscaler'));
    const configMap = scaled.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'holdfast-gateway');
    assert.match(JSON.stringify(configMap), /level: debug/);
    await helm('lint');
  },
);

async function helm(command: string, ...args: readonly string[]): Promise<string> {
  const program = process.env['HELM'];
  if (!program) throw new Error('HELM names no Helm: use make helm-test');
  const chart = join(manifests, 'helm/holdfast');
  const words =
    command === 'template'
      ? [command, 'trial', chart, '--namespace', 'shop', '--kube-version', '1.30.0']
      : [command, chart];
  const { stdout } = await promisify(execFile)(program, [...words, ...args], { maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

async function take(namespace: Namespace, rendered: string): Promise<void> {
  const text = rendered.replaceAll('namespace: shop', `namespace: ${namespace.name}`);
  await namespace.kubectl(['apply', '--dry-run=server', '-f', '-'], { input: text });
}

function objects(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

/** By kind and name; configurations by what they say. Helm leaves the namespace to the release, which has it already. */
function comparable(text: string): Readonly<Record<string, unknown>> {
  const found = objects(text)
    .filter(({ kind }) => kind !== 'Namespace')
    .map((object) => {
      const metadata = { ...object.metadata, namespace: undefined };
      const data = object['data'] as Readonly<Record<string, string>> | undefined;
      const read = Object.fromEntries(
        Object.entries(data ?? {}).map(([name, content]) => [name, parse(content) as unknown]),
      );
      return [
        `${object.kind} ${metadata.name}`,
        { ...object, metadata, ...(data === undefined ? {} : { data: read }) },
      ] as const;
    });
  return Object.fromEntries(found.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
