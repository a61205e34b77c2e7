/**
 * manifests/base without a cluster: its configurations are usable, and what two files say about the same thing
 * agrees. manifests/image/check and a real cluster say the rest.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  readonly resources?: unknown;
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: unknown; readonly exec?: unknown } };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number };
  readonly timeoutSeconds?: number;
}

interface PodSpec {
  readonly enableServiceLinks?: boolean;
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

interface Deployment extends Resource {
  readonly spec: {
    readonly strategy: unknown;
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec };
  };
}

interface Service extends Resource {
  readonly spec: {
    readonly selector: object;
    readonly ports: readonly { readonly name: string; readonly port: number }[];
  };
}

interface NetworkPolicy extends Resource {
  readonly spec: {
    readonly egress: readonly { readonly to?: unknown; readonly ports: readonly { readonly port: number }[] }[];
  };
}

const repository = join(import.meta.dirname, '../..');
const base = join(repository, 'manifests/base');

const gateway = only('gateway/gateway.yaml', 'Deployment') as Deployment;
const application = only('application/application.yaml', 'Deployment') as Deployment;
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
    const env = role === 'sidecar' ? { POD_NAME: 'application-5f6b-x2x4z', POD_UID: 'a-b-c', POD_IP: '10.1.2.3' } : {};
    const args = ['src/cli.ts', 'check', '--config', join(folder, 'config.yaml')];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: repository, env, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
}

test("the gateway watches the Service of the application's pods, and has what it needs for that, and no more", () => {
  const { pods } = parse(read('gateway/config.yaml')) as { pods: { kubernetes: { service: string; port: string } } };
  const service = only('application/application.yaml', 'Service') as Service;
  assert.equal(service.metadata.name, pods.kubernetes.service);
  assert.deepEqual(service.spec.selector, application.spec.template.metadata.labels);
  const port = service.spec.ports.find(({ name }) => name === pods.kubernetes.port)?.port;
  assert.equal(sidecar?.ports?.find(({ name }) => name === 'http')?.containerPort, port);

  const role = only('gateway/access.yaml', 'Role') as Resource & { readonly rules: unknown };
  assert.deepEqual(role.rules, [
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  ]);
  // kustomize moves a binding's subject to another namespace only together with the account that it is.
  const { metadata } = only('gateway/access.yaml', 'ServiceAccount');
  const binding = only('gateway/access.yaml', 'RoleBinding') as Resource & { readonly subjects: unknown };
  assert.deepEqual(binding.subjects, [{ kind: 'ServiceAccount', name: metadata.name, namespace: metadata.namespace }]);
  assert.equal(metadata.namespace, 'shop');
  assert.equal(gateway.spec.template.spec.serviceAccountName, metadata.name);
  // A token for those that ask the API server, and a way there; for nobody else.
  assert.equal(gateway.spec.template.spec.automountServiceAccountToken, true);
  assert.equal(application.spec.template.spec.automountServiceAccountToken, false);
  const { egress } = (only('gateway/network-policy.yaml', 'NetworkPolicy') as NetworkPolicy).spec;
  const anywhere = egress.filter(({ to }) => to === undefined).flatMap(({ ports }) => ports.map((one) => one.port));
  assert.deepEqual(anywhere, [53, 53, 6379, 443, 6443]);
});

test('no pod is taken away by a rollout before another one is ready', () => {
  for (const { spec } of [gateway, application]) {
    assert.deepEqual(spec.strategy, { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
  }
});

test('every probe of the manifests waits longer than the second that a busy node needs', () => {
  const probes = globSync('{base,overlays,components}/**/*.yaml', { cwd: join(repository, 'manifests') }).flatMap(
    (file) =>
      parseAllDocuments(readFileSync(join(repository, 'manifests', file), 'utf8')).flatMap((document) =>
        probesIn(document.toJS()).map((probe) => ({ file, ...probe })),
      ),
  );
  assert.ok(probes.length >= 11, `only ${probes.length}`);
  for (const probe of probes) assert.ok((probe.timeoutSeconds ?? 1) >= 3, JSON.stringify(probe));
});

function probesIn(value: unknown): readonly Probe[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    /^(?:startup|readiness|liveness)Probe$/.test(key) ? [inner as Probe] : probesIn(inner),
  );
}

test('every container runs restricted, with a read-only root', () => {
  for (const spec of podSpecs) {
    assert.equal(spec.securityContext?.['runAsNonRoot'], true);
    assert.deepEqual(spec.securityContext['seccompProfile'], { type: 'RuntimeDefault' });
    assert.equal(spec.enableServiceLinks, false);
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

test("what the chart's values are by default is what the kustomize files say", () => {
  type Valued = Readonly<Record<'gateway' | 'sidecar' | 'application', { readonly resources: unknown }>>;
  const values = parse(readFileSync(join(repository, 'manifests', chartFolder, 'values.yaml'), 'utf8')) as Valued;
  const [app] = application.spec.template.spec.containers;
  assert.deepEqual(values.gateway.resources, gateway.spec.template.spec.containers[0]?.resources);
  assert.deepEqual(values.sidecar.resources, sidecar?.resources);
  assert.deepEqual(values.application.resources, app?.resources);
});

test('the Helm chart is what the kustomize files say (make docs writes it)', () => {
  for (const [name, content] of Object.entries(chartFiles())) {
    assert.equal(readFileSync(join(repository, 'manifests', chartFolder, name), 'utf8'), content, name);
  }
});

function read(file: string): string {
  return readFileSync(join(base, file), 'utf8');
}

function only(file: string, kind: string): Resource {
  const documents = parseAllDocuments(read(file)).map((document) => document.toJS() as Resource);
  const found = documents.filter((document) => document.kind === kind);
  assert.equal(found.length, 1, `${file} has ${found.length} of ${kind}`);
  return found[0]!;
}
