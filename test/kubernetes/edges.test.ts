/**
 * Beside others: the gateway behind a Service, behind one with sessionAffinity, behind nginx, HAProxy and Envoy, and behind
 * HAProxy that passes TCP on with the PROXY protocol. A user goes from one to the next with each request.
 */

import assert from 'node:assert/strict';
import { CheckerInPod, nothingFailed } from './checker-in-pod.ts';
import { clusterTest } from './cluster.ts';
import type { KubernetesObject } from './cluster.ts';
import { edgeObjects } from './edges.ts';
import { Stack } from './stack.ts';

const timeouts = { store: '2s', lookup: '1s' };
const proxiedPort = 8081;
const edgeNames = ['nginx', 'haproxy', 'haproxy-tcp', 'envoy'] as const;

clusterTest('behind nginx, HAProxy, Envoy and Services', async (t, namespace) => {
  const stack = await Stack.deploy(namespace, {
    pods: 2,
    gateway: {
      timeouts,
      listen: ['0.0.0.0:8080', { address: `0.0.0.0:${proxiedPort}`, proxyProtocol: true }],
      // The network of the edges' pods, whatever it is here.
      trustedProxies: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
    },
    sidecar: { timeouts },
    change: admitProxied,
  });
  const host = `holdfast-gateway.${namespace.name}.svc.cluster.local`;
  await namespace.apply([
    gatewayService('gateway-proxied', { ports: [{ port: 80, targetPort: proxiedPort }] }),
    gatewayService('gateway-affinity', { ports: [{ port: 80, targetPort: 'http' }], sessionAffinity: 'ClientIP' }),
    ...edgeObjects(namespace.images.neighbours, {
      http: `${host}:80`,
      proxied: `gateway-proxied.${namespace.name}.svc.cluster.local:80`,
    }),
  ]);
  await namespace.kubectl(['wait', '--for=condition=Ready', 'pod', ...edgeNames, '--timeout=360s'], {
    timeoutMs: 420_000,
  });
  const origins = ['holdfast-gateway', 'gateway-affinity', ...edgeNames].map(
    (name) => `http://${name}.${namespace.name}.svc.cluster.local`,
  );

  await t.test('the application learns who the client is, whoever stands before the gateway', async (t) => {
    namespace.tellsOfFailure(t);
    await namespace.toolbox();
    const client = await namespace.kubectl(['get', 'pod', 'toolbox', '-o', 'jsonpath={.status.podIP}']);
    for (const origin of origins) {
      // An edge may have asked for the gateway's name before there was one.
      const { text } = await namespace.until(`${origin} answers`, async () => {
        const answer = await namespace.fetch(`${origin}/forwarded`);
        return answer.status === 200 ? answer : undefined;
      });
      const [first] = text.split(/[, ]/);
      assert.equal(first, client, `${origin} answered ${text}`);
      assert.match(text, / http$/);
    }
  });

  await t.test(
    'users who change the way with each request lose nothing while gateways and pods roll, and nothing fails',
    async (t) => {
      namespace.tellsOfFailure(t);
      const checker = await CheckerInPod.start(t, namespace, {
        origins,
        users: 6,
        application: stack.traits,
        seed: 21,
        thinkMs: 60,
        timeoutMs: 30_000,
      });
      await checker.more(100);
      await namespace.kubectl(['rollout', 'restart', stack.gateway, stack.application]);
      await stack.settled();
      await checker.more(100);
      nothingFailed(await checker.stop());
    },
  );
});

function gatewayService(name: string, spec: Readonly<Record<string, unknown>>): KubernetesObject {
  const selector = { 'app.kubernetes.io/name': 'holdfast-gateway' };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector, ...spec } };
}

/** The second listener's port in the gateway's NetworkPolicy. */
function admitProxied(object: KubernetesObject): KubernetesObject {
  if (object.kind !== 'NetworkPolicy' || object.metadata.name !== 'holdfast-gateway') return object;
  const spec = object['spec'] as { readonly ingress: readonly unknown[] };
  return { ...object, spec: { ...spec, ingress: [...spec.ingress, { ports: [{ port: proxiedPort }] }] } };
}
