/** What holds for every pod that can have a sidecar. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../support/properties.ts';
import { injectPod } from '../../src/injector/inject-pod.ts';
import { allContainers, type Container, type Pod, readPod } from '../../src/injector/pod.ts';
import { generatedPods } from './generated-pods.ts';
import { options, sidecarOf } from './pods.ts';

/** The configuration's own judge has tests of its own, and takes most of the time. */
const lenient = { ...options, judge: () => [] };
const runs = 500;

function everyInjected(holds: (before: Pod, after: Pod) => void): number {
  let injected = 0;
  fc.assert(
    fc.property(generatedPods, (before) => {
      const untouched = structuredClone(before);
      const injection = injectPod(before, lenient);
      assert.deepEqual(before, untouched, 'what was given is not changed');
      if (injection.kind !== 'injected') return;
      injected++;
      holds(before, injection.pod);
    }),
    { numRuns: runs },
  );
  return injected;
}

test('a second injection changes nothing', () => {
  const injected = everyInjected((_, after) => {
    assert.deepEqual(injectPod(after, lenient), { kind: 'unchanged' });
  });
  assert.ok(injected > runs / 20, `${injected} of the pods could have a sidecar`);
});

test('names of containers, volumes and mounts are unique, and the result has the shape of a pod', () => {
  everyInjected((_, after) => {
    assert.equal(readPod(after).kind, 'pod');
    assertUnique(allContainers(after.spec).map(({ name }) => name));
    assertUnique((after.spec.volumes ?? []).map(({ name }) => name));
    for (const container of allContainers(after.spec)) {
      assertUnique((container.volumeMounts ?? []).map(({ mountPath }) => mountPath.replace(/(.)\/$/, '$1')));
      assertUnique((container.env ?? []).map(({ name }) => name));
      const volumes = new Set((after.spec.volumes ?? []).map(({ name }) => name));
      assert.ok((container.volumeMounts ?? []).every(({ name }) => volumes.has(name)));
    }
  });
});

test("the port's names are the sidecar's alone", () => {
  everyInjected((_, after) => {
    const names = (sidecarOf(after).ports ?? []).map(({ name }) => name);
    assertUnique(names);
    const others = allContainers(after.spec).filter(({ name }) => name !== 'holdfast');
    const theirs = others.flatMap(({ ports }) => (ports ?? []).filter(({ protocol }) => protocol !== 'UDP'));
    assert.deepEqual(
      theirs.filter(({ name }) => name !== undefined && names.includes(name)),
      [],
    );
  });
});

test('no probe or hook goes to a name that its own container does not declare, unless it did before', () => {
  everyInjected((before, after) => {
    const dangling = (pod: Pod): readonly string[] => allContainers(pod.spec).flatMap(danglingNames);
    assert.deepEqual(dangling(after), dangling(before));
  });
});

test('nothing of the application is lost but names and node ports of its port', () => {
  everyInjected((before, after) => {
    const { labels, annotations } = after.metadata ?? {};
    for (const [name, value] of Object.entries(before.metadata?.labels ?? {})) assert.equal(labels?.[name], value);
    for (const [name, value] of Object.entries(before.metadata?.annotations ?? {})) {
      assert.ok(annotations?.[name]?.startsWith(value));
    }
    const changed = ['initContainers', 'containers', 'volumes', 'terminationGracePeriodSeconds'];
    const rest = (spec: Pod['spec']): unknown => Object.entries(spec).filter(([name]) => !changed.includes(name));
    assert.deepEqual(rest(after.spec), rest(before.spec));
    assert.deepEqual(after.spec.volumes?.slice(0, before.spec.volumes?.length), before.spec.volumes);
    assert.ok((after.spec.terminationGracePeriodSeconds ?? 30) >= (before.spec.terminationGracePeriodSeconds ?? 30));
    const [theirs, ours] = [allContainers(before.spec), allContainers(after.spec)];
    assert.equal(ours.length, theirs.length + 1);
    for (const container of theirs) {
      const now = ours.find(({ name }) => name === container.name);
      assert.ok(now !== undefined);
      assert.deepEqual(kept(now, container), kept(container, container));
    }
  });
});

function assertUnique(names: readonly unknown[]): void {
  assert.deepEqual([...new Set(names)], names);
}

function actions({ readinessProbe, livenessProbe, startupProbe, lifecycle }: Container) {
  const all = [readinessProbe, livenessProbe, startupProbe, lifecycle?.preStop, lifecycle?.postStart];
  return all.flatMap((handler) => [handler?.httpGet, handler?.tcpSocket].filter((action) => action !== undefined));
}

function danglingNames(container: Container): readonly string[] {
  const declared = (container.ports ?? []).map(({ name }) => name);
  const asked = actions(container).map((action) => action?.port);
  return asked.filter((port): port is string => typeof port === 'string' && !declared.includes(port));
}

/** A container without what may change: names of ports, and what asks for them; a new mount; a new preStop. */
function kept(container: Container, before: Container): unknown {
  const text = JSON.stringify({
    ...container,
    ports: container.ports?.map(({ containerPort, protocol }) => ({ containerPort, protocol })),
    volumeMounts: (container.volumeMounts ?? []).slice(0, before.volumeMounts?.length ?? 0),
    lifecycle: { ...container.lifecycle, ...(before.lifecycle?.preStop === undefined ? { preStop: undefined } : {}) },
  });
  const anyPort = (key: string, value: unknown): unknown => (key === 'port' ? 'any' : value);
  return JSON.parse(text, anyPort);
}
