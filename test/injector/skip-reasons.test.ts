/** Every reason of the table, by a pod that meets it: none is dead, and none is missing. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { injectPod, type InjectOptions } from '../../src/injector/inject-pod.ts';
import { type SkipReason, skipReasons } from '../../src/injector/skip-reasons.ts';
import { laravelPod, options } from './pods.ts';

type Case = readonly [words: string, given: unknown, more?: Partial<InjectOptions>];

const service = { metadata: { name: 'shop' }, spec: { selector: { app: 'shop' }, ports: [{ port: 9000 }] } };
const readOnly = { volumeMounts: [{ name: 'v', mountPath: '/var/www/html/storage', readOnly: true }] };
const inConfigMap = { volumeMounts: [{ name: 'v', mountPath: '/var/www/html/storage/framework/sessions' }] };

const cases: Readonly<Record<SkipReason, readonly Case[]>> = {
  'pod-unreadable': [
    ['no containers', { ...laravelPod(), spec: { containers: [] } }],
    ['text for a port', laravelPod({ container: { ports: [{ containerPort: 'http' as unknown as number }] } })],
  ],
  'not-a-server': [
    ['restartPolicy', laravelPod({ spec: { restartPolicy: 'OnFailure' } })],
    [
      "a Job's pod",
      {
        ...laravelPod(),
        metadata: {
          ...laravelPod().metadata,
          ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'u' }],
        },
      },
    ],
  ],
  'host-network': [['hostNetwork', laravelPod({ spec: { hostNetwork: true } })]],
  windows: [
    ['os', laravelPod({ spec: { os: { name: 'windows' } } })],
    ['node selector', laravelPod({ spec: { nodeSelector: { 'kubernetes.io/os': 'windows' } } })],
  ],
  'already-there': [
    ['a container of that name', laravelPod({ spec: { initContainers: [{ name: 'holdfast', image: 'x' }] } })],
  ],
  'annotation-invalid': [
    ['a name that does not exist', laravelPod({ annotations: { diretory: '/x' } })],
    ['a value that is none', laravelPod({ annotations: { uid: 'www-data' } })],
    ['a word for true', laravelPod({ annotations: { inject: 'yes' } })],
  ],
  'container-unknown': [
    ['no such container', laravelPod({ annotations: { container: 'apache' } })],
    ['several', laravelPod({ spec: { containers: [{ name: 'a' }, { name: 'b' }] } })],
  ],
  'port-unknown': [
    ['no such name', laravelPod({ annotations: { port: 'web' } })],
    ['no port', laravelPod({ container: { ports: [] } })],
    ['several', laravelPod({ container: { ports: [{ containerPort: 80 }, { containerPort: 81 }] } })],
    ['a number too high', laravelPod({ annotations: { port: '70000' } })],
  ],
  'port-taken': [
    ["the application's", laravelPod({ container: { ports: [{ name: 'http', containerPort: 9900 }] } })],
    ['twice', laravelPod({ annotations: { 'peer-port': '9903' } })],
  ],
  'preset-unknown': [['another framework', laravelPod({ annotations: { preset: 'rails' } })]],
  'cookie-unknown': [['preset plain', laravelPod({ annotations: { preset: 'plain', directory: '/s' } })]],
  'keys-unknown': [
    ['no variable', laravelPod({ container: { env: [] } })],
    ['made of others', laravelPod({ container: { env: [{ name: 'APP_KEY', value: '$(OTHER)' }] } })],
  ],
  'directory-unknown': [['preset php', laravelPod({ annotations: { preset: 'php' } })]],
  'directory-unusable': [
    ['mounted read-only', laravelPod({ container: readOnly, spec: { volumes: [{ name: 'v', emptyDir: {} }] } })],
    [
      'a ConfigMap',
      laravelPod({ container: inConfigMap, spec: { volumes: [{ name: 'v', configMap: { name: 'c' } }] } }),
    ],
    ["the sidecar's own place", laravelPod({ annotations: { directory: '/run/holdfast/x' } })],
    ['all of the file system', laravelPod({ annotations: { directory: '/..' } })],
  ],
  'uid-unknown': [['no runAsUser', laravelPod({ spec: { securityContext: {} } })]],
  'root-forbidden': [
    ['an annotation', laravelPod({ annotations: { uid: '0' }, spec: { securityContext: { runAsNonRoot: true } } })],
  ],
  'service-by-number': [['targetPort left out', laravelPod(), { services: [service] }]],
  'no-image': [['nobody names one', laravelPod(), { defaults: {} }]],
  'configuration-unusable': [
    ['what the sidecar would refuse', laravelPod({ annotations: { replicate: 'sometimes' } })],
  ],
};

for (const [reason, several] of Object.entries(cases)) {
  for (const [words, given, more] of several) {
    test(`${reason}: ${words}`, () => {
      const injection = injectPod(given, { ...options, ...more });
      if (injection.kind !== 'skipped') assert.fail(injection.kind);
      assert.equal(injection.reason, reason, injection.detail);
      assert.ok(injection.detail !== '' && injection.detail.length < 200);
    });
  }
}

test('what a pod lacks is named with the annotation that gives it', () => {
  for (const [reason, annotation] of [
    ['preset-unknown', 'annotate preset'],
    ['directory-unknown', 'annotate directory'],
    ['uid-unknown', 'annotate uid'],
    ['no-image', '--image'],
  ] as const) {
    const [, given, more] = cases[reason][0]!;
    const injection = injectPod(given, { ...options, ...more });
    assert.ok(injection.kind === 'skipped' && injection.detail.includes(annotation), reason);
  }
});

test('every reason has a sentence', () => {
  assert.deepEqual(Object.keys(cases).sort(), Object.keys(skipReasons).sort());
});
