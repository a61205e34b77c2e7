/**
 * The one schema: every key that exists, its type, its default and one sentence about it. Types, environment
 * names, the unknown-key check and docs/configuration.md are all derived from it.
 *
 * What depends on more than one key is in settle.ts. Must not know where values come from.
 */

import { z } from 'zod';
import { presets } from '../affinity/session-codec.ts';
import { logLevels } from '../base/log.ts';
import { limits, timeouts } from './limits-schema.ts';
import { pods } from './pods-schema.ts';
import {
  address,
  choice,
  count,
  duration,
  flag,
  lifetime,
  networks,
  path,
  secret,
  secrets,
  size,
  text,
  texts,
} from './values.ts';

const cookieName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const plainName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const anyLine = /^[^\0\r\n]{1,1024}$/;

const places = z.union(
  [z.literal(false).transform(() => 'off'), z.string().regex(anyLine, 'is not host:port, unix:PATH or off')],
  {
    error: 'is not host:port, unix:PATH or off',
  },
);

const listenEntry = z.union(
  [
    z.string().transform((given) => ({ address: given })),
    // The rest of it is read by settle-listen.ts.
    z.looseObject({ address: z.string() }),
  ],
  { error: 'is not host:port' },
);

const session = z
  .object({
    preset: choice(presets).optional().describe('The framework whose session cookie and files these are.'),
    cookie: text(cookieName, 'a cookie name')
      .optional()
      .describe("The session cookie's name; by default the preset's own."),
    keys: texts(anyLine, 'a secret')
      .meta({ kind: 'list of secrets', secret: true })
      .prefault([])
      .describe(
        "The application's keys for presets that sign or encrypt (laravel: APP_KEY; express: the secret; flask: SECRET_KEY, where it signs); older keys follow.",
      ),
    lifetime: lifetime().optional().describe("A session's life after its last use; by default the preset's usual one."),
  })
  .prefault({});

const store = z
  .object({
    url: text(anyLine, 'memory: or a redis URL')
      .meta({ kind: 'URL', secret: true })
      .prefault('memory:')
      .describe(
        'Where sessions are kept: `redis://HOST:PORT/DB`, `redis+sentinel://H1,H2/MASTER/DB`, `redis+cluster://H1,H2`; `rediss` for TLS (docs/store.md). `memory:` is this process alone.',
      ),
    key: secrets()
      .optional()
      .describe(
        'Seals sessions, and signs what sidecars and gateways say to each other. The first of a list seals, all open.',
      ),
    nameKey: secret()
      .optional()
      .describe(
        'Names sessions in the store; never rotated. By default the single `store.key`; needed when that is a list.',
      ),
    prefix: text(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name')
      .prefault('holdfast')
      .describe("The application's name: one for each application that shares a store."),
    tls: z
      .object({
        ca: text(/^-----BEGIN /, 'a certificate in PEM (file:PATH)')
          .optional()
          .describe('Certificates to trust instead of the well-known ones.'),
        certificate: text(/^-----BEGIN /, 'a certificate in PEM (file:PATH)')
          .optional()
          .describe('Our own certificate.'),
        key: text(/^-----BEGIN /, 'a key in PEM (file:PATH)')
          .meta({ kind: 'secret', secret: true })
          .optional()
          .describe("Our own certificate's key."),
        serverName: text(/^[A-Za-z0-9.-]{1,253}$/, 'a host name')
          .optional()
          .describe("The name in the store's certificate, where it is not the URL's."),
      })
      .optional(),
    sentinel: z
      .object({
        username: text(anyLine, 'a user name')
          .optional()
          .describe("Our user at the sentinels; the URL's is for Redis itself."),
        password: text(anyLine, 'a password')
          .meta({ kind: 'secret', secret: true })
          .optional()
          .describe('Our password at the sentinels.'),
      })
      .prefault({}),
    wait: z
      .object({
        replicas: count({ min: 0, max: 16 })
          .prefault(0)
          .describe(
            'Replicas that must have a session before it counts as stored (WAIT); best effort, see docs/store.md.',
          ),
        timeout: duration()
          .prefault('100ms')
          .describe('How long Redis waits for them; at most half of `timeouts.store`.'),
      })
      .prefault({}),
  })
  .prefault({});

const gateway = {
  pods,
  affinity: z
    .object({
      pin: choice(['cookie', 'table'])
        .prefault('cookie')
        .describe('Whether a signed cookie or a table in memory says where a session lives.'),
      pinKey: secrets()
        .optional()
        .describe(
          'Signs the pin cookie; by default derived from `store.key`. The first of a list signs, all verify. A first one of its own is given with `store.key` behind it, until the pins of before have ended.',
        ),
      cookie: text(cookieName, 'a cookie name')
        .optional()
        .describe("The pin cookie's name; by default `hf_` and 8 digits that differ between applications."),
      boundedLoad: z
        .number({ error: 'is not a number' })
        .min(1, { error: 'is below 1' })
        .max(100, { error: 'is above 100' })
        .meta({ kind: 'number' })
        .prefault(1.25)
        .describe('How far above the average a pod may be loaded by requests without a session.'),
      strict: flag()
        .prefault(false)
        .describe('Answer 503 while the pod of a session is not available, instead of moving the session.'),
    })
    .prefault({}),
  health: z
    .object({
      interval: duration({ minMs: 100 }).prefault('2s').describe('Between two probes of a pod.'),
      fails: count({ min: 1, max: 100 }).prefault(2).describe('Failed probes until a pod counts as unhealthy.'),
      passes: count({ min: 1, max: 100 }).prefault(1).describe('Passed probes until it counts as ready again.'),
      slowStart: duration({ minMs: 0, maxMs: 3_600_000 })
        .prefault('10s')
        .describe(
          'A pod that is new, or was unhealthy, gets requests without a session at a share that rises over this time. 0: at once.',
        ),
      path: text(/^\/[\x21-\x7e]{0,1023}$/, 'a path that begins with /')
        .optional()
        .describe(
          "Asks the application for this path (200 to 399 passes). By default the pod's sidecar is asked, or a connection is tried.",
        ),
    })
    .prefault({}),
  workers: count({ min: 1, max: 64 })
    .prefault(1)
    .describe('Processes that share the listeners, at best one for each core (docs/decisions/workers.md).'),
};

const sidecar = {
  pod: z
    .object({
      name: text(plainName, 'a pod name').optional().describe("The pod's stable name."),
      uid: text(/^[A-Za-z0-9._:-]{1,128}$/, 'a uid')
        .optional()
        .describe("The pod's uid; by default one is made and kept beside the notes."),
    })
    .prefault({}),
  peer: z
    .object({
      listen: address({ portMin: 0 })
        .prefault('0.0.0.0:9902')
        .describe('Where other sidecars ask for sessions, and nothing else.'),
      advertise: text(/^\S{1,512}$/, 'HOST or HOST:PORT')
        .optional()
        .describe(
          "How other pods reach this one; by default the listen address, or where that is every interface this machine's first address.",
        ),
    })
    .prefault({}),
  application: address({ portMin: 1 }).optional().describe("The application's own address, on loopback."),
  sessions: z
    .object({
      directory: path().optional().describe("The application's session directory."),
      replicate: choice(['sync', 'async'])
        .prefault('sync')
        .describe('sync: an answer ends when its session is stored. async: at once.'),
      onStoreDown: choice(['serve', 'refuse'])
        .prefault('serve')
        .describe('What happens to sessions that are not here, and to changed ones, while the store is down.'),
      elsewhere: choice(['forward', 'adopt'])
        .prefault('forward')
        .describe('A session that another live pod owns: forward the request there, or take the session over.'),
      serialize: flag()
        .prefault(false)
        .describe(
          'Requests of one session reach the application one at a time (`timeouts.turn`), so that parallel ones lose no changes. Tunnels and event streams keep the others waiting only until their answer begins.',
        ),
      rebalance: flag()
        .prefault(false)
        .describe(
          'After a scale-up gateways move idle sessions, at their next request, from pods with more active ones to pods with fewer (docs/decisions/rebalance.md).',
        ),
      maxBytes: size()
        .prefault('1m')
        .describe(
          'Larger sessions are not stored: with `sync` their answer is refused and the stored copy comes back, with `async` it leaves, counted.',
        ),
      notes: path()
        .optional()
        .describe(
          'Where the keeper writes which session files are current; by default `.holdfast` in the session directory. Must be in the same volume.',
        ),
      mode: z
        .union(
          [
            z.string().regex(/^0?6[0-6]{2}$/, 'is not a file mode such as "0600"'),
            z.int().refine((digits) => /^6[0-6]{2}$/.test(String(digits)), 'is not a file mode such as "0600"'),
          ],
          {
            error: 'is not a file mode such as "0600"',
          },
        )
        .transform((digits) => Number.parseInt(String(digits), 8))
        .meta({ kind: 'file mode' })
        .optional()
        .describe("Permissions of session files that are written here; by default those of the application's own."),
      skip: z
        .object({
          paths: texts(/^\/[\x21-\x7e]{0,1023}$/, 'the beginning of a path')
            .prefault([])
            .describe('Requests whose answers are not held; affinity still applies.'),
          methods: texts(/^[A-Z]{1,32}$/, 'a method')
            .prefault([])
            .describe('The same, by method.'),
        })
        .prefault({}),
      ignore: z
        .object({
          paths: texts(/^\/[\x21-\x7e]{0,1023}$/, 'the beginning of a path')
            .prefault([])
            .describe('Requests that make no session.'),
          userAgents: texts(anyLine, 'the beginning of a user agent')
            .prefault(['kube-probe/'])
            .describe('The same, by User-Agent.'),
        })
        .prefault({}),
    })
    .prefault({}),
};

export const roles = ['gateway', 'sidecar'] as const;
export type RoleName = (typeof roles)[number];

/** Which top-level keys belong to one role only; the other role's are checked for their names and left alone. */
export const roleKeys: Readonly<Record<RoleName, readonly string[]>> = {
  gateway: Object.keys(gateway),
  sidecar: Object.keys(sidecar),
};

export const schema = z.object({
  role: choice(roles).prefault('gateway').describe('What this process is.'),
  listen: z
    .union([listenEntry.transform((one) => [one]), z.array(listenEntry).min(1).max(64)], {
      error: 'is not host:port, or a list of them',
    })
    .meta({ kind: 'host:port, or a list' })
    .prefault('0.0.0.0:8080')
    .describe('Where clients connect. An entry may be a mapping: see below.'),
  admin: places
    .meta({ kind: 'host:port \\| unix:PATH \\| off' })
    .optional()
    .describe(
      'The window into the process. Default: `127.0.0.1:9901` for a gateway, `unix:/run/holdfast/admin.sock` for a sidecar.',
    ),
  adminToken: text(/^[\x21-\x7e]{16,512}$/, 'a secret of 16 or more characters')
    .meta({ kind: 'secret', secret: true })
    .optional()
    .describe('What the window asks for (`Authorization: Bearer`). Needed for TCP in a sidecar or beyond loopback.'),
  probes: address({ portMin: 0 })
    .optional()
    .describe(
      'Only `/startz`, `/livez`, `/readyz` and `/metrics`, for the kubelet and Prometheus. Off without the key.',
    ),
  trustedProxies: networks().prefault([]).describe('Networks whose `X-Forwarded-*` and PROXY headers are believed.'),
  session,
  store,
  log: z
    .object({
      level: choice(logLevels).prefault('info').describe('Can be changed while the process runs.'),
      access: flag().prefault(true).describe('One line for each request.'),
      query: flag().prefault(false).describe("Whether the access line's path keeps its query."),
    })
    .prefault({}),
  timeouts,
  limits,
  ...gateway,
  ...sidecar,
});

/** All keys with their values read and their defaults filled in, before settle.ts has looked at them together. */
export type Keys = z.output<typeof schema>;
