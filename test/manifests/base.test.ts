/**
 * manifests/base without a cluster: its configurations are usable, and what two files say about the same thing
 * agrees. manifests/image/check and a real cluster say the rest.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { chartFiles, chartFolder } from './chart.ts';

interface Container {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: unknown; readonly exec?: unknown } };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number };
}

interface PodSpec {
  readonly enableServiceLinks?: boolean;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly replicas: number; readonly template: { readonly spec: PodSpec } };
}

const repository = join(import.meta.dirname, '../..');
const base = join(repository, 'manifests/base');

const gateway = workload('gateway/gateway.yaml', 'Deployment');
const application = workload('application/application.yaml', 'StatefulSet');
const podSpecs = [gateway, application].map((resource) => resource.spec.template.spec);
const sidecar = application.spec.template.spec.initContainers?.[0];

/** The directory that a pod mounts, with the files of its volume. */
const mounted = '/etc/holdfast/';
const secrets = {
  'store-url': 'redis://redis:6379',
  'store-key': 'c29tZSBzZWNyZXQgb2YgMzIgYnl0ZXMgaW4gYmFzZTY0',
  'app-key': 'base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
};

for (const [role, part] of [
  ['gateway', 'gateway'],
  ['sidecar', 'application'],
] as const) {
  test(`the ${role}'s configuration is usable with the files and variables that its pod has`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-manifests-'));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const [name, text] of Object.entries(secrets)) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, 'config.yaml'), read(`${part}/config.yaml`).replaceAll(mounted, `${folder}/`));
    const env = role === 'sidecar' ? { POD_NAME: 'application-0', POD_UID: 'a-b-c', POD_IP: '10.1.2.3' } : {};
    const args = ['src/cli.ts', 'check', '--config', join(folder, 'config.yaml')];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: repository, env, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
}

test('the gateway lists each replica once, by its stable name', () => {
  const { pods } = parse(read('gateway/config.yaml')) as { pods: { static: string[] } };
  const expected = Array.from({ length: application.spec.replicas }, (_, i) => {
    const name = `${application.metadata.name}-${i}`;
    return `${name}=${name}.application-pods.shop.svc.cluster.local:8080`;
  });
  assert.deepEqual(pods.static, expected);
});

test('every container runs restricted, with a read-only root', () => {
  for (const spec of podSpecs) {
    assert.equal(spec.securityContext?.['runAsNonRoot'], true);
    assert.deepEqual(spec.securityContext['seccompProfile'], { type: 'RuntimeDefault' });
    assert.equal(spec.enableServiceLinks, false);
    assert.equal(spec.automountServiceAccountToken, false);
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  }
});

test('the sidecar is a native one and shares the session directory, and nothing else, with the application', () => {
  const { sessions } = parse(read('application/config.yaml')) as { sessions: { directory: string } };
  const [app] = application.spec.template.spec.containers;
  assert.equal(sidecar?.restartPolicy, 'Always');
  const theirs = new Map(app?.volumeMounts?.map((mount) => [mount.name, mount.mountPath]));
  const shared = sidecar.volumeMounts?.filter((mount) => theirs.has(mount.name)) ?? [];
  assert.deepEqual(shared, [{ name: 'sessions', mountPath: sessions.directory }]);
  assert.equal(theirs.get('sessions'), sessions.directory);
});

test('probes ask the port that the configuration opens for them', () => {
  for (const [part, container] of [
    ['gateway', gateway.spec.template.spec.containers[0]],
    ['application', sidecar],
  ] as const) {
    const { probes } = parse(read(`${part}/config.yaml`)) as { probes: string };
    const port = Number(probes.split(':')[1]);
    assert.deepEqual(container?.startupProbe?.httpGet, { path: '/startz', port });
    assert.deepEqual(container.readinessProbe?.httpGet, { path: '/readyz', port });
    assert.deepEqual(container.livenessProbe?.httpGet, { path: '/livez', port });
  }
});

test('a pod that ends has the time it needs: its sleep, the drain, and five seconds', () => {
  const [app] = application.spec.template.spec.containers;
  assert.deepEqual(app?.lifecycle?.preStop?.sleep, { seconds: 5 });
  assert.notEqual(sidecar?.lifecycle?.preStop?.exec, undefined);
  for (const spec of podSpecs) assert.equal(spec.terminationGracePeriodSeconds, 5 + 20 + 5);
});

test('the Helm chart is what the kustomize files say (make docs writes it)', () => {
  for (const [name, content] of Object.entries(chartFiles())) {
    assert.equal(readFileSync(join(repository, 'manifests', chartFolder, name), 'utf8'), content, name);
  }
});

function read(file: string): string {
  return readFileSync(join(base, file), 'utf8');
}

function workload(file: string, kind: string): Resource {
  const documents = parseAllDocuments(read(file)).map((document) => document.toJS() as Resource);
  const found = documents.find((document) => document.kind === kind);
  assert.ok(found !== undefined, `${file} has no ${kind}`);
  return found;
}
