/**
 * The application of manifests/base as a Deployment, and gateways that find its pods by the EndpointSlices of a Service:
 * nothing lists the pods, and none has a stable name.
 *
 * Must not know what tests do with it.
 */

import type { KubernetesObject } from './cluster.ts';
import type { StackOptions } from './stack.ts';

const headless = 'application-pods';

export const asDeployment: Pick<StackOptions, 'workload' | 'change'> & {
  readonly pods: Readonly<Record<string, unknown>>;
} = {
  workload: 'deployment',
  pods: { static: undefined, kubernetes: { service: headless, port: 'http' } },
  change(object) {
    if (object.kind === 'StatefulSet') return deployment(object);
    if (object.kind === 'Deployment' && object.metadata.name === 'holdfast-gateway') return withToken(object);
    return object;
  },
};

function deployment(object: KubernetesObject): KubernetesObject {
  const { replicas, selector, template } = object['spec'] as Readonly<Record<string, unknown>>;
  const strategy = { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };
  return { ...object, kind: 'Deployment', spec: { replicas, selector, template, strategy } };
}

/** Its pods ask the API server, as their Role allows. */
function withToken(object: KubernetesObject): KubernetesObject {
  const spec = object['spec'] as { readonly template: { readonly spec: object } };
  const template = { ...spec.template, spec: { ...spec.template.spec, automountServiceAccountToken: true } };
  return { ...object, spec: { ...spec, template } };
}
