/** What a pod gets with its sidecar, and what becomes of the application's own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { injectPod } from '../../src/injector/inject-pod.ts';
import { containerOf, injected, laravelPod, options, sidecarOf, variablesOf } from './pods.ts';

const sessions = '/var/www/html/storage/framework/sessions';

test('a pod that does not ask is left alone, whatever shape it has', () => {
  for (const given of [
    { metadata: {}, spec: {} },
    { spec: 1 },
    null,
    laravelPod({ annotations: { inject: 'false' } }),
  ]) {
    assert.deepEqual(injectPod(given, options), { kind: 'unchanged' });
  }
});

test("the sidecar is a native one, behind the application's init containers, and the last of them", () => {
  const { pod } = injected(laravelPod({ spec: { initContainers: [{ name: 'prepare', image: 'x' }] } }));
  assert.deepEqual(
    pod.spec.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy]),
    [
      ['prepare', undefined],
      ['holdfast', 'Always'],
    ],
  );
});

test("the application's port loses its name to the sidecar and keeps its number; its probes and hooks go to the number", () => {
  const { pod, port } = injected(
    laravelPod({
      container: {
        readinessProbe: { httpGet: { path: '/up', port: 'http' }, periodSeconds: 3 },
        livenessProbe: { tcpSocket: { port: 'http' } },
        startupProbe: { grpc: { port: 9000 } },
        lifecycle: { postStart: { httpGet: { path: '/warm', port: 'http' } } },
      },
    }),
  );
  const php = containerOf(pod);
  assert.deepEqual(php.ports, [{ containerPort: 9000 }]);
  assert.deepEqual(php.readinessProbe, { httpGet: { path: '/up', port: 9000 }, periodSeconds: 3 });
  assert.deepEqual(php.livenessProbe, { tcpSocket: { port: 9000 } });
  assert.deepEqual(php.startupProbe, { grpc: { port: 9000 } });
  assert.deepEqual(php.lifecycle?.postStart, { httpGet: { path: '/warm', port: 9000 } });
  assert.deepEqual(sidecarOf(pod).ports?.[0], { name: 'http', containerPort: 9900, protocol: 'TCP' });
  assert.deepEqual(port, { number: 9000, name: 'http' });
});

test('a name that another container has too is taken from it, and that is said', () => {
  const exporter = {
    name: 'exporter',
    ports: [{ name: 'http', containerPort: 9100 }],
    livenessProbe: { httpGet: { port: 'http' } },
  };
  const given = laravelPod({ annotations: { container: 'php', port: '9000' } });
  const { pod, warnings } = injected({
    ...given,
    spec: { ...given.spec, containers: [...given.spec.containers, exporter] },
  });
  assert.deepEqual(containerOf(pod, 'exporter').ports, [{ containerPort: 9100 }]);
  assert.deepEqual(containerOf(pod, 'exporter').livenessProbe, { httpGet: { port: 9100 } });
  assert.ok(warnings.some((words) => words.includes('exporter')));
});

test("with php-fpm behind a web server the port is the one's and the sessions are the other's", () => {
  const nginx = {
    name: 'nginx',
    image: 'n',
    ports: [{ name: 'web', containerPort: 8080 }],
    securityContext: { runAsUser: 101 },
  };
  const fpm = {
    name: 'fpm',
    image: 'f',
    securityContext: { runAsUser: 33, runAsGroup: 34 },
    volumeMounts: [{ name: 'sessions', mountPath: '/var/lib/php/sessions/' }],
  };
  const annotations = { preset: 'php', directory: '/var/lib/php/sessions', port: 'web' };
  const { pod } = injected(
    laravelPod({ annotations, spec: { containers: [nginx, fpm], volumes: [{ name: 'sessions', emptyDir: {} }] } }),
  );
  const sidecar = sidecarOf(pod);
  assert.deepEqual([sidecar.securityContext?.runAsUser, sidecar.securityContext?.runAsGroup], [33, 34]);
  assert.deepEqual(sidecar.volumeMounts?.[0], { name: 'sessions', mountPath: '/var/lib/php/sessions' });
  assert.equal(variablesOf(sidecar)['HOLDFAST_APPLICATION'], '127.0.0.1:8080');
  for (const name of ['nginx', 'fpm']) {
    assert.deepEqual(containerOf(pod, name).lifecycle?.preStop, { sleep: { seconds: 5 } });
  }
});

test('without a volume there, both containers get a new one', () => {
  const { pod } = injected(laravelPod());
  assert.deepEqual(containerOf(pod).volumeMounts, [{ name: 'holdfast-sessions', mountPath: sessions }]);
  assert.deepEqual(sidecarOf(pod).volumeMounts?.[0], { name: 'holdfast-sessions', mountPath: sessions });
  assert.deepEqual(pod.spec.volumes?.[0], { name: 'holdfast-sessions', emptyDir: { sizeLimit: '512Mi' } });
  assert.equal(
    pod.metadata?.annotations?.['cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes'],
    'holdfast-sessions,holdfast-admin',
  );
});

test('of a volume that covers more than the sessions the sidecar mounts only them', () => {
  const volumeMounts = [
    { name: 'www', mountPath: '/var/www' },
    { name: 'data', mountPath: '/var/www/html/storage/', subPath: 'shop/' },
  ];
  const volumes = [
    { name: 'www', emptyDir: {} },
    { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
  ];
  const { pod, warnings } = injected(laravelPod({ container: { volumeMounts }, spec: { volumes } }));
  const [mount] = sidecarOf(pod).volumeMounts ?? [];
  assert.deepEqual(mount, { name: 'data', mountPath: sessions, subPath: 'shop/framework/sessions' });
  assert.deepEqual(containerOf(pod).volumeMounts, volumeMounts);
  assert.ok(warnings.some((words) => words.startsWith('volume data (persistentVolumeClaim) must not be shared')));
});

test("a StatefulSet's own claims are each pod's own, and no cause for a warning", () => {
  const given = laravelPod({ container: { volumeMounts: [{ name: 'data', mountPath: sessions }] } });
  assert.deepEqual(injected(given, { claimTemplates: ['data'] }).warnings, []);
});

test('a directory of each pod in a volume of all is no cause for a warning; one of all by a variable of all is', () => {
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
  const warningsWith = (variable: object): readonly string[] => {
    const env = [...(laravelPod().spec.containers[0]?.env ?? []), { name: 'PART', ...variable }];
    const volumeMounts = [{ name: 'data', mountPath: sessions, subPathExpr: '$(PART)' }];
    return injected(laravelPod({ container: { env, volumeMounts }, spec: { volumes } })).warnings;
  };
  assert.deepEqual(warningsWith({ valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }), []);
  assert.match(warningsWith({ value: 'shop' }).join(), /must not be shared: .* by subPathExpr: \$\(POD_NAME\)/);
  assert.equal(warningsWith({ valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }).length, 1);
});

test('a mount by subPathExpr is shared with the variables that it names', () => {
  const env = [
    ...(laravelPod().spec.containers[0]?.env ?? []),
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ];
  const volumeMounts = [{ name: 'data', mountPath: '/var/www/html/storage', subPathExpr: 'pods/$(POD)' }];
  const given = laravelPod({ container: { env, volumeMounts }, spec: { volumes: [{ name: 'data', emptyDir: {} }] } });
  const sidecar = sidecarOf(injected(given).pod);
  assert.equal(sidecar.volumeMounts?.[0]?.subPathExpr, 'pods/$(POD)/framework/sessions');
  assert.ok(sidecar.env?.some(({ name }) => name === 'POD'));
});

test("the application's key comes as the application has it, or as files from named Secrets", () => {
  const byVariable = sidecarOf(injected(laravelPod()).pod);
  assert.equal(variablesOf(byVariable)['HOLDFAST_SESSION_KEYS'], '["env:APP_KEY"]');
  assert.deepEqual(
    byVariable.env?.find(({ name }) => name === 'APP_KEY'),
    laravelPod().spec.containers[0]?.env?.[0],
  );

  const { pod } = injected(laravelPod({ annotations: { keys: 'shop/new, old/app.key' } }));
  const keys = variablesOf(sidecarOf(pod))['HOLDFAST_SESSION_KEYS'];
  assert.equal(keys, '["file:/etc/holdfast/secrets/application-key-0","file:/etc/holdfast/secrets/application-key-1"]');
  assert.deepEqual(pod.spec.volumes?.find(({ name }) => name === 'holdfast-secrets')?.['projected'], {
    defaultMode: 0o444,
    sources: [
      {
        secret: {
          name: 'holdfast',
          items: [
            { key: 'store-url', path: 'store-url' },
            { key: 'store-key', path: 'store-key-0' },
          ],
        },
      },
      { secret: { name: 'shop', items: [{ key: 'new', path: 'application-key-0' }] } },
      { secret: { name: 'old', items: [{ key: 'app.key', path: 'application-key-1' }] } },
    ],
  });
});

test('keys in rotation are a list, with the key that names sessions', () => {
  const annotations = { store: 'sessions', 'store-keys': 'new,old', 'name-key': 'old' };
  const variables = variablesOf(sidecarOf(injected(laravelPod({ annotations })).pod));
  assert.equal(
    variables['HOLDFAST_STORE_KEY'],
    '["file:/etc/holdfast/secrets/store-key-0","file:/etc/holdfast/secrets/store-key-1"]',
  );
  assert.equal(variables['HOLDFAST_STORE_NAME_KEY'], 'file:/etc/holdfast/secrets/name-key');
});

test('the grace period is raised to what sleep and drain take, and never lowered', () => {
  const grace = (changes: Parameters<typeof laravelPod>[0]): number | null | undefined =>
    injected(laravelPod(changes)).pod.spec.terminationGracePeriodSeconds;
  assert.equal(grace({}), undefined);
  assert.equal(grace({ spec: { terminationGracePeriodSeconds: 10 } }), 30);
  assert.equal(grace({ spec: { terminationGracePeriodSeconds: 120 } }), 120);
  assert.equal(grace({ annotations: { drain: '1m' } }), 70);
  assert.equal(grace({ container: { lifecycle: { preStop: { sleep: { seconds: 15 } } } } }), 40);
});

test("a preStop hook of the application's own stays, and a word is said about it", () => {
  const lifecycle = { preStop: { exec: { command: ['nginx', '-s', 'quit'] } } };
  const { pod, warnings } = injected(laravelPod({ container: { lifecycle } }));
  assert.deepEqual(containerOf(pod).lifecycle, lifecycle);
  assert.ok(warnings.some((words) => words.includes('preStop')));
});

test('a port of the node moves with the name', () => {
  const { pod } = injected(laravelPod({ container: { ports: [{ name: 'http', containerPort: 9000, hostPort: 80 }] } }));
  assert.deepEqual(containerOf(pod).ports, [{ containerPort: 9000 }]);
  assert.equal(sidecarOf(pod).ports?.[0]?.hostPort, 80);
});

test('a port without a name gets one, which the pod has not used yet', () => {
  const ports = [{ containerPort: 9000 }, { name: 'http', containerPort: 53, protocol: 'UDP' }];
  const { port } = injected(laravelPod({ container: { ports } }));
  assert.deepEqual(port, { number: 9000, name: 'holdfast-http' });
});

test('annotations win over defaults, and defaults over the table', () => {
  const defaults = { ...options.defaults, replicate: 'async', store: 'other', 'memory-limit': '1Gi' };
  const { pod } = injected(laravelPod({ annotations: { replicate: 'sync' } }), { defaults });
  assert.equal(variablesOf(sidecarOf(pod))['HOLDFAST_SESSIONS_REPLICATE'], 'sync');
  assert.deepEqual(sidecarOf(pod)['resources'], {
    requests: { cpu: '50m', memory: '128Mi' },
    limits: { memory: '1Gi' },
  });
  assert.ok(JSON.stringify(pod.spec.volumes).includes('"other"'));
});

test('a ConfigMap is mounted and read; the drain of the preStop goes by the socket that the pod names', () => {
  const sidecar = sidecarOf(injected(laravelPod({ annotations: { config: 'shop' } })).pod);
  assert.deepEqual(sidecar['args'], ['run', '--config', '/etc/holdfast/config/config.yaml']);
  const socket = variablesOf(sidecar)['HOLDFAST_ADMIN']?.replace('unix:', '');
  assert.deepEqual(sidecar.lifecycle?.preStop, {
    exec: { command: ['/usr/local/bin/holdfast', 'drain', '--socket', socket] },
  });
});

test('without a prefix, and where others reach the port, there is a warning', () => {
  const given = laravelPod({ container: { readinessProbe: { httpGet: { port: 9000 } } } });
  delete given.metadata?.annotations?.['holdfast.dev/prefix'];
  const { warnings } = injected(given, { services: undefined });
  assert.equal(warnings.length, 3, warnings.join('; '));
  assert.ok(warnings.every((words) => words.length < 200));
});

test('no limit is below its request: it is raised to it, by amount and not by spelling', () => {
  const resources = (annotations: Readonly<Record<string, string>>): unknown =>
    sidecarOf(injected(laravelPod({ annotations })).pod)['resources'];
  assert.deepEqual(resources({ memory: '512Mi' }), {
    requests: { cpu: '50m', memory: '512Mi' },
    limits: { memory: '512Mi' },
  });
  assert.deepEqual(resources({ cpu: '1.5', 'cpu-limit': '900m', memory: '1000Mi', 'memory-limit': '1Gi' }), {
    requests: { cpu: '1.5', memory: '1000Mi' },
    limits: { cpu: '1.5', memory: '1Gi' },
  });
});

test('a sidecar has a limit of processor time where all containers of its pod bring one, unless a LimitRange gives it or somebody says none', () => {
  const limited = { resources: { limits: { cpu: 1, memory: '1Gi' } } };
  const prepares = (resources: object): object => ({ initContainers: [{ name: 'prepare', image: 'p:1', resources }] });
  const written = (text: string): object => ({ 'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${text}` });
  const limitOf = (changes: Parameters<typeof laravelPod>[0], more: object = {}): unknown => {
    const given = laravelPod(changes);
    Object.assign(given.metadata?.annotations ?? {}, more);
    const { limits } = sidecarOf(injected(given).pod)['resources'] as { limits: { cpu?: string } };
    return limits.cpu;
  };
  assert.equal(limitOf({ container: limited }), '500m');
  assert.equal(limitOf({}), undefined);
  assert.equal(limitOf({ container: { resources: { limits: { memory: '1Gi' } } } }), undefined);
  assert.equal(limitOf({ container: limited, spec: prepares({}) }), undefined);
  assert.equal(limitOf({ container: limited, spec: prepares(limited.resources) }), '500m');
  assert.equal(limitOf({ container: limited, annotations: { 'cpu-limit': 'none' } }), undefined);
  assert.equal(limitOf({ container: limited, annotations: { 'cpu-limit': '2' } }), '2');
  assert.equal(limitOf({ container: limited, annotations: { cpu: '900m' } }), '900m');
  const both = 'cpu, memory request for container php; cpu, memory limit for container php';
  assert.equal(limitOf({ container: limited }, written(both)), undefined);
  assert.equal(limitOf({ container: limited }, written('cpu request for container php')), '500m');
  assert.equal(limitOf({ container: limited }, written('memory limit for init container cpu')), '500m');
});
