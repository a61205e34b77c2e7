/** The injector in a real cluster: asked by its API server, judged by its validation, and by an application that serves. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { injectPod } from '../../src/injector/inject-pod.ts';
import { type Container, type Pod, readPod } from '../../src/injector/pod.ts';
import { generatedPods } from '../injector/generated-pods.ts';
import { injected, laravelPod, options } from '../injector/pods.ts';
import { clusterTest, type KubernetesObject, type Namespace } from './cluster.ts';
import { deployGateway, deployInjector, ignoreFailures } from './injector-stack.ts';
import { laravelObjects } from './stock-laravel.ts';

/** Its certificate is exchanged after two thirds of that: about a minute. */
const shortLifeDays = 0.001;

clusterTest(
  'a Deployment gets its sidecars from the webhook, and keeps its sessions when a pod is deleted, by its Service and by a gateway',
  async (t, namespace) => {
    const { shop, name } = await deployInjector(t, namespace, { days: shortLifeDays });
    const first = await shownCertificate(namespace);
    await shop.apply(laravelObjects(shop.images.laravel, { replicas: 2, targetPort: 'http' }));
    await shop.rolledOut('deployment/shop');
    const before = await pods(shop);
    assert.deepEqual(before.map(sidecars), [1, 1]);

    // Each visit by the other way.
    await deployGateway(shop, 'shop');
    const visitor = await visit(shop, ['http://shop/inc', 'http://holdfast-gateway/inc']);
    assert.deepEqual([await visitor(), await visitor(), await visitor()], [1, 2, 3]);
    for (const { metadata } of before) {
      await shop.kubectl(['delete', 'pod', metadata.name, '--wait=false']);
      await shop.until('the pod is gone and replaced', async () => {
        const now = await pods(shop);
        return now.every((pod) => pod.metadata.name !== metadata.name) && now.filter(isReady).length === 2;
      });
      const counted = [await visitor(), await visitor()];
      t.diagnostic(`after the deletion of ${metadata.name}: ${counted.join(', ')}`);
      assert.equal(counted[1], (counted[0] ?? 0) + 1);
    }
    assert.equal(await visitor(), 8);

    // Meanwhile, or soon, another certificate is shown, and pods are injected all the same.
    await namespace.until('the certificate is exchanged', async () => (await shownCertificate(namespace)) !== first);
    await shop.kubectl(['scale', 'deployment/shop', '--replicas=3']);
    const three = await shop.until('there is a third pod', async () => {
      const now = await pods(shop);
      return now.length === 3 ? now : undefined;
    });
    assert.deepEqual(three.map(sidecars), [1, 1, 1]);

    // Nobody is there: pods are admitted at once, as they are.
    await ignoreFailures(namespace, name);
    await namespace.kubectl(['scale', 'deployment/holdfast-injector', '--replicas=0']);
    await namespace.until('the injector has no pods', async () => {
      // Those that are ending answer until they have ended.
      const { items } = await namespace.get<{ items: readonly unknown[] }>('pods', '-l', 'app.kubernetes.io/name');
      return items.length === 0;
    });
    const alone = { metadata: { name: 'alone', annotations: laravelAnnotations }, spec: three[0]?.spec };
    const bare: KubernetesObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      ...alone,
      spec: withoutSidecar(alone.spec as Pod['spec']),
    };
    // What the API server does about a webhook it learns by a watch, which may be late.
    await shop.until('it is admitted as it is', () => shop.apply([bare]).then(() => true));
    assert.equal(sidecars(await shop.get('pod', 'alone')), 0);
  },
);

clusterTest(
  "by cert-manager's certificate too, why pods get no sidecar is told to whoever applies a Deployment, and at its ReplicaSet",
  async (t, namespace) => {
    const { shop, certManager } = await deployInjector(t, namespace, 'cert-manager');
    const [deployment, service] = laravelObjects(shop.images.laravel, { replicas: 1, targetPort: 9000 });
    await shop.apply([service!]);
    const input = JSON.stringify({ ...deployment, metadata: { ...deployment?.metadata, namespace: shop.name } });
    const { code, stderr } = await shop.tryKubectl(['apply', '-f', '-'], { input });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Warning: holdfast: no sidecar \(service-by-number\): Service shop has targetPort 9000/);
    const event = await shop.until('an Event says it too', async () => {
      const { items } = await shop.get<{ items: readonly Event[] }>('events');
      return items.find(({ reason }) => reason === 'NoSidecar');
    });
    assert.equal(event.involvedObject.kind, 'ReplicaSet');
    assert.match(event.message, /service-by-number/);
    const [pod] = await shop.until('the pod is there all the same', () =>
      pods(shop).then((all) => (all.length > 0 ? all : undefined)),
    );
    assert.equal(sidecars(pod), 0);

    // Renewed: shown as soon as the kubelet has brought it, which a change of the pod hastens.
    const renewed = await certManager!.issue();
    await namespace.kubectl(['annotate', 'pods', '-l', 'app.kubernetes.io/name=holdfast-injector', 'renewed=true']);
    const wanted = new X509Certificate(renewed.certificate).fingerprint256;
    await namespace.until('each replica shows it', async () => {
      const shown = await Promise.all(
        (await pods(namespace)).map(({ status }) => certificateAt(namespace, status.podIP)),
      );
      return shown.length === 2 && shown.every((fingerprint) => fingerprint === wanted);
    });
    const another = input.replace('"name":"shop"', '"name":"another"');
    const { stderr: again } = await shop.tryKubectl(['create', '--dry-run=server', '-f', '-'], { input: another });
    assert.match(again, /no sidecar \(service-by-number\)/);
  },
);

clusterTest(
  'what the API server accepts as a pod it accepts with a sidecar, under Pod Security restricted',
  async (t, namespace) => {
    const generated = fc.sample(generatedPods, { numRuns: 400, seed: 6 }).map(restricted);
    const pairs = generated.flatMap((before, index) => {
      const injection = injectPod(before, { ...options, judge: () => [] });
      if (injection.kind !== 'injected') return [];
      return [{ before: named(before, index), after: named(injection.pod, index) }];
    });
    const accepted = await acceptedOf(
      namespace,
      pairs.map(({ before }) => before),
    );
    const chosen = pairs.filter(({ before }) => accepted.names.has(before.metadata.name));
    const judged = await acceptedOf(
      namespace,
      chosen.map(({ after }) => after),
    );
    t.diagnostic(`${chosen.length} of ${pairs.length} generated pods are valid without a sidecar`);
    assert.ok(chosen.length > 30, accepted.stderr.slice(0, 2000));
    const refused = chosen.filter(({ after }) => !judged.names.has(after.metadata.name));
    assert.deepEqual(
      refused.map(({ after }) => after.metadata.name),
      [],
      judged.stderr.slice(0, 4000),
    );

    // A quota refuses pods with a container that has no limit: who brings one for each of his gets one for the sidecar.
    const hard = { 'limits.cpu': '4', 'limits.memory': '4Gi', 'requests.cpu': '4', 'requests.memory': '4Gi' };
    await namespace.apply([{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'all' }, spec: { hard } }]);
    const amounts = { cpu: '100m', memory: '64Mi' };
    const limited = restricted(laravelPod({ container: { resources: { limits: amounts, requests: amounts } } }));
    const { pod } = injected(limited);
    // By itself it is refused as long as nobody has counted what the quota leaves.
    await namespace.until('the quota is counted', async () =>
      (await acceptedOf(namespace, [named(limited, 0)])).names.has('generated-0'),
    );
    const { names, stderr } = await acceptedOf(namespace, [named(pod, 1)]);
    assert.ok(names.has('generated-1'), stderr);
  },
);

const laravelAnnotations = { 'holdfast.dev/inject': 'true', 'holdfast.dev/preset': 'laravel' };

interface Event {
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string };
}

interface RunningPod extends KubernetesObject {
  readonly spec: Pod['spec'];
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** Of the application, or of the injector: those that are not being deleted. */
async function pods(namespace: Namespace): Promise<readonly RunningPod[]> {
  const others = 'app notin (redis,toolbox),app.kubernetes.io/name!=holdfast-gateway';
  const { items } = await namespace.get<{ items: readonly RunningPod[] }>('pods', '-l', others);
  return items.filter(({ metadata }) => metadata['deletionTimestamp'] === undefined);
}

function sidecars(pod: unknown): number {
  const read = readPod(pod);
  if (read.kind !== 'pod') assert.fail(read.why);
  return (read.pod.spec.initContainers ?? []).filter(({ name }) => name === 'holdfast').length;
}

function isReady({ status }: RunningPod): boolean {
  return status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

/** One browser: what it is counted at its next visit, each time at the next address. */
async function visit(namespace: Namespace, urls: readonly string[]): Promise<() => Promise<number>> {
  const cookies = new Map<string, string>();
  let visits = 0;
  await namespace.toolbox();
  return async () => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const url = urls[visits++ % urls.length]!;
    const { status, headers, text } = await namespace.fetch(url, cookie === '' ? {} : { cookie });
    assert.equal(status, 200, text.slice(0, 500));
    for (const [name, value] of headers) {
      const [, key, content] = /^([^=]+)=([^;]*)/.exec(value) ?? [];
      if (name === 'set-cookie' && key !== undefined) cookies.set(key, content ?? '');
    }
    const count = /\d+/.exec(text)?.[0];
    assert.ok(count !== undefined, text.slice(0, 200));
    return Number(count);
  };
}

/** Its fingerprint, as the Secret has it. */
async function shownCertificate(namespace: Namespace): Promise<string> {
  const { data } = await namespace.get<{ data: Readonly<Record<string, string>> }>(
    'secret',
    'holdfast-injector-certificate',
  );
  return new X509Certificate(Buffer.from(data['tls.crt'] ?? '', 'base64')).fingerprint256;
}

/** The fingerprint of what a replica shows on its port. */
async function certificateAt(namespace: Namespace, address: string | undefined): Promise<string> {
  const script =
    'const socket = require("tls").connect({ host: process.argv[1], port: 8443, rejectUnauthorized: false }, () => {' +
    'console.log(socket.getPeerX509Certificate().fingerprint256); socket.destroy(); });';
  return (await namespace.inside(['node', '-e', script, address ?? ''])).trim();
}

function withoutSidecar(spec: Pod['spec']): Pod['spec'] {
  const { containers, securityContext, volumes } = spec;
  const own = (volumes ?? []).filter(({ name }) => !name.startsWith('holdfast'));
  return {
    securityContext,
    automountServiceAccountToken: false,
    containers: containers.map((container) => ({
      ...container,
      volumeMounts: (container.volumeMounts ?? []).filter(({ name }) => !name.startsWith('holdfast')),
    })),
    volumes: own,
  };
}

/** The pod as `restricted` wants it. */
function restricted(pod: Pod): Pod {
  const strict = (container: Container): Container => ({
    ...container,
    ports: container.ports?.map((port) =>
      Object.fromEntries(Object.entries(port).filter(([key]) => key !== 'hostPort')),
    ) as Container['ports'],
    securityContext: { ...container.securityContext, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  });
  return {
    ...pod,
    spec: {
      ...pod.spec,
      securityContext: { ...pod.spec.securityContext, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: pod.spec.containers.map(strict),
      // Only sidecars among them may have probes and hooks.
      initContainers: (pod.spec.initContainers ?? []).map((one) => ({ ...strict(one), restartPolicy: 'Always' })),
    },
  };
}

function named(pod: Pod, index: number): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Pod', ...pod, metadata: { ...pod.metadata, name: `generated-${index}` } };
}

/** Which of them the API server would create. Nothing is. */
async function acceptedOf(
  namespace: Namespace,
  objects: readonly KubernetesObject[],
): Promise<{ readonly names: ReadonlySet<string>; readonly stderr: string }> {
  const items = objects.map((object) => ({ ...object, metadata: { ...object.metadata, namespace: namespace.name } }));
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const args = ['create', '--dry-run=server', '--validate=false', '-o', 'name', '-f', '-'];
  const { stdout, stderr } = await namespace.tryKubectl(args, { input, timeoutMs: 400_000 });
  return { names: new Set(stdout.split('\n').map((line) => line.replace('pod/', ''))), stderr };
}
