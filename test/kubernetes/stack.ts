/**
 * Holdfast as manifests/base deploys it, in a test's namespace: gateways, the example Laravel application with its sidecars,
 * and a Redis. The manifests are taken as they are; what a test needs otherwise is changed in their objects.
 *
 * Must not know what tests do with it.
 */

import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { applications, applicationSecrets } from '../support/applications.ts';
import { repositoryRoot } from '../support/processes.ts';
import { plainPodSpec } from './cluster.ts';
import type { KubernetesObject, Namespace } from './cluster.ts';

/** Settings of one role's configuration file, merged one level deep over the manifests' own. */
export type Settings = Readonly<Record<string, unknown>>;

export interface StackOptions {
  /** Replicas of the application; three by default. */
  readonly pods?: number;
  /** Replicas of the gateway; two by default. 0: sidecars alone, behind the Service `application`. */
  readonly gateways?: number;
  readonly gateway?: Settings;
  readonly sidecar?: Settings;
  /** The last word on each object before it is applied. */
  readonly change?: (object: KubernetesObject) => KubernetesObject;
}

export class Stack {
  /** Where clients inside the cluster go. */
  readonly origin: string;
  /** For kubectl. */
  readonly application = 'deployment/application';
  readonly gateway = 'deployment/holdfast-gateway';
  /** What the session checker has to know of the application. */
  readonly traits = applications.laravel.traits;
  readonly #namespace: Namespace;
  readonly #gateways: number;

  /** Use Stack.deploy(). */
  constructor(namespace: Namespace, options: StackOptions) {
    this.#namespace = namespace;
    this.#gateways = options.gateways ?? 2;
    const service = this.#gateways > 0 ? 'holdfast-gateway' : 'application';
    this.origin = `http://${service}.${namespace.name}.svc.cluster.local`;
  }

  /** Applies all of it and waits until it serves. */
  static async deploy(namespace: Namespace, options: StackOptions = {}): Promise<Stack> {
    const stack = new Stack(namespace, options);
    const objects = [
      ...secrets(),
      ...redis(namespace.images.neighbours),
      ...(options.gateways === 0 ? [plainService()] : []),
      ...(await manifests(namespace, options)),
    ];
    await namespace.apply(objects.map((object) => options.change?.(object) ?? object));
    await stack.settled();
    return stack;
  }

  /** Changes the number of the application's replicas; those that are to go are gone when this resolves. */
  async scaleTo(replicas: number): Promise<void> {
    await this.#namespace.kubectl(['scale', this.application, `--replicas=${replicas}`]);
    await this.settled();
    await this.#namespace.until(`${replicas} pods are there`, async () => {
      const names = await this.#namespace.kubectl(['get', 'pods', '-l', selector, '-o', 'name']);
      return names.trim().split('\n').length === replicas;
    });
  }

  /** A new revision in which the application's container runs something else. */
  async changeCommand(command: readonly string[]): Promise<void> {
    const template = { spec: { containers: [{ name: 'application', command }] } };
    await this.#namespace.kubectl(['patch', this.application, '--patch', JSON.stringify({ spec: { template } })]);
  }

  /** Back to the revision before. */
  async undo(): Promise<void> {
    await this.#namespace.kubectl(['rollout', 'undo', this.application]);
    await this.settled();
  }

  /** Every rollout is complete. */
  async settled(): Promise<void> {
    const workloads = ['deployment/redis', this.application, ...(this.#gateways > 0 ? [this.gateway] : [])];
    await Promise.all(workloads.map((workload) => this.#namespace.rolledOut(workload)));
  }
}

const selector = 'app.kubernetes.io/name=application';

function secrets(): readonly KubernetesObject[] {
  return [
    secret('holdfast', {
      'store-url': 'redis://redis:6379',
      'store-key': 'an example store key, open to all who read',
    }),
    secret('application', { 'app-key': applicationSecrets['APP_KEY']! }),
  ];
}

function secret(name: string, stringData: Readonly<Record<string, string>>): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData };
}

/** What clients ask where there is no gateway: any ready pod. */
function plainService(): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'application' },
    spec: { selector: { 'app.kubernetes.io/name': 'application' }, ports: [{ port: 80, targetPort: 'http' }] },
  };
}

/** Keeps what it has in memory: tests take pods away from it, not itself. */
export function redis(image: string): readonly KubernetesObject[] {
  const labels = { app: 'redis' };
  const container = {
    image,
    command: ['redis-server', '--save', '', '--protected-mode', 'no', '--dir', '/tmp'],
    ports: [{ containerPort: 6379 }],
    readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1, timeoutSeconds: 5 },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'redis' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: plainPodSpec('redis', container) },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'redis' },
      spec: { selector: labels, ports: [{ port: 6379 }] },
    },
  ];
}

/** The objects of manifests/base, for this namespace, these images and these options. */
async function manifests(namespace: Namespace, options: StackOptions): Promise<readonly KubernetesObject[]> {
  const folder = options.gateways === 0 ? 'manifests/overlays/sidecar' : 'manifests/base';
  const text = await namespace.kubectl(['kustomize', join(repositoryRoot, folder)]);
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
  return objects.filter(({ kind }) => kind !== 'Namespace').map((object) => placed(object, namespace, options));
}

function placed(object: KubernetesObject, namespace: Namespace, options: StackOptions): KubernetesObject {
  // Namespaces and images, wherever they stand.
  const text = JSON.stringify(object)
    .replaceAll('"namespace":"shop"', `"namespace":"${namespace.name}"`)
    .replaceAll('docker.io/local/holdfast:1', namespace.images.holdfast)
    .replaceAll('docker.io/local/laravel:1', namespace.images.laravel);
  const moved = JSON.parse(withPatience(text)) as KubernetesObject;
  if (moved.kind === 'ConfigMap') return configured(moved, options);
  if (moved.kind !== 'Deployment') return moved;
  const replicas = moved.metadata.name === 'application' ? options.pods : options.gateways;
  return replicas === undefined ? moved : { ...moved, spec: { ...(moved['spec'] as object), replicas } };
}

/** A test must not depend on how fast a busy machine is: a probe that is answered late has been answered, and a start takes its time. */
export function withPatience(text: string): string {
  return text
    .replaceAll('"failureThreshold":1,', '"failureThreshold":1,"timeoutSeconds":5,')
    .replaceAll(/"failureThreshold":(?:30|60),/g, '"failureThreshold":600,"timeoutSeconds":5,');
}

function configured(object: KubernetesObject, options: StackOptions): KubernetesObject {
  const data = object['data'] as Readonly<Record<string, string>>;
  const settings = parse(data['config.yaml']!) as Record<string, unknown>;
  const merged: Record<string, unknown> = { ...settings };
  for (const [key, value] of Object.entries(
    (settings['role'] === 'gateway' ? options.gateway : options.sidecar) ?? {},
  )) {
    merged[key] = isObject(value) && isObject(settings[key]) ? { ...settings[key], ...value } : value;
  }
  return { ...object, data: { 'config.yaml': stringify(merged) } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
