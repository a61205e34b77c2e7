/**
 * The sidecar's container, from what is known of its application: a native sidecar (an init container with
 * `restartPolicy: Always`), which starts before the application and ends after it. docs/rules.md 33 to 37. Pure.
 */

import type { ApplicationKeys, SecretFile } from './application-keys.ts';
import type { Settings } from './annotations.ts';
import { annotations, isAnnotation } from './annotations.ts';
import type { Container, ContainerPort, Volume } from './pod.ts';
import { largerQuantity } from './quantity.ts';
import type { SessionVolume } from './session-volume.ts';

export const sidecarName = 'holdfast';
/** As the Dockerfile lays the image out. */
const program = '/usr/local/bin/holdfast';

export const secretsFolder = '/etc/holdfast/secrets';
const configFolder = '/etc/holdfast/config';
const adminFolder = '/run/holdfast';
const adminSocket = `${adminFolder}/admin.sock`;
/** The admin socket needs no room at all. */
const adminSize = '1Mi';

export interface SidecarParts {
  readonly settings: Settings;
  readonly image: string;
  readonly uid: number;
  readonly gid: number | undefined;
  readonly seLinuxOptions: Readonly<Record<string, unknown>> | undefined;
  readonly applicationPort: number;
  /** As `session.directory` takes it, `N;MODE;` included. */
  readonly directory: string;
  /** By which the data port is known: the application's names. */
  readonly ports: readonly ContainerPort[];
  readonly keys: ApplicationKeys;
  readonly sessions: SessionVolume;
  readonly volumes: VolumeNames;
}

/** Names that no volume of the pod has. */
export interface VolumeNames {
  readonly admin: string;
  readonly secrets: string;
  readonly config: string;
}

export function sidecarContainer(parts: SidecarParts): Container {
  const { settings, sessions, volumes, keys } = parts;
  const config = settings.config === undefined ? [] : ['--config', `${configFolder}/config.yaml`];
  const probe = (path: string): { readonly path: string; readonly port: number } => ({
    path,
    port: probesPort(settings),
  });
  return {
    name: sidecarName,
    image: parts.image,
    ...(settings['image-pull-policy'] === undefined ? {} : { imagePullPolicy: settings['image-pull-policy'] }),
    restartPolicy: 'Always',
    args: ['run', ...config],
    env: [
      ...Object.entries(sidecarVariables(parts)).map(([name, value]) => ({ name, value })),
      { name: 'HOLDFAST_POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'HOLDFAST_POD_UID', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.uid' } } },
      { name: 'HOLDFAST_PEER_ADVERTISE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
      ...keys.variables,
      ...sessions.variables.filter(({ name }) => !keys.variables.some((key) => key.name === name)),
    ],
    ports: [...parts.ports],
    // The application starts once this has passed: sessions can be restored by then. A node may be busy; what can't start ends by itself.
    startupProbe: { httpGet: probe('/startz'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 300 },
    // Speaks for the application too: not ready while it refuses connections.
    readinessProbe: { httpGet: probe('/readyz'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 1 },
    livenessProbe: { httpGet: probe('/livez'), periodSeconds: 10, timeoutSeconds: 5 },
    // Runs when the pod begins to end, while the application still serves; SIGTERM comes after it.
    lifecycle: { preStop: { exec: { command: [program, 'drain', '--socket', adminSocket] } } },
    resources: resources(settings),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: parts.uid !== 0,
      // PHP refuses session files of another user.
      runAsUser: parts.uid,
      ...(parts.gid === undefined ? {} : { runAsGroup: parts.gid }),
      seccompProfile: { type: 'RuntimeDefault' },
      ...(parts.seLinuxOptions === undefined ? {} : { seLinuxOptions: parts.seLinuxOptions }),
    },
    volumeMounts: [
      sessions.sidecarMount,
      { name: volumes.admin, mountPath: adminFolder },
      { name: volumes.secrets, mountPath: secretsFolder, readOnly: true },
      ...(settings.config === undefined ? [] : [{ name: volumes.config, mountPath: configFolder, readOnly: true }]),
    ],
  };
}

/** The variables that are no references to other objects: what configures the sidecar. */
export function sidecarVariables(parts: Pick<SidecarParts, 'settings' | 'applicationPort' | 'directory' | 'keys'>) {
  const { settings, keys } = parts;
  const host = settings['listen-host'] === '::' ? '[::]' : '0.0.0.0';
  const variables: Record<string, string> = {
    HOLDFAST_ROLE: 'sidecar',
    HOLDFAST_ADMIN: `unix:${adminSocket}`,
    HOLDFAST_LISTEN: `${host}:${settings['listen-port'] ?? ''}`,
    HOLDFAST_PEER_LISTEN: `${host}:${settings['peer-port'] ?? ''}`,
    HOLDFAST_PROBES: `${host}:${settings['probes-port'] ?? ''}`,
    HOLDFAST_APPLICATION: `127.0.0.1:${parts.applicationPort}`,
    HOLDFAST_STORE_URL: `file:${secretsFolder}/store-url`,
    HOLDFAST_STORE_KEY: JSON.stringify(storeFiles(settings).keys.map(({ path }) => `file:${secretsFolder}/${path}`)),
  };
  if (settings['name-key'] !== undefined) variables['HOLDFAST_STORE_NAME_KEY'] = `file:${secretsFolder}/name-key`;
  if (keys.references.length > 0) variables['HOLDFAST_SESSION_KEYS'] = JSON.stringify(keys.references);
  for (const [name, value] of Object.entries(settings)) {
    const environment = isAnnotation(name) ? annotations[name].environment : undefined;
    if (environment !== undefined) variables[environment] = value;
  }
  variables['HOLDFAST_SESSIONS_DIRECTORY'] = parts.directory;
  return variables;
}

/** Volumes that only the sidecar mounts. */
export function sidecarVolumes({ settings, keys, volumes }: SidecarParts): readonly Volume[] {
  const { url, keys: storeKeys, nameKey } = storeFiles(settings);
  const files = [url, ...storeKeys, ...nameKey, ...keys.files];
  const bySecret = Map.groupBy(files, ({ secret }) => secret);
  const sources = [...bySecret].map(([name, entries]) => ({
    secret: { name, items: entries.map(({ entry, path }) => ({ key: entry, path })) },
  }));
  return [
    { name: volumes.admin, emptyDir: { medium: 'Memory', sizeLimit: adminSize } },
    // Readable by the application's user, in a volume that only the sidecar mounts.
    { name: volumes.secrets, projected: { defaultMode: 0o444, sources } },
    ...(settings.config === undefined ? [] : [{ name: volumes.config, configMap: { name: settings.config } }]),
  ];
}

interface StoreFiles {
  readonly url: SecretFile;
  readonly keys: readonly SecretFile[];
  readonly nameKey: readonly SecretFile[];
}

function storeFiles(settings: Settings): StoreFiles {
  const secret = settings.store ?? '';
  const keys = (settings['store-keys'] ?? '').split(',').map((entry) => entry.trim());
  const nameKey = settings['name-key'];
  return {
    url: { secret, entry: 'store-url', path: 'store-url' },
    keys: keys.map((entry, index) => ({ secret, entry, path: `store-key-${index}` })),
    nameKey: nameKey === undefined ? [] : [{ secret, entry: nameKey, path: 'name-key' }],
  };
}

function probesPort(settings: Settings): number {
  return Number(settings['probes-port']);
}

function resources(settings: Settings): Container['resources'] {
  const { cpu, memory } = settings;
  // The API server refuses a pod that requests more than its limit.
  const raised = (limit: string | undefined, request: string | undefined): string | undefined =>
    limit === undefined || request === undefined ? limit : largerQuantity(limit, request);
  const limits = { cpu: raised(settings['cpu-limit'], cpu), memory: raised(settings['memory-limit'], memory) };
  const given = (amounts: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> =>
    Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount !== undefined));
  return { requests: given({ cpu, memory }), limits: given(limits) };
}
