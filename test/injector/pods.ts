/** Pods for the injector's tests: a Laravel pod as somebody would write it, and what injecting it gives. */

import assert from 'node:assert/strict';
import { judgeSidecar } from '../../src/commands/sidecar-defaults.ts';
import { injectPod, type Injection, type InjectOptions } from '../../src/injector/inject-pod.ts';
import type { Container, Pod, PodSpec } from '../../src/injector/pod.ts';

export const options: InjectOptions = { defaults: { image: 'holdfast:1' }, services: [], judge: judgeSidecar };

export interface PodChanges {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: Partial<PodSpec>;
  /** Of the one container. */
  readonly container?: Partial<Container>;
}

export function laravelPod({ annotations = {}, labels = {}, spec = {}, container = {} }: PodChanges = {}): Pod {
  const own = Object.entries(annotations).map(([name, value]) => [`holdfast.dev/${name}`, value] as const);
  return {
    metadata: {
      name: 'shop-1',
      labels: { app: 'shop', ...labels },
      annotations: {
        'holdfast.dev/inject': 'true',
        'holdfast.dev/preset': 'laravel',
        'holdfast.dev/prefix': 'shop',
        ...Object.fromEntries(own),
      },
    },
    spec: {
      securityContext: { runAsUser: 10_001 },
      containers: [
        {
          name: 'php',
          image: 'laravel:1',
          ports: [{ name: 'http', containerPort: 9000 }],
          env: [{ name: 'APP_KEY', valueFrom: { secretKeyRef: { name: 'shop', key: 'app-key' } } }],
          ...container,
        },
      ],
      ...spec,
    },
  };
}

export type Injected = Extract<Injection, { readonly kind: 'injected' }>;

export function injected(given: unknown, more: Partial<InjectOptions> = {}): Injected {
  const injection = injectPod(given, { ...options, ...more });
  if (injection.kind !== 'injected') assert.fail(JSON.stringify(injection));
  return injection;
}

export function sidecarOf(pod: Pod): Container {
  const found = pod.spec.initContainers?.find(({ name }) => name === 'holdfast');
  assert.ok(found !== undefined, 'the pod has a sidecar');
  return found;
}

export function containerOf(pod: Pod, name = 'php'): Container {
  const found = pod.spec.containers.find((one) => one.name === name);
  assert.ok(found !== undefined, `the pod has a container ${name}`);
  return found;
}

/** Its configuration, as far as it stands in the pod. */
export function variablesOf(container: Container): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value ?? undefined]));
}
