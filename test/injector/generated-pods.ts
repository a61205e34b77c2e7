/** Pods by chance, for properties: everything that the injector looks at, in combinations that nobody would write. */

import { fc } from '../support/properties.ts';
import type { Pod } from '../../src/injector/pod.ts';

const port = fc.constantFrom(80, 8080, 9000, 9001);
const portName = fc.constantFrom('http', 'web', 'metrics', 'peer', 'probes');
const seconds = fc.integer({ min: 1, max: 40 });
const path = fc.constantFrom(
  '/',
  '/var/www/html',
  '/var/www/html/storage/',
  '/var/www/html/storage/framework/sessions',
  '/tmp',
);

const portReference = fc.oneof(port, portName);
const probe = fc.oneof(
  fc.record({ httpGet: fc.record({ path: fc.constant('/up'), port: portReference }), periodSeconds: seconds }),
  fc.record({ tcpSocket: fc.record({ port: portReference }) }),
  fc.record({ exec: fc.constant({ command: ['true'] }) }),
);
const lifecycle = fc.record(
  {
    preStop: fc.oneof(
      fc.record({ sleep: fc.record({ seconds }) }),
      fc.record({ httpGet: fc.record({ path: fc.constant('/stop'), port: portReference }) }),
      fc.constant({ exec: { command: ['true'] } }),
    ),
    postStart: fc.record({ httpGet: fc.record({ port: portReference }) }),
  },
  { requiredKeys: [] },
);

const ports = fc.uniqueArray(
  fc.record(
    { name: portName, containerPort: port, protocol: fc.constantFrom('TCP', 'UDP'), hostPort: fc.constant(31_000) },
    { requiredKeys: ['containerPort'] },
  ),
  { maxLength: 3, selector: ({ containerPort }) => containerPort },
);
const uniquelyNamed = ports.map((list) => {
  const seen = new Set<string>();
  return list.map(({ name, ...rest }) => {
    if (name === undefined || seen.has(name)) return rest;
    seen.add(name);
    return { name, ...rest };
  });
});

const volumeNames = ['data', 'cache', 'holdfast-sessions', 'holdfast-admin'] as const;
const mount = fc.record(
  {
    name: fc.constantFrom(...volumeNames),
    mountPath: path,
    subPath: fc.constantFrom('a', 'a/b'),
    readOnly: fc.boolean(),
  },
  { requiredKeys: ['name', 'mountPath'] },
);

const securityContext = fc.record(
  { runAsUser: fc.constantFrom(33, 10_001), runAsGroup: fc.constant(44), runAsNonRoot: fc.constant(true) },
  { requiredKeys: [] },
);

const container = fc.record(
  {
    image: fc.constant('app:1'),
    ports: uniquelyNamed,
    env: fc.constantFrom(
      [{ name: 'APP_KEY', value: 'base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' }],
      [
        { name: 'APP_KEY', valueFrom: { secretKeyRef: { name: 'app', key: 'k' } } },
        { name: 'OTHER', value: '1' },
      ],
    ),
    volumeMounts: fc.uniqueArray(mount, { maxLength: 3, selector: ({ mountPath }) => mountPath }),
    readinessProbe: probe,
    livenessProbe: probe,
    lifecycle,
    securityContext,
    workingDir: fc.constant('/srv'),
  },
  { requiredKeys: ['image'] },
);

/** Names of the form that a whole pod may have once only. */
const named = (prefix: string, minLength: number, maxLength: number) =>
  fc
    .array(container, { minLength, maxLength })
    .map((list) => list.map((one, index) => ({ name: `${prefix}-${index}`, ...one })));

const annotations = fc.record(
  {
    'holdfast.dev/preset': fc.constantFrom('laravel', 'laravel', 'php', 'plain'),
    'holdfast.dev/directory': path,
    'holdfast.dev/port': fc.constantFrom('http', 'web', '9000', '8081'),
    'holdfast.dev/container': fc.constantFrom('app-0', 'app-1'),
    'holdfast.dev/cookie': fc.constant('sid'),
    'holdfast.dev/keys': fc.constant('app/k'),
    'holdfast.dev/drain': fc.constantFrom('5s', '90s'),
    'holdfast.dev/config': fc.constant('shop'),
    'holdfast.dev/uid': fc.constantFrom('0', '33'),
    'example.com/other': fc.constant('stays'),
    'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes': fc.constant('data'),
  },
  { requiredKeys: ['holdfast.dev/preset'] },
);

const spec = fc.record(
  {
    containers: named('app', 1, 3),
    initContainers: named('init', 0, 2),
    securityContext,
    terminationGracePeriodSeconds: fc.integer({ min: 1, max: 90 }),
    serviceAccountName: fc.constant('default'),
    hostNetwork: fc.constant(false),
  },
  { requiredKeys: ['containers'] },
);

/** Pods that ask for a sidecar; their volumes exist. Most, not all, can have one. */
export const generatedPods = fc
  .record({ annotations, spec, kind: fc.constantFrom('emptyDir', 'emptyDir', 'configMap') })
  .map(({ annotations: more, spec: rest, kind }) => ({
    metadata: {
      name: 'pod',
      labels: { app: 'shop', 'example.com/team': 'x' },
      annotations: { 'holdfast.dev/inject': 'true', 'holdfast.dev/port': 'http', ...more },
    },
    spec: {
      ...rest,
      volumes: volumeNames.map((name) =>
        name === 'cache' && kind === 'configMap' ? { name, configMap: { name: 'c' } } : { name, emptyDir: {} },
      ),
    },
  }))
  // Plain objects, as JSON gives them.
  .map((pod) => JSON.parse(JSON.stringify(pod)) as Pod);
