/**
 * Takes the application's port name from it, so that Services by that name lead to the sidecar. The name has to go from
 * every container: a Service that finds it twice goes to the application's, without a word (measured on Kubernetes 1.36,
 * whose warning says the opposite). What asked for the port by that name inside the pod asks by its number from now on: a
 * probe or hook finds names in its own container only. Pure.
 */

import type { Container, ContainerPort, Handler, PodSpec } from './pod.ts';
import { isTcp } from './pod.ts';

export interface MovedPort {
  readonly containers: readonly Container[];
  readonly initContainers: readonly Container[];
  /** The port of the node that led to the application, with its address. */
  readonly host: Pick<ContainerPort, 'hostPort' | 'hostIP'>;
  readonly warnings: readonly string[];
}

export interface PortToMove {
  readonly names: readonly string[];
  readonly port: number;
  /** The container that declares it. */
  readonly server: string | undefined;
}

const handlers = ['startupProbe', 'readinessProbe', 'livenessProbe'] as const;
const hooks = ['preStop', 'postStart'] as const;

export function movePort(spec: PodSpec, moved: PortToMove): MovedPort {
  const warnings: string[] = [];
  const host: { hostPort?: number; hostIP?: string } = {};
  const take = (container: Container): Container => {
    const isServer = container.name === moved.server;
    const lost = new Map<string, number>();
    const ports = container.ports?.map((port) => {
      const isMoved = isTcp(port) && typeof port.name === 'string' && moved.names.includes(port.name);
      const isHost = isServer && isTcp(port) && port.containerPort === moved.port && typeof port.hostPort === 'number';
      if (isMoved) lost.set(port.name as string, port.containerPort);
      if (isHost) Object.assign(host, given(port, 'hostPort'), given(port, 'hostIP'));
      return without(port, [...(isMoved ? ['name'] : []), ...(isHost ? ['hostPort', 'hostIP'] : [])]);
    });
    if (lost.size > 0 && !isServer) {
      warnings.push(
        `container ${container.name} has a port named ${[...lost.keys()].join(', ')} too; it lost the name`,
      );
    }
    return ports === undefined ? container : byNumber({ ...container, ports }, lost);
  };
  return {
    containers: spec.containers.map(take),
    initContainers: (spec.initContainers ?? []).map(take),
    host,
    warnings,
  };
}

/** The container with its probes and hooks going to numbers where they went to a name that it has lost. */
function byNumber(container: Container, lost: ReadonlyMap<string, number>): Container {
  if (lost.size === 0) return container;
  const changed: Container = { ...container };
  for (const name of handlers) {
    const handler = container[name];
    if (handler !== undefined && handler !== null) changed[name] = numbered(handler, lost);
  }
  if (container.lifecycle !== undefined && container.lifecycle !== null) {
    const lifecycle = { ...container.lifecycle };
    for (const name of hooks) {
      const hook = lifecycle[name];
      if (hook !== undefined && hook !== null) lifecycle[name] = numbered(hook, lost);
    }
    changed.lifecycle = lifecycle;
  }
  return changed;
}

function numbered(handler: Handler, lost: ReadonlyMap<string, number>): Handler {
  const changed: Handler = { ...handler };
  for (const kind of ['httpGet', 'tcpSocket'] as const) {
    const action = handler[kind];
    const port = typeof action?.port === 'string' ? lost.get(action.port) : undefined;
    if (port !== undefined) changed[kind] = { ...action, port };
  }
  return changed;
}

function without(port: ContainerPort, names: readonly string[]): ContainerPort {
  if (names.length === 0) return port;
  return Object.fromEntries(Object.entries(port).filter(([name]) => !names.includes(name))) as ContainerPort;
}

function given(port: ContainerPort, name: 'hostPort' | 'hostIP'): Partial<ContainerPort> {
  return port[name] === undefined || port[name] === null ? {} : { [name]: port[name] };
}
