/**
 * The one table of annotations by which a pod asks for its sidecar and says what the sidecar has to know. Reading them,
 * the defaults of a whole cluster (`--default name=value`) and docs/injector.md come from it.
 *
 * Must not know pods beyond their annotations.
 */

import { Skip } from './skip-reasons.ts';

export const annotationPrefix = 'holdfast.dev/';

interface Row {
  /** The values it takes, for people. */
  readonly kind: string;
  readonly pattern: RegExp;
  /** Holds where neither the pod nor the cluster's defaults say anything. */
  readonly standard?: string;
  /** The variable by which its value reaches the sidecar as it is; a key of the configuration (docs/configuration.md). */
  readonly environment?: string;
  readonly words: string;
}

const flag = { kind: 'true, false', pattern: /^(?:true|false)$/ } as const;
const port = {
  kind: 'port number',
  pattern: /^(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/,
} as const;
/** To 2147483647: the API server refuses a pod with a larger one. */
const userId = {
  kind: 'number',
  pattern:
    /^(?:0|[1-9]\d{0,8}|1\d{9}|20\d{8}|21[0-3]\d{7}|214[0-6]\d{6}|2147[0-3]\d{5}|21474[0-7]\d{4}|214748[0-2]\d{3}|2147483[0-5]\d{2}|21474836[0-3]\d|214748364[0-7])$/,
} as const;
const quantity = { kind: 'quantity', pattern: /^\d+(?:\.\d+)?(?:m|k|M|G|T|Ki|Mi|Gi|Ti)?$/ } as const;
const duration = { kind: 'duration', pattern: /^(?:0|\d{1,9}(?:ms|s|m|h|d))$/ } as const;
/** An object's name in Kubernetes (RFC 1123 subdomain). */
const objectName = { kind: 'name', pattern: /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/ } as const;
const entry = '[A-Za-z0-9._-]{1,253}';
const anyLine = { kind: 'text', pattern: /^[\x20-\x7e]{1,1024}$/ } as const;

const rows = {
  inject: { ...flag, standard: 'false', words: 'Asks for the sidecar. All others do nothing without it.' },
  preset: {
    ...anyLine,
    kind: 'name',
    environment: 'HOLDFAST_SESSION_PRESET',
    words:
      'The framework: `laravel`, `php`, `symfony`, `codeigniter`, `django`, `flask`, `express`, `jsessionid`, `plain`.',
  },
  directory: {
    kind: 'path',
    pattern: /^(?:\/[\x21-\x7e]+|[0-9;]+\/[\x21-\x7e]+)$/,
    environment: 'HOLDFAST_SESSIONS_DIRECTORY',
    words:
      'The session directory inside the container. Preset `laravel`: `/var/www/html/storage/framework/sessions` by default.',
  },
  container: {
    kind: 'name',
    pattern: /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    words:
      'The container that writes the session files (with php-fpm behind a web server: php-fpm). By default the only one, or the only one that mounts a volume there.',
  },
  port: {
    kind: 'name or number',
    pattern: /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/,
    words:
      "The application's HTTP port, in whichever container it is. By default the one named `http`, or the only one.",
  },
  uid: {
    ...userId,
    words: "The user that writes the session files. By default the container's or the pod's `runAsUser`.",
  },
  gid: { ...userId, words: "Its group. By default the container's or the pod's `runAsGroup`." },
  cookie: {
    ...anyLine,
    kind: 'cookie name',
    environment: 'HOLDFAST_SESSION_COOKIE',
    words: "The session cookie; by default the preset's.",
  },
  lifetime: {
    ...duration,
    environment: 'HOLDFAST_SESSION_LIFETIME',
    words: "A session's life after its last use; by default the preset's.",
  },
  keys: {
    kind: 'SECRET/ENTRY, ...',
    pattern: new RegExp(`^[a-z0-9.-]{1,253}/${entry}(?:\\s*,\\s*[a-z0-9.-]{1,253}/${entry}){0,15}$`),
    words:
      "The application's keys, newest first, as entries of Secrets in the pod's namespace. By default what the container has as `APP_KEY` (laravel), `SESSION_SECRET` (express) or `SECRET_KEY` (flask).",
  },
  store: {
    ...objectName,
    standard: 'holdfast',
    words: "The Secret with the store's entries, in the pod's namespace: `store-url` and `store-key`.",
  },
  'store-keys': {
    kind: 'ENTRY, ...',
    pattern: new RegExp(`^${entry}(?:\\s*,\\s*${entry}){0,15}$`),
    standard: 'store-key',
    words: 'Entries of that Secret: the first seals, all open (`store.key`).',
  },
  'name-key': {
    kind: 'ENTRY',
    pattern: new RegExp(`^${entry}$`),
    words: 'The entry that names sessions (`store.nameKey`); needed with several `store-keys`.',
  },
  prefix: {
    ...anyLine,
    kind: 'name',
    environment: 'HOLDFAST_STORE_PREFIX',
    words: "The application's name in the store: one for each application, the same as its gateway's `store.prefix`.",
  },
  replicate: {
    ...anyLine,
    kind: 'sync, async',
    environment: 'HOLDFAST_SESSIONS_REPLICATE',
    words: '`sessions.replicate`.',
  },
  'on-store-down': {
    ...anyLine,
    kind: 'serve, refuse',
    environment: 'HOLDFAST_SESSIONS_ON_STORE_DOWN',
    words: '`sessions.onStoreDown`.',
  },
  elsewhere: {
    ...anyLine,
    kind: 'forward, adopt',
    environment: 'HOLDFAST_SESSIONS_ELSEWHERE',
    words: '`sessions.elsewhere`.',
  },
  serialize: { ...flag, environment: 'HOLDFAST_SESSIONS_SERIALIZE', words: '`sessions.serialize`.' },
  'trusted-proxies': {
    ...anyLine,
    kind: 'networks',
    environment: 'HOLDFAST_TRUSTED_PROXIES',
    words: '`trustedProxies`, such as `[10.0.0.0/8]`: needed behind an ingress, where there is no gateway between.',
  },
  drain: {
    ...duration,
    environment: 'HOLDFAST_TIMEOUTS_DRAIN',
    words: "`timeouts.drain` (20s). The pod's grace period is raised to it, the sleep of the `preStop` hook, and 5 s.",
  },
  'log-level': { ...anyLine, kind: 'level', environment: 'HOLDFAST_LOG_LEVEL', words: '`log.level`.' },
  config: {
    ...objectName,
    words: 'A ConfigMap with `config.yaml`, for every other key. What annotations say wins over it.',
  },
  image: {
    kind: 'image',
    pattern: /^[\x21-\x7e]{1,1024}$/,
    words: "The sidecar's image; by default the injector's `--image`.",
  },
  'image-pull-policy': {
    kind: 'Always, IfNotPresent, Never',
    pattern: /^(?:Always|IfNotPresent|Never)$/,
    words: "By default Kubernetes' own.",
  },
  'listen-host': {
    kind: '0.0.0.0, ::',
    pattern: /^(?:0\.0\.0\.0|::)$/,
    standard: '0.0.0.0',
    words: '`::` in clusters with IPv6.',
  },
  'listen-port': { ...port, standard: '9900', words: "Where the sidecar takes the application's requests." },
  'peer-port': { ...port, standard: '9902', words: 'Where it takes those of other sidecars (`peer.listen`).' },
  'probes-port': { ...port, standard: '9903', words: 'Where it answers the kubelet and Prometheus (`probes`).' },
  'sessions-size': {
    ...quantity,
    standard: '512Mi',
    words: 'The most that a volume made for the session directory may hold.',
  },
  cpu: { ...quantity, standard: '50m', words: "The sidecar's request." },
  memory: { ...quantity, standard: '128Mi', words: "The sidecar's request." },
  'cpu-limit': {
    kind: 'quantity, none',
    pattern: /^(?:none|\d+(?:\.\d+)?(?:m|k|M|G|T|Ki|Mi|Gi|Ti)?)$/,
    words:
      "The sidecar's limit. By default `500m` where all containers of the pod have one by themselves, as a ResourceQuota on `limits.cpu` asks for, else none. Raised to the request where it is less.",
  },
  'memory-limit': {
    ...quantity,
    standard: '384Mi',
    words: "The sidecar's limit. Raised to the request where it is less.",
  },
} as const satisfies Readonly<Record<string, Row>>;

export type AnnotationName = keyof typeof rows;

export const annotations: Readonly<Record<AnnotationName, Row>> = rows;

/** By the annotation's name without its prefix; undefined: nobody says anything. */
export type Settings = Readonly<Partial<Record<AnnotationName, string>>>;

const names = Object.keys(rows) as readonly AnnotationName[];
const shownMax = 3;

/**
 * What is wrong with a value, in words; undefined: nothing.
 * @param name without the prefix.
 */
export function annotationProblem(name: string, value: string): string | undefined {
  if (!isAnnotation(name)) return `${name} does not exist`;
  const { pattern, kind } = annotations[name];
  return pattern.test(value) ? undefined : `${name} is not ${kind.includes(',') ? 'one of ' : 'a '}${kind}`;
}

/**
 * A pod's settings: its own annotations, else the cluster's defaults, else the table's.
 * @throws Skip 'annotation-invalid'
 */
export function readSettings(given: Readonly<Record<string, string>>, defaults: Settings): Settings {
  const own: Record<string, string> = {};
  const problems: string[] = [];
  for (const [key, value] of Object.entries(given)) {
    if (!key.startsWith(annotationPrefix)) continue;
    const name = key.slice(annotationPrefix.length);
    const problem = annotationProblem(name, value);
    if (problem === undefined) own[name] = value;
    else problems.push(problem);
  }
  if (problems.length > 0) throw new Skip('annotation-invalid', problems.slice(0, shownMax).join('; '));
  return { ...standards(), ...defaults, ...own };
}

/** Whether a pod asks for a sidecar. What is neither true nor false asks too, and is then told that it is neither. */
export function asksForSidecar(given: Readonly<Record<string, string>>, defaults: Settings): boolean {
  return (given[`${annotationPrefix}inject`] ?? defaults.inject ?? rows.inject.standard) !== 'false';
}

export function isAnnotation(name: string): name is AnnotationName {
  return Object.hasOwn(rows, name);
}

function standards(): Settings {
  return Object.fromEntries(
    names.flatMap((name) => {
      const { standard } = annotations[name];
      return standard === undefined ? [] : [[name, standard]];
    }),
  );
}
