/**
 * How the sidecar sees the application's session directory: by the volume that the application mounts there already, or
 * by a new one that both mount.
 *
 * Where the volume covers more than the session directory, only that part of it is mounted: the kubelet makes the
 * directory, with the volume's own permissions, before the application has started, so that the sidecar need not wait
 * for what it lets start. Pure.
 */

import { posix } from 'node:path';
import type { Container, EnvironmentVariable, PodSpec, Volume, VolumeMount } from './pod.ts';
import { Skip } from './skip-reasons.ts';

export interface SessionVolume {
  readonly sidecarMount: VolumeMount;
  /** What `subPathExpr` of that mount refers to. */
  readonly variables: readonly EnvironmentVariable[];
  /** Made for the sessions; undefined: the application brings its own. */
  readonly made: { readonly volume: Volume; readonly applicationMount: VolumeMount } | undefined;
  readonly warnings: readonly string[];
}

export interface SessionVolumeOptions {
  readonly spec: PodSpec;
  readonly writer: Container;
  /** Absolute, without `N;MODE;`. */
  readonly directory: string;
  /** Of a StatefulSet: volumes that are not in `spec.volumes`, and are each pod's own. */
  readonly claimTemplates: readonly string[];
  readonly ownedByStatefulSet: boolean;
  /** For a volume that has to be made. */
  readonly name: string;
  readonly sizeLimit: string;
}

const readOnlyKinds = ['configMap', 'secret', 'projected', 'downwardAPI', 'image'];
/** Several pods may have the same one. */
const sharedKinds = ['persistentVolumeClaim', 'hostPath', 'nfs', 'cephfs', 'glusterfs', 'azureFile'];
/** Where the sidecar's image has what it runs on: nothing may be mounted over it, or into it. */
const ownPlaces = [
  '/holdfast',
  '/etc/holdfast',
  '/run/holdfast',
  '/usr/local/bin',
  '/usr/lib',
  '/lib',
  '/lib64',
  '/proc',
  '/sys',
  '/dev',
];

/** @throws Skip 'directory-unusable' */
export function shareSessions(options: SessionVolumeOptions): SessionVolume {
  const { writer, directory, name, sizeLimit } = options;
  if (ownPlaces.some((own) => covers(directory, own) || covers(own, directory))) {
    throw new Skip('directory-unusable', `${directory} is where the sidecar has its own files`);
  }
  const theirs = coveringMount(writer, directory);
  if (theirs !== undefined) return shareTheirs(theirs, options);
  const mount: VolumeMount = { name, mountPath: directory };
  return {
    sidecarMount: mount,
    variables: [],
    made: { volume: { name, emptyDir: { sizeLimit } }, applicationMount: mount },
    warnings: [],
  };
}

/** The mount in which a path of the container lies: the innermost. */
export function coveringMount(container: Container, path: string): VolumeMount | undefined {
  const covering = (container.volumeMounts ?? []).filter(({ mountPath }) => covers(mountPath, path));
  return covering.sort((one, other) => normal(other.mountPath).length - normal(one.mountPath).length)[0];
}

function shareTheirs(mount: VolumeMount, options: SessionVolumeOptions): SessionVolume {
  const { spec, directory, claimTemplates, ownedByStatefulSet } = options;
  const volume = spec.volumes?.find(({ name }) => name === mount.name);
  if (mount.readOnly === true) throw new Skip('directory-unusable', `volume ${mount.name} is mounted read-only`);
  const kind = Object.keys(volume ?? {}).find((key) => key !== 'name') ?? '';
  if (readOnlyKinds.includes(kind)) {
    throw new Skip('directory-unusable', `volume ${mount.name} is a ${kind}, which nobody can write to`);
  }
  const inside = posix.relative(normal(mount.mountPath), directory);
  const { subPathExpr } = mount;
  const part = joined(
    typeof subPathExpr === 'string' && subPathExpr !== '' ? subPathExpr : (mount.subPath ?? ''),
    inside,
  );
  const isExpression = typeof subPathExpr === 'string' && subPathExpr !== '';
  const variables = isExpression ? referred(subPathExpr, options.writer) : [];
  const isOwn = ownedByStatefulSet || claimTemplates.includes(mount.name) || variables.some(isOfThePod);
  return {
    sidecarMount: {
      name: mount.name,
      mountPath: directory,
      ...(part === '' ? {} : isExpression ? { subPathExpr: part } : { subPath: part }),
    },
    variables,
    made: undefined,
    warnings:
      sharedKinds.includes(kind) && !isOwn
        ? [
            `volume ${mount.name} (${kind}) must not be shared: each pod needs session files of its own, ` +
              'by subPathExpr: $(POD_NAME), or an emptyDir',
          ]
        : [],
  };
}

/** The variables of the application's container that a `subPathExpr` names. */
function referred(expression: string, writer: Container): readonly EnvironmentVariable[] {
  const names = [...expression.matchAll(/\$\(([^)]+)\)/g)].map(([, name = '']) => name);
  return [...new Set(names)].map((name) => {
    const variable = writer.env?.find((given) => given.name === name);
    const isPlain = variable !== undefined && !/\$\(/.test(variable.value ?? '') && !name.startsWith('HOLDFAST_');
    if (!isPlain) throw new Skip('directory-unusable', `subPathExpr ${expression} needs a plain variable ${name}`);
    return variable;
  });
}

/** It differs from pod to pod. */
function isOfThePod({ valueFrom }: EnvironmentVariable): boolean {
  const { fieldPath } = (valueFrom?.['fieldRef'] ?? {}) as { readonly fieldPath?: unknown };
  return ['metadata.name', 'metadata.uid', 'status.podIP'].includes(String(fieldPath));
}

function covers(outer: string, inner: string): boolean {
  const [over, under] = [normal(outer), normal(inner)];
  return over === under || under.startsWith(over === '/' ? '/' : `${over}/`);
}

/** Without a slash at the end, doubled ones, and `..`. */
export function normal(path: string): string {
  const whole = posix.normalize(path);
  return whole.length > 1 && whole.endsWith('/') ? whole.slice(0, -1) : whole;
}

function joined(outer: string, inner: string): string {
  return [outer.replace(/\/+$/, ''), inner].filter((part) => part !== '').join('/');
}
