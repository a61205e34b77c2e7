/**
 * A pod that asks for a sidecar, and the same pod with one: the whole of the injector's work, as a pure function. The
 * webhook and `holdfast inject -f` only bring it pods and take its answers away.
 *
 * It reads top to bottom in the order of its questions: may this pod have one, what does it say, where is its
 * application, and what has to change. Nothing of the application's is dropped but the name of its port, and injecting
 * twice changes nothing.
 */

import type { Preset } from '../affinity/session-codec.ts';
import { presets } from '../affinity/session-codec.ts';
import { parseSavePath } from '../sessions/session-name.ts';
import { annotationPrefix, asksForSidecar, readSettings, type Settings } from './annotations.ts';
import { findKeys } from './application-keys.ts';
import { type ApplicationPlace, placeApplication } from './application-place.ts';
import { judgedVariables } from './judged-variables.ts';
import { movePort } from './move-port.ts';
import { allContainers, type Container, type ContainerPort, type Pod, type PodSpec, readPod } from './pod.ts';
import { bypassing, type Service } from './services.ts';
import { coveringMount, normal, shareSessions } from './session-volume.ts';
import {
  secretsFolder,
  sidecarContainer,
  sidecarName,
  type SidecarParts,
  sidecarVolumes,
} from './sidecar-container.ts';
import { withCpuLimit } from './sidecar-limits.ts';
import { Skip, type SkipReason } from './skip-reasons.ts';
import { drainSecondsOf, graceSeconds, withSleep } from './termination.ts';

export interface InjectOptions {
  /** Of the whole cluster, or of a command: they hold where a pod says nothing. */
  readonly defaults: Settings;
  /** Of the pod's namespace; undefined: not known. */
  readonly services: readonly Service[] | undefined;
  /** Names of volumes that a StatefulSet makes for each of its pods. */
  readonly claimTemplates?: readonly string[];
  /** What would be wrong with a sidecar's configuration; takes its environment. */
  readonly judge: (environment: Readonly<Record<string, string>>) => readonly string[];
}

/** Warnings are short sentences without a full stop, and hold no secrets. */
export type Injection =
  | ({ readonly kind: 'injected' } & Injected)
  /** It does not ask for a sidecar, or has it already. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'skipped'; readonly reason: SkipReason; readonly detail: string };

interface Injected {
  readonly pod: Pod;
  readonly warnings: readonly string[];
  /** The application's port, and the name by which Services reach the sidecar instead. */
  readonly port: { readonly number: number; readonly name: string };
}

/** Marks pods that have a sidecar, for NetworkPolicies and monitors. */
export const sidecarLabel = `${annotationPrefix}sidecar`;
const injectedValue = 'injected';
/** Else the cluster autoscaler keeps a node for volumes whose content is in the store. */
const evictable = 'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes';
const laravelDirectory = '/var/www/html/storage/framework/sessions';

/** @param given a Pod, or a pod template: an object with `metadata` and `spec`. Not changed. */
export function injectPod(given: unknown, options: InjectOptions): Injection {
  const { annotations, labels } = metadataOf(given);
  if (!asksForSidecar(annotations, options.defaults)) return { kind: 'unchanged' };
  try {
    const pod = readable(given);
    if (labels[sidecarLabel] === injectedValue && hasSidecar(pod.spec)) return { kind: 'unchanged' };
    refuseUnfit(pod);
    const settings = withCpuLimit(readSettings(annotations, options.defaults), pod);
    return { kind: 'injected', ...withSidecar(pod, { ...options, settings }) };
  } catch (error) {
    if (!(error instanceof Skip)) throw error;
    return { kind: 'skipped', reason: error.reason, detail: error.message };
  }
}

type Texts = Readonly<Record<string, string>>;

/** As far as it can be read: whether a pod asks at all has to be known before its shape is looked at. */
function metadataOf(given: unknown): { readonly annotations: Texts; readonly labels: Texts } {
  const metadata = field(given, 'metadata');
  return { annotations: texts(field(metadata, 'annotations')), labels: texts(field(metadata, 'labels')) };
}

function field(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null ? (object as Record<string, unknown>)[name] : undefined;
}

function texts(object: unknown): Texts {
  if (typeof object !== 'object' || object === null) return {};
  return Object.fromEntries(
    Object.entries(object).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

function readable(given: unknown): Pod {
  const read = readPod(given);
  if (read.kind === 'unreadable') throw new Skip('pod-unreadable', read.why);
  return read.pod;
}

function hasSidecar(spec: PodSpec): boolean {
  return allContainers(spec).some(({ name }) => name === sidecarName);
}

function refuseUnfit({ metadata, spec }: Pod): void {
  if (hasSidecar(spec)) throw new Skip('already-there', `container ${sidecarName}`);
  const job = metadata?.ownerReferences?.find(({ kind }) => kind === 'Job');
  if (job !== undefined) throw new Skip('not-a-server', `it belongs to Job ${job.name}`);
  const policy = spec.restartPolicy ?? 'Always';
  if (policy !== 'Always') throw new Skip('not-a-server', `restartPolicy ${policy}`);
  if (spec.hostNetwork === true) throw new Skip('host-network', 'hostNetwork: true');
  const system = spec.os?.name ?? spec.nodeSelector?.['kubernetes.io/os'];
  if (system === 'windows') throw new Skip('windows', system);
}

interface Task extends InjectOptions {
  readonly settings: Settings;
}

function withSidecar(pod: Pod, task: Task): Injected {
  const { settings, services } = task;
  const { spec } = pod;
  const warnings: string[] = [];
  const preset = presetOf(settings);
  const directory = directoryOf(settings, preset);
  const { directory: path } = parseSavePath(directory);
  const place = placeApplication(spec, settings, (container) => mountsWritable(container, normal(path)));
  const { writer, port } = place;
  refuseTakenPorts(spec, settings);
  const past = bypassing(services ?? [], pod.metadata?.labels ?? {}, port);
  if (past.forwarding.length > 0) {
    throw new Skip('service-by-number', `Service ${past.forwarding.join(', ')} has targetPort ${port}`);
  }
  for (const name of past.headless)
    warnings.push(`headless Service ${name} names port ${port}, which by-passes the sidecar`);
  const unused = unusedNames(spec);
  const sessions = shareSessions({
    spec,
    writer,
    directory: normal(path),
    claimTemplates: task.claimTemplates ?? [],
    ownedByStatefulSet: pod.metadata?.ownerReferences?.some(({ kind }) => kind === 'StatefulSet') ?? false,
    name: unused('holdfast-sessions'),
    sizeLimit: settings['sessions-size'] ?? '',
  });
  const moved = movePort(spec, { names: place.portNames, port, server: place.server?.name });
  warnings.push(...sessions.warnings, ...moved.warnings, ...advice(pod, task, place));
  const parts: SidecarParts = {
    settings,
    image: imageOf(settings),
    uid: userOf(settings, writer, spec),
    gid: groupOf(settings, writer, spec),
    seLinuxOptions: writer.securityContext?.seLinuxOptions ?? undefined,
    applicationPort: port,
    directory: directory.slice(0, directory.length - path.length) + normal(path),
    ports: portsOf(spec, settings, place).map((one, index) => (index === 0 ? { ...one, ...moved.host } : one)),
    keys: findKeys(preset, writer, { named: settings.keys, folder: secretsFolder }),
    sessions,
    volumes: {
      admin: unused('holdfast-admin'),
      secrets: unused('holdfast-secrets'),
      config: unused('holdfast-config'),
    },
  };
  // With a ConfigMap the whole is not known here; the sidecar itself says what is wrong.
  const problems = settings.config === undefined ? task.judge(judgedVariables(parts)) : [];
  if (problems.length > 0) throw new Skip('configuration-unusable', problems.slice(0, 3).join('; '));
  const needsTime = [writer.name, place.server?.name];
  const containers = moved.containers.map((container) => {
    const mounted = container.name === writer.name ? withMount(container, sessions.made?.applicationMount) : container;
    return needsTime.includes(container.name) ? withSleep(mounted, warnings) : mounted;
  });
  const made = sessions.made === undefined ? [] : [sessions.made.volume];
  const volumes = [...made, ...sidecarVolumes(parts)];
  const grace = graceSeconds(spec, containers, drainSecondsOf(settings));
  return {
    warnings,
    port: { number: port, name: parts.ports[0]?.name ?? '' },
    pod: {
      ...pod,
      metadata: markedMetadata(pod, volumes),
      spec: {
        ...spec,
        // Behind the application's own: they may prepare the session directory, and bring the network (service meshes).
        initContainers: [...moved.initContainers, sidecarContainer(parts)],
        containers,
        volumes: [...(spec.volumes ?? []), ...volumes],
        ...(grace === undefined ? {} : { terminationGracePeriodSeconds: grace }),
      },
    },
  };
}

function presetOf({ preset }: Settings): Preset {
  const known = presets.find((name) => name === preset);
  if (known === undefined) throw new Skip('preset-unknown', `annotate preset: one of ${presets.join(', ')}`);
  return known;
}

function directoryOf(settings: Settings, preset: Preset): string {
  if (preset === 'plain' && settings.cookie === undefined && settings.config === undefined) {
    throw new Skip('cookie-unknown', 'preset plain has none of its own; annotate cookie');
  }
  const directory = settings.directory ?? (preset === 'laravel' ? laravelDirectory : undefined);
  if (directory === undefined)
    throw new Skip('directory-unknown', `preset ${preset} has no usual one; annotate directory`);
  return directory;
}

function mountsWritable(container: Container, path: string): boolean {
  const mount = coveringMount(container, path);
  return mount !== undefined && mount.readOnly !== true;
}

function imageOf({ image }: Settings): string {
  if (image === undefined) throw new Skip('no-image', 'neither --image nor an annotation names one');
  return image;
}

function userOf(settings: Settings, { name, securityContext }: Container, spec: PodSpec): number {
  const { uid } = settings;
  const user = uid === undefined ? (securityContext?.runAsUser ?? spec.securityContext?.runAsUser) : Number(uid);
  if (user === undefined || user === null)
    throw new Skip('uid-unknown', `container ${name} has no runAsUser; set it, or annotate uid`);
  const isForbidden = securityContext?.runAsNonRoot ?? spec.securityContext?.runAsNonRoot;
  if (user === 0 && isForbidden === true) throw new Skip('root-forbidden', `uid 0 for container ${name}`);
  return user;
}

function groupOf(settings: Settings, { securityContext }: Container, spec: PodSpec): number | undefined {
  const { gid } = settings;
  return (
    (gid === undefined ? (securityContext?.runAsGroup ?? spec.securityContext?.runAsGroup) : Number(gid)) ?? undefined
  );
}

function refuseTakenPorts(spec: PodSpec, settings: Settings): void {
  const own = (['listen-port', 'peer-port', 'probes-port'] as const).map((name) => ({
    name,
    port: Number(settings[name]),
  }));
  for (const { name, port } of own) {
    const other = allContainers(spec).find(({ ports }) => ports?.some((theirs) => theirs.containerPort === port));
    if (other !== undefined) throw new Skip('port-taken', `${name} ${port} is container ${other.name}'s`);
  }
  if (new Set(own.map(({ port }) => port)).size < own.length)
    throw new Skip('port-taken', 'two of the sidecar are the same');
}

/** The data port by the application's names; the others by usual names where the pod has them left. */
function portsOf(spec: PodSpec, settings: Settings, { portNames }: ApplicationPlace): readonly ContainerPort[] {
  const taken = allContainers(spec).flatMap(({ ports }) => (ports ?? []).map(({ name }) => name));
  const free = (name: string): string => (taken.includes(name) ? `${sidecarName}-${name}` : name);
  const names = portNames.length > 0 ? portNames : [free('http')];
  const own = (name: string, port: string | undefined): ContainerPort => ({
    name,
    containerPort: Number(port),
    protocol: 'TCP',
  });
  return [
    ...names.map((name) => own(name, settings['listen-port'])),
    own(free('peer'), settings['peer-port']),
    own(free('probes'), settings['probes-port']),
  ];
}

/** Names for new volumes: the same for the same pod, and none that it has. */
function unusedNames(spec: PodSpec): (wanted: string) => string {
  const mounted = allContainers(spec).flatMap(({ volumeMounts }) => volumeMounts ?? []);
  const taken = new Set([...(spec.volumes ?? []), ...mounted].map(({ name }) => name));
  return (wanted) => {
    let name = wanted;
    for (let count = 2; taken.has(name); count++) name = `${wanted}-${count}`;
    taken.add(name);
    return name;
  };
}

function withMount(container: Container, mount: NonNullable<Container['volumeMounts']>[number] | undefined): Container {
  return mount === undefined ? container : { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
}

/** What is no reason to go without, but worth a word. */
function advice(pod: Pod, { settings, services }: Task, { writer, server, port }: ApplicationPlace): readonly string[] {
  const said: string[] = [];
  if (services === undefined)
    said.push('Services could not be read: one with a numeric targetPort would by-pass the sidecar');
  if (settings.prefix === undefined && settings.config === undefined) {
    said.push('no prefix: applications that share a store need one each');
  }
  if (pod.spec.shareProcessNamespace === true)
    said.push("shareProcessNamespace lets the application read the sidecar's keys");
  const probed = [server ?? writer].some(({ startupProbe, readinessProbe, livenessProbe }) =>
    [startupProbe, readinessProbe, livenessProbe].some((probe) =>
      [probe?.httpGet, probe?.tcpSocket].some(
        (action) => action !== undefined && action !== null && !isLoopback(action.host ?? ''),
      ),
    ),
  );
  if (probed) said.push(`port ${port} is open beyond the pod: a NetworkPolicy should admit only the sidecar's ports`);
  return said;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function markedMetadata({ metadata }: Pod, made: PodSpec['volumes']): Pod['metadata'] {
  const local = (made ?? []).filter((volume) => volume['emptyDir'] !== undefined).map(({ name }) => name);
  const before = metadata?.annotations?.[evictable];
  const evicted = [...(before === undefined || before === '' ? [] : [before]), ...local].join(',');
  return {
    ...metadata,
    annotations: { ...metadata?.annotations, [evictable]: evicted },
    labels: { ...metadata?.labels, [sidecarLabel]: injectedValue },
  };
}
