/** How a gateway learns its pods from a real API server and a real CoreDNS. */

import { clusterTest, type KubernetesObject, type Namespace, plainPodSpec } from './cluster.ts';

const account = 'discovering';
const probesPort = 9903;

/** Bare applications: whoever answers says its name, and takes so long to end that a busy controller shows it as terminating. */
function application(namespace: Namespace, replicas: number): readonly KubernetesObject[] {
  const labels = { app: 'shop' };
  const script =
    'require("http").createServer((request, response) => response.end(process.env.HOSTNAME)).listen(8080);' +
    'process.on("SIGTERM", () => setTimeout(() => process.exit(0), 6000));';
  const container = {
    image: namespace.images.checker,
    command: ['node', '-e', script],
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 },
  };
  const spec = { ...plainPodSpec('shop', container), terminationGracePeriodSeconds: 20 };
  const ports = [{ name: 'http', port: 8080, targetPort: 'http' }];
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'shop' },
      spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'shop' }, spec: { selector: labels, ports } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'shop-pods' },
      spec: { clusterIP: 'None', selector: labels, ports },
    },
  ];
}

function gateway(
  namespace: Namespace,
  name: string,
  pods: Readonly<Record<string, unknown>>,
): readonly KubernetesObject[] {
  const config = {
    role: 'gateway',
    probes: `0.0.0.0:${probesPort}`,
    session: { preset: 'php' },
    affinity: { pinKey: 'a pin key that all may read' },
    // A thousand addresses behind which nobody is are not asked often.
    health: { interval: '10s' },
    pods,
  };
  const container = {
    image: namespace.images.holdfast,
    args: ['run', '--config', '/etc/holdfast/config.json'],
    volumeMounts: [{ name: 'config', mountPath: '/etc/holdfast' }],
  };
  const spec = {
    ...plainPodSpec('holdfast', container),
    serviceAccountName: account,
    automountServiceAccountToken: true,
    volumes: [{ name: 'config', configMap: { name } }],
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { 'config.json': JSON.stringify(config) } },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: name } }, spec },
  ];
}

const role: readonly KubernetesObject[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: account },
    rules: [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: account },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account },
    subjects: [{ kind: 'ServiceAccount', name: account }],
  },
];

/** Pages of a gateway's pod. */
class Probed {
  readonly #namespace: Namespace;
  readonly #pod: string;
  #address = '';

  constructor(namespace: Namespace, pod: string) {
    this.#namespace = namespace;
    this.#pod = pod;
  }

  async page(path: string): Promise<{ readonly status: number; readonly text: string }> {
    if (this.#address === '') {
      const pod = await this.#namespace.get<{ readonly status: { readonly podIP?: string } }>('pod', this.#pod);
      this.#address = pod.status.podIP ?? '';
    }
    return this.#namespace.fetch(`http://${this.#address}:${probesPort}${path}`);
  }

  /** Until so many pods are in each of these states, as the gateway sees them. */
  async sees(states: Readonly<Record<string, number>>): Promise<void> {
    await this.#namespace.until(`the gateway sees ${JSON.stringify(states)}`, async () => {
      const { text } = await this.page('/metrics');
      return Object.entries(states).every(([state, count]) =>
        text.includes(`holdfast_pods{state="${state}"} ${count}\n`),
      );
    });
  }
}

clusterTest(
  'a gateway without its Role says which one it needs; with it, it follows a Service through scaling, a kill and a thousand endpoints',
  async (_t, namespace) => {
    await namespace.apply([
      ...application(namespace, 3),
      ...gateway(namespace, 'by-slices', { kubernetes: { service: 'shop', port: 'http' } }),
      ...gateway(namespace, 'by-name', { dns: 'shop-pods:8080' }),
    ]);
    const slices = new Probed(namespace, 'by-slices');
    const name = new Probed(namespace, 'by-name');
    await namespace.until('it is not ready, and says why', async () => {
      const { status, text } = await slices.page('/readyz');
      return status === 503 && /answered 403: .*needs a Role with .*"endpointslices"/.test(text);
    });
    await namespace.apply(role.map((object) => withNamespace(object, namespace.name)));
    await slices.sees({ ready: 3 });
    await name.sees({ ready: 3 });
    await namespace.until('it is ready', async () => (await slices.page('/readyz')).status === 200);

    await namespace.kubectl(['scale', 'deployment/shop', '--replicas=5']);
    await Promise.all([slices.sees({ ready: 5 }), name.sees({ ready: 5 })]);
    await namespace.kubectl(['scale', 'deployment/shop', '--replicas=2']);
    await slices.sees({ ready: 2, draining: 0 });
    await name.sees({ ready: 2 });
    await namespace.until('each that left has drained first', async () => {
      const log = await namespace.kubectl(['logs', 'by-slices']);
      return log.split('"state":"draining","why":"terminating"').length - 1 === 3;
    });

    const [victim = ''] = (await namespace.kubectl(['get', 'pods', '-l', 'app=shop', '-o', 'name'])).split('\n');
    await namespace.kubectl(['delete', victim, '--force', '--grace-period=0']);
    await namespace.until('it is gone and another is there', async () => {
      const page = await slices.page('/metrics');
      return !page.text.includes(victim.replace('pod/', '"')) && page.text.includes('holdfast_pods{state="ready"} 2\n');
    });
    await namespace.until('its list is up', async () =>
      /^holdfast_discovery_up 1$/m.test((await slices.page('/metrics')).text),
    );

    // As a dual-stack cluster has it: each pod has a second slice with its other address. It is one pod all the same; one
    // that has no address but the other family's is a pod too.
    await namespace.apply([await otherFamily(namespace)]);
    await namespace.until('the second slice was read', async () =>
      (await slices.page('/metrics')).text.includes('holdfast_discovery_pods{state="ready"} 3\n'),
    );
    await namespace.until('the one that is alone has its own address', async () =>
      (await slices.page('/metrics')).text.includes('pod="fd00:77::99"'),
    );
    await namespace.kubectl(['delete', 'endpointslice', 'other-family']);
    await slices.sees({ ready: 2, unhealthy: 0 });

    // Beside the pods of the Service: slices that somebody else keeps.
    await namespace.apply(Array.from({ length: 10 }, (_, index) => handMade(index)));
    await namespace.until('a thousand more are listed', async () =>
      (await slices.page('/metrics')).text.includes('holdfast_discovery_pods{state="ready"} 1002\n'),
    );
    await namespace.kubectl(['delete', 'endpointslice', '-l', 'made=by-hand']);
    await slices.sees({ ready: 2, unhealthy: 0 });
  },
);

/** The Service's pods by addresses of the other family, and one more. */
async function otherFamily(namespace: Namespace): Promise<KubernetesObject> {
  interface Listed {
    readonly items: readonly { readonly metadata: { readonly [field: string]: unknown } }[];
  }
  const { items } = await namespace.get<Listed>('pods', '-l', 'app=shop');
  const living = items.filter(({ metadata }) => metadata['deletionTimestamp'] === undefined);
  const named = living.map(({ metadata: { name, uid } }, index) => ({
    addresses: [`fd00:77::${index + 1}`],
    conditions: { ready: true },
    targetRef: { kind: 'Pod', name, uid, namespace: namespace.name },
  }));
  const alone = { addresses: ['fd00:77::99'], conditions: { ready: true } };
  return {
    ...handMade(0),
    metadata: { name: 'other-family', labels: { 'kubernetes.io/service-name': 'shop' } },
    addressType: 'IPv6',
    endpoints: [...named, alone],
  };
}

function handMade(slice: number): KubernetesObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `hand-${slice}`, labels: { 'kubernetes.io/service-name': 'shop', made: 'by-hand' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: 100 }, (_, index) => ({
      // For benchmarks (RFC 2544): nobody is there.
      addresses: [`198.18.${slice}.${index + 1}`],
      conditions: { ready: true },
    })),
  };
}

/** The subject of a binding names its namespace. */
function withNamespace(object: KubernetesObject, namespace: string): KubernetesObject {
  if (object.kind !== 'RoleBinding') return object;
  return { ...object, subjects: [{ kind: 'ServiceAccount', name: account, namespace }] };
}
