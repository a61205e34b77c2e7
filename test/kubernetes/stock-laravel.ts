/**
 * The example Laravel application as its owner would deploy it, who has not heard of Holdfast: a Deployment with a readiness
 * probe, and a Service. By its annotations the injector finds it.
 *
 * Must not know what tests do with it.
 */

import type { KubernetesObject } from './cluster.ts';

const asksForSidecar = {
  'holdfast.dev/inject': 'true',
  'holdfast.dev/preset': 'laravel',
  'holdfast.dev/prefix': 'shop',
  'holdfast.dev/config': 'patience',
};

export interface LaravelOptions {
  readonly replicas: number;
  readonly targetPort: string | number;
  /** Of the pods; by default they ask for a sidecar. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export function laravelObjects(
  image: string,
  { replicas, targetPort, annotations = asksForSidecar }: LaravelOptions,
): readonly KubernetesObject[] {
  const labels = { app: 'shop' };
  // The injector makes the directory of the sessions where there is none.
  const own = annotations === asksForSidecar ? [] : ['/framework/sessions'];
  const directories = ['', '/framework/cache', '/framework/views', ...own].map((path, index) => ({
    name: `storage-${index}`,
    mountPath: `/var/www/html/storage${path}`,
  }));
  const container = {
    name: 'php',
    image,
    imagePullPolicy: 'IfNotPresent',
    env: [
      { name: 'LISTEN', value: '0.0.0.0:9000' },
      { name: 'SESSION_DRIVER', value: 'file' },
      { name: 'LOG_CHANNEL', value: 'stderr' },
      { name: 'APP_KEY', valueFrom: { secretKeyRef: { name: 'application', key: 'app-key' } } },
    ],
    ports: [{ name: 'http', containerPort: 9000 }],
    readinessProbe: { tcpSocket: { port: 'http' }, periodSeconds: 1, timeoutSeconds: 5 },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: [...directories, { name: 'temporary', mountPath: '/tmp' }],
  };
  const volumes = [...directories, { name: 'temporary' }].map(({ name }) => ({ name, emptyDir: {} }));
  // Machines are busy: a store that answers late is no store that is down.
  const data = { 'config.yaml': 'timeouts: { store: 2s, lookup: 1s }' };
  const securityContext = { runAsNonRoot: true, runAsUser: 10_001, seccompProfile: { type: 'RuntimeDefault' } };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'shop' },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels, annotations },
          spec: { automountServiceAccountToken: false, securityContext, containers: [container], volumes },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'shop' },
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort }] },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'patience' }, data },
  ];
}
