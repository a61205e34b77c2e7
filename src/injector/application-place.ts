/**
 * Which of a pod's containers is the application, and which port is its HTTP: two questions, because with php-fpm
 * behind a web server one container writes the session files and another has the port.
 *
 * Pure.
 */

import type { Settings } from './annotations.ts';
import type { Container, PodSpec } from './pod.ts';
import { isTcp } from './pod.ts';
import { Skip } from './skip-reasons.ts';

export interface ApplicationPlace {
  /** Writes the session files: its user, its keys and its volumes are the sidecar's. */
  readonly writer: Container;
  /** Declares the port, and may be the same; undefined: no container declares it. */
  readonly server: Container | undefined;
  readonly port: number;
  /** By which Services know the port; mostly one, none for a port without a name. */
  readonly portNames: readonly string[];
}

/** By which a port is taken for the application's, where nobody says more. */
const usualName = 'http';

/**
 * @param mounts whether a container mounts a volume, which it may write to, where the session files are.
 * @throws Skip 'container-unknown', 'port-unknown'
 */
export function placeApplication(
  spec: PodSpec,
  settings: Settings,
  mounts: (container: Container) => boolean,
): ApplicationPlace {
  const writer = findWriter(spec.containers, settings.container, mounts);
  const { server, port } = findPort(spec.containers, settings.port);
  const names = server?.ports?.filter((given) => isTcp(given) && given.containerPort === port).map(({ name }) => name);
  const portNames = [...new Set(names?.filter((name) => typeof name === 'string' && name !== '') as string[])];
  return { writer, server, port, portNames };
}

function findWriter(
  containers: readonly Container[],
  wanted: string | undefined,
  mounts: (container: Container) => boolean,
): Container {
  if (wanted !== undefined) {
    const found = containers.find(({ name }) => name === wanted);
    if (found === undefined) throw new Skip('container-unknown', `there is no container named ${wanted}`);
    return found;
  }
  const [first, ...others] = containers;
  if (first !== undefined && others.length === 0) return first;
  const [mounting, ...rest] = containers.filter(mounts);
  if (mounting !== undefined && rest.length === 0) return mounting;
  const names = containers.map(({ name }) => name).join(', ');
  throw new Skip('container-unknown', `annotate container: one of ${names}`);
}

interface FoundPort {
  readonly server: Container | undefined;
  readonly port: number;
}

function findPort(containers: readonly Container[], wanted: string | undefined): FoundPort {
  const declared = containers.flatMap((server) =>
    (server.ports ?? []).filter(isTcp).map(({ name, containerPort }) => ({ server, name, port: containerPort })),
  );
  if (wanted !== undefined && /^\d+$/.test(wanted)) {
    const port = Number(wanted);
    if (port < 1 || port > 65_535) throw new Skip('port-unknown', `${wanted} is no port`);
    return { server: declared.find((given) => given.port === port)?.server, port };
  }
  const named = declared.find(({ name }) => name === (wanted ?? usualName));
  if (named !== undefined) return named;
  if (wanted !== undefined) throw new Skip('port-unknown', `no container has a port named ${wanted}`);
  const [only, ...others] = new Map(declared.map((given) => [given.port, given])).values();
  if (only !== undefined && others.length === 0) return only;
  const numbers = declared.map(({ port }) => port).join(', ');
  throw new Skip(
    'port-unknown',
    numbers === '' ? 'no container declares a port; annotate port' : `annotate port: one of ${numbers}`,
  );
}
