/** manifests/overlays/injector without a cluster: it can block nobody, may do little, and fits the program's defaults. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { repositoryRoot } from '../support/processes.ts';

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [more: string]: unknown;
}

function resources(file: string): readonly Resource[] {
  const text = readFileSync(join(repositoryRoot, 'manifests/overlays/injector', file), 'utf8');
  return [...parseAllDocuments(text)].map((document) =>
    'toJS' in document ? (document.toJS() as Resource) : assert.fail(),
  );
}

function only(file: string, kind: string): Resource {
  const found = resources(file).find((resource) => resource.kind === kind);
  assert.ok(found !== undefined, `${file} has no ${kind}`);
  return found;
}

interface Webhooks {
  readonly webhooks: readonly {
    readonly name: string;
    readonly failurePolicy: string;
    readonly sideEffects: string;
    readonly clientConfig: {
      readonly service: { readonly name: string; readonly path: string };
      readonly caBundle?: string;
    };
    readonly namespaceSelector: {
      readonly matchExpressions: readonly {
        readonly key: string;
        readonly operator: string;
        readonly values: readonly string[];
      }[];
    };
    readonly matchConditions: readonly { readonly expression: string }[];
  }[];
}

test('no webhook can keep a pod from being created, and none is asked about the system, the injector, or who does not ask', () => {
  const { webhooks } = only('webhook.yaml', 'MutatingWebhookConfiguration') as Resource & Webhooks;
  assert.deepEqual(
    webhooks.map(({ clientConfig }) => clientConfig.service.path),
    ['/pods', '/workloads'],
  );
  for (const { failurePolicy, sideEffects, namespaceSelector, matchConditions, clientConfig } of webhooks) {
    assert.equal(failurePolicy, 'Ignore');
    assert.ok(['None', 'NoneOnDryRun'].includes(sideEffects));
    const [names] = namespaceSelector.matchExpressions;
    assert.deepEqual([names?.key, names?.operator], ['kubernetes.io/metadata.name', 'NotIn']);
    assert.deepEqual(names?.values, ['holdfast-injector', 'kube-system', 'kube-public', 'kube-node-lease']);
    assert.ok(matchConditions.some(({ expression }) => expression.includes("'holdfast.dev/inject' in")));
    assert.equal(clientConfig.caBundle, undefined);
  }
  // Under another name too.
  const { labels } = only('namespace.yaml', 'Namespace').metadata;
  assert.equal(labels?.['holdfast.dev/inject'], 'disabled');
});

interface Rules {
  readonly rules: readonly {
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

test('the injector may write one Secret and one webhook configuration, by their names, and reads no other Secret', () => {
  const said = (['Role', 'ClusterRole'] as const).flatMap((kind) =>
    (only('access.yaml', kind) as Resource & Rules).rules.map(({ resources: what, resourceNames = [], verbs }) =>
      [what.join(), resourceNames.join(), verbs.join()].join(' '),
    ),
  );
  assert.deepEqual(said, [
    'secrets holdfast-injector-certificate get,update',
    'mutatingwebhookconfigurations holdfast-injector get,update',
    'services  list',
    'events  create',
  ]);
});

test("the manifests' names are the program's defaults", () => {
  const { stdout } = spawnSync(process.execPath, ['src/cli.ts', 'injector', '--help'], {
    cwd: repositoryRoot,
    encoding: 'utf8',
  });
  const help = stdout.replace(/\s+/g, ' ');
  for (const [flag, value] of [
    ['service', only('injector.yaml', 'Service').metadata.name],
    ['webhook', only('webhook.yaml', 'MutatingWebhookConfiguration').metadata.name],
    ['secret', only('access.yaml', 'Secret').metadata.name],
  ] as const) {
    assert.match(help, new RegExp(`--${flag} <name>[^-]*\\(default: "${value}"\\)`));
  }
});

test('a replica that is not ready keeps no node from being drained', () => {
  const text = readFileSync(join(repositoryRoot, 'manifests/overlays/injector/injector.yaml'), 'utf8');
  const budget = parseAllDocuments(text)
    .map((document) => document.toJS() as { readonly kind: string; readonly spec: Record<string, unknown> })
    .find(({ kind }) => kind === 'PodDisruptionBudget');
  assert.equal(budget?.spec['unhealthyPodEvictionPolicy'], 'AlwaysAllow');
});
