/** The webhook over TLS, asked as the API server asks. */

import assert from 'node:assert/strict';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { type TestContext, test } from 'node:test';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { makeCertificate } from '../../src/injector/certificate-maker.ts';
import { pointerSteps } from '../../src/injector/json-patch.ts';
import type { PatchOperation } from '../../src/injector/json-patch.ts';
import { ReviewServer } from '../../src/injector/review-server.ts';
import { readService } from '../../src/injector/services.ts';
import type { SkippedPod } from '../../src/injector/skip-events.ts';
import { Webhook } from '../../src/injector/webhook.ts';
import { until } from '../support/until.ts';
import { laravelPod, options } from './pods.ts';

const name = 'holdfast-injector.ns.svc';

function pair() {
  return makeCertificate({ names: [name], nowMs: Date.now(), lifetimeMs: 86_400_000 });
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

interface Running {
  readonly server: ReviewServer;
  readonly metrics: Metrics;
  readonly skipped: SkippedPod[];
  readonly authority: string;
  readonly port: number;
  readonly ask: (
    path: string,
    body: string,
    more?: { readonly method?: string; readonly type?: string },
  ) => Promise<Answer>;
}

async function running(t: TestContext, services: readonly unknown[] = []): Promise<Running> {
  const log = createLog({ level: 'silent' });
  const metrics = new Metrics();
  const skipped: SkippedPod[] = [];
  const webhook = new Webhook({
    ...options,
    log,
    metrics,
    servicesOf: () => Promise.resolve(services.flatMap((service) => readService(service) ?? [])),
    tellSkipped: (pod) => void skipped.push(pod),
  });
  const server = new ReviewServer({
    listen: { host: '127.0.0.1', port: 0 },
    log,
    handlers: { '/pods': (review) => webhook.pod(review), '/workloads': (review) => webhook.workload(review) },
  });
  const { authority, ...shown } = await pair();
  server.show(shown);
  const { port } = await server.listen();
  t.after(() => server.close());
  const ask: Running['ask'] = (path, body, { method = 'POST', type = 'application/json' } = {}) =>
    new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port,
          servername: name,
          ca: authority,
          path,
          method,
          headers: { 'content-type': type },
          agent: false,
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });
  return { server, metrics, skipped, authority, port, ask };
}

/** As the API server of Kubernetes 1.36 sends it, shortened to what it always has. */
function review(object: unknown, more: object = {}): string {
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: '2d1b1b0c-5bd4-4a28-8e9e-3a0f4f6a5a11',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'shop',
      operation: 'CREATE',
      userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...more,
    },
  });
}

interface Response {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patchType?: string;
  readonly patch?: string;
  readonly warnings?: readonly string[];
}

function responseOf({ status, text }: Answer): Response {
  assert.equal(status, 200, text);
  const answer = JSON.parse(text) as { readonly kind: string; readonly response: Response };
  assert.equal(answer.kind, 'AdmissionReview');
  assert.equal(answer.response.uid, '2d1b1b0c-5bd4-4a28-8e9e-3a0f4f6a5a11');
  assert.equal(answer.response.allowed, true);
  return answer.response;
}

const pod = { apiVersion: 'v1', kind: 'Pod', ...laravelPod() };
const owned = {
  ...pod,
  metadata: {
    ...pod.metadata,
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'shop-1', uid: 'u', controller: true }],
  },
};
const byNumber = {
  metadata: { name: 'shop' },
  spec: { selector: { app: 'shop' }, ports: [{ port: 80, targetPort: 9000 }] },
};

test('a pod that asks gets its sidecar as a patch that touches nothing else', async (t) => {
  const { ask } = await running(t);
  const { patchType, patch, warnings } = responseOf(await ask('/pods', review(pod)));
  assert.equal(patchType, 'JSONPatch');
  assert.equal(warnings, undefined);
  const operations = JSON.parse(Buffer.from(patch ?? '', 'base64').toString('utf8')) as readonly PatchOperation[];
  const paths = operations.map(({ op, path }) => `${op} ${pointerSteps(path).join(' ')}`);
  assert.deepEqual(paths.sort(), [
    'add metadata annotations cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes',
    'add metadata labels holdfast.dev/sidecar',
    'add spec containers 0 lifecycle',
    'add spec containers 0 volumeMounts',
    'add spec initContainers',
    'add spec volumes',
    'remove spec containers 0 ports 0 name',
  ]);
});

test('a pod that can have none is allowed as it is, with the reason as a warning, as an Event and in the metrics', async (t) => {
  const { ask, skipped, metrics } = await running(t, [byNumber]);
  const { patch, warnings } = responseOf(await ask('/pods', review(owned)));
  assert.equal(patch, undefined);
  assert.deepEqual(warnings, ['holdfast: no sidecar (service-by-number): Service shop has targetPort 9000']);
  assert.deepEqual(
    skipped.map(({ namespace, reason }) => `${namespace} ${reason}`),
    ['shop service-by-number'],
  );
  assert.match(await metrics.text(), /holdfast_injector_skips_total\{reason="service-by-number"\} 1/);
  // Nothing may come of a dry run but its answer.
  responseOf(await ask('/pods', review(owned, { dryRun: true })));
  assert.equal(skipped.length, 1);
});

test('pods that do not ask, and objects without pods, are allowed without a word', async (t) => {
  const { ask } = await running(t);
  for (const [path, object] of [
    ['/pods', { kind: 'Pod', metadata: {}, spec: {} }],
    ['/pods', null],
    ['/workloads', { apiVersion: 'v1', kind: 'ConfigMap' }],
  ] as const) {
    const { patch, warnings } = responseOf(await ask(path, review(object)));
    assert.deepEqual([patch, warnings], [undefined, undefined]);
  }
});

test('for a Deployment whoever applies it hears what its pods will meet', async (t) => {
  const { ask, skipped } = await running(t, [byNumber]);
  const { spec, metadata } = laravelPod();
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop' },
    spec: { template: { metadata, spec } },
  };
  const { patch, warnings } = responseOf(await ask('/workloads', review(deployment)));
  assert.equal(patch, undefined);
  assert.match(warnings?.[0] ?? '', /service-by-number/);
  assert.deepEqual(skipped, []);
});

test('what is no review is refused, and the next one is answered', async (t) => {
  const { ask } = await running(t);
  assert.equal((await ask('/pods', '{')).status, 400);
  assert.equal(
    (await ask('/pods', JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1beta1' }))).status,
    400,
  );
  assert.equal((await ask('/pods', review(pod), { type: 'text/plain' })).status, 415);
  assert.equal((await ask('/pods', '', { method: 'GET' })).status, 405);
  assert.equal((await ask('/else', review(pod))).status, 404);
  assert.equal((await ask('/pods', ' '.repeat(8 * 1024 * 1024 + 1))).status, 413);
  responseOf(await ask('/pods', review(pod)));
});

test('what is small as text and large in memory is refused; a pod of a megabyte is not', async (t) => {
  const { ask } = await running(t);
  const withSpec = (more: object): string => review(laravelPod({ annotations: { prefix: 'shop' }, spec: more }));
  assert.equal((await ask('/pods', withSpec({ nothings: Array.from({ length: 330_000 }, () => ({})) }))).status, 413);
  const env = Array.from({ length: 10_000 }, (_, index) => ({ name: `VARIABLE_${index}`, value: 'x'.repeat(70) }));
  const large = laravelPod({ container: { env: [...(laravelPod().spec.containers[0]?.env ?? []), ...env] } });
  assert.ok(JSON.stringify(large).length > 1_000_000);
  responseOf(await ask('/pods', review(large)));
});

test('another certificate is shown from the next connection on, and the old one is not trusted any more', async (t) => {
  const { server, port, authority, ask } = await running(t);
  const next = await pair();
  server.show(next);
  const seen = await new Promise<string>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: name, ca: next.authority }, () => {
      resolve(socket.getPeerX509Certificate()?.toString() ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
  assert.equal(seen.trim(), next.certificate.trim());
  await assert.rejects(ask('/pods', review(pod)), /certificate|signature/);
  assert.notEqual(authority, next.authority);
});

test('bodies that never end can not take the memory: beyond a bound 503, and reviews go on once they are gone', async (t) => {
  const { ask, authority: ca, port } = await running(t);
  const options = { host: '127.0.0.1', port, servername: name, ca, agent: false } as const;
  const head = { path: '/pods', method: 'POST', headers: { 'content-type': 'application/json' } };
  const part = Buffer.alloc(3_900_000, ' ');
  const hanging = Array.from({ length: 9 }, () => request({ ...options, ...head }));
  const refused = hanging.map(
    (asked) =>
      new Promise<number | undefined>((resolve) => {
        asked.on('response', (response) => resolve(response.resume().statusCode));
        asked.on('error', () => undefined);
        asked.write(part);
      }),
  );
  assert.equal(await Promise.race(refused), 503);
  for (const asked of hanging) asked.destroy();
  await until(
    'a review is answered again',
    async () => (await ask('/pods', review(pod)).catch(() => undefined))?.status === 200,
  );
});
