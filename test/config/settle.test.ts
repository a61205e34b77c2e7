import assert from 'node:assert/strict';
import { test } from 'node:test';
import { config, gateway, gatewayConfig, problems, secret, sidecar, sidecarConfig } from './config-case.ts';

test("the contract's values are the defaults", () => {
  const read = gatewayConfig({ yaml: gateway });
  assert.deepEqual(read.listen, [{ host: '0.0.0.0', port: 8080 }]);
  assert.deepEqual(read.admin, {
    place: { kind: 'tcp', address: { host: '127.0.0.1', port: 9901 } },
    byDefault: true,
    token: undefined,
  });
  assert.equal(read.probes, undefined);
  assert.deepEqual(read.timeouts, {
    headMs: 10_000,
    connectMs: 1000,
    responseMs: 60_000,
    bodyIdleMs: 60_000,
    keepAliveMs: 75_000,
    upstreamIdleMs: 4000,
    tunnelIdleMs: 3_600_000,
    drainMs: 20_000,
    drainDelayMs: 5000,
    storeMs: 500,
    syncMs: 3000,
    handoffMs: 2000,
    lockMs: 5000,
    turnMs: 10_000,
    lookupMs: 50,
  });
  assert.deepEqual(read.limits, {
    headBytes: 32_768,
    targetBytes: 8000,
    fields: 100,
    bodyBytes: 0,
    connections: 10_000,
    perSession: 64,
    holdBytes: 262_144,
    replayBytes: 65_536,
    adopts: 256,
    unsynced: 10_000,
  });
  assert.equal(read.pods.sidecars, true);
  assert.equal(read.session.cookie, 'PHPSESSID');
  assert.equal(read.session.lifetimeMs, 7_200_000);
  assert.deepEqual(read.health, { intervalMs: 2000, fails: 2, passes: 1, path: undefined, slowStartMs: 10_000 });
});

test("a sidecar's defaults: its own socket, notes in the session directory, probes of the kubelet ignored", () => {
  const read = sidecarConfig({ yaml: sidecar });
  assert.deepEqual(read.admin.place, { kind: 'unix', path: '/run/holdfast/admin.sock' });
  assert.equal(read.sessions.notes, undefined, 'the session directory knows where they are');
  assert.deepEqual(read.sessions.ignore, { paths: [], userAgents: ['kube-probe/'] });
  assert.equal(read.sessions.maxBytes, 1024 * 1024);
  assert.equal(read.sessions.mode, undefined);
});

test('a role says what it needs, all at once', () => {
  assert.deepEqual(
    problems({ yaml: 'role: gateway' }).map((problem) => problem.split(':', 1)[0]),
    ['affinity.pinKey', 'pods', 'session.preset'],
  );
  assert.deepEqual(
    problems({ yaml: 'role: sidecar' }).map((problem) => problem.split(':', 1)[0]),
    ['application', 'pod.name', 'session.preset', 'sessions.directory', 'store.key', 'store.url'],
  );
});

test('a value that can not be read does not hide what else is wrong', () => {
  const yaml =
    'role: gateway\ntimeouts: { head: soon }\nlimits: { headBytes: 3x }\nsession: { preset: php }\nstore: { key: short }';
  assert.deepEqual(problems({ yaml }), [
    'limits.headBytes: "3x" is not a size such as 32k, 1m or 65536',
    'pods: needs one of static, dns and kubernetes: the role gateway has to know its pods',
    'store.key: is not a secret of at least 16 bytes, or a list of them',
    'timeouts.head: "soon" is not a duration such as 500ms, 10s, 5m, 2h or 1d',
  ]);
});

test("no problem shows a secret's value, wherever it came from", () => {
  const environment = { APP_KEY: 'leak-1', HOLDFAST_ADMIN_TOKEN: 'leak-2', SHORT: 'leak-3' };
  const yaml = `
role: sidecar
session: { preset: laravel, keys: [env:APP_KEY, leak-4] }
store: { url: "http://leak-5@x", key: leak-6, nameKey: env:SHORT }
pod: { name: "env:SHORT" }
limits: { fields: env:SHORT }
`;
  const found = problems({ yaml, environment });
  assert.doesNotMatch(found.join('\n'), /leak/);
  for (const path of [
    'session.keys[0]',
    'session.keys[1]',
    'store.url',
    'store.key',
    'store.nameKey',
    'adminToken',
    'limits.fields',
  ]) {
    assert.ok(
      found.some((problem) => problem.startsWith(`${path}:`)),
      `${path} is reported`,
    );
  }
});

test("the store's password is not in what may be shown", () => {
  const read = config({ yaml: gateway.replace('redis://redis:6379', 'rediss://user:leak@redis:6380/2') });
  assert.equal(read.store.shownUrl, 'rediss://redis:6380/2');
  assert.equal(read.store.kind, 'redis');
});

test('sentinels, clusters, replicas to wait for and TLS are settled together', () => {
  const behind = gateway.replace('redis://redis:6379', 'redis+sentinel://:leak@a,b/main/0');
  const read = config({
    yaml: behind.replace('store: {', 'store: { wait: { replicas: 2 }, sentinel: { password: s3 },'),
  });
  assert.equal(read.store.shownUrl, 'redis+sentinel://a,b/main/0');
  assert.deepEqual(read.store.wait, { replicas: 2, timeoutMs: 100 });
  assert.deepEqual(read.store.sentinel, { password: 's3' });
  assert.equal(config({ yaml: gateway }).store.wait, undefined);
  const wrong = (store: string, url = 'redis://redis:6379'): string =>
    problems({ yaml: gateway.replace('redis://redis:6379', url).replace('store: {', `store: { ${store},`) }).join('\n');
  assert.match(wrong('wait: { replicas: 1, timeout: 300ms }'), /^store.wait.timeout: is more than half/);
  assert.match(wrong('tls: { serverName: x }'), /^store.tls: needs a store.url that begins with rediss:/);
  assert.match(wrong('tls: { certificate: "-----BEGIN x" }', 'rediss://a'), /^store.tls: needs certificate and key/);
  assert.match(wrong('sentinel: { username: x }'), /^store.sentinel.password: is needed/);
});

test('without a shared store the pods are bare applications, and the pin needs a key of its own', () => {
  const bare = 'session: { preset: php }\npods: { static: [a=10.0.0.1:80] }';
  assert.deepEqual(problems({ yaml: bare }), [
    'affinity.pinKey: is needed to sign the pin cookie, or store.key, from which it is derived',
  ]);
  const read = gatewayConfig({ yaml: `${bare}\naffinity: { pinKey: ${secret} }` });
  assert.equal(read.pods.sidecars, false);
  assert.deepEqual(read.affinity.pinKeys?.map(String), [secret]);
  assert.equal(gatewayConfig({ yaml: `${bare}\naffinity: { pin: table }` }).affinity.pinKeys, undefined);
});

test('before sidecars store.key is needed, and signs the pin where pinKey is not given', () => {
  const [only, ...others] = problems({ yaml: gateway.replace(/, key: "[^"]*"/, '') });
  assert.match(only ?? '', /^store.key: is needed/);
  assert.deepEqual(others, [], 'nor is the pin key asked for, which would come from it');
  assert.deepEqual(gatewayConfig({ yaml: gateway }).affinity.pinKeys?.map(String), [secret]);
});

test('a list of store keys needs store.nameKey', () => {
  const list = `[${secret}, "another-key-of-32-bytes-for-tests"]`;
  assert.deepEqual(problems({ yaml: gateway.replace(`"${secret}"`, list) }), [
    'store.nameKey: is needed when store.key is a list: names in the store must not change with the rotation',
  ]);
  const read = config({ yaml: gateway.replace(`"${secret}"`, `${list}, nameKey: "names-are-never-rotated"`) });
  assert.equal(read.store.keys?.length, 2);
  assert.equal(read.store.nameKey?.toString(), 'names-are-never-rotated');
});

test('a sidecar refuses the embedded store, except in dev', () => {
  const yaml = sidecar.replace('redis://redis:6379', 'memory:');
  assert.match(problems({ yaml }).join('\n'), /^store.url: can not be memory: in a sidecar/);
  assert.equal(config({ yaml, dev: true }).store.kind, 'memory');
});

test('the admin window needs a token beyond loopback, and in a sidecar for any TCP', () => {
  assert.deepEqual(problems({ yaml: `${gateway}\nadmin: 0.0.0.0:9901` }), [
    'adminToken: is needed when admin listens beyond loopback',
  ]);
  assert.match(problems({ yaml: `${sidecar}\nadmin: 127.0.0.1:9901` }).join(), /^adminToken: is needed: in a sidecar/);
  const token = 'a-token-of-some-length';
  assert.equal(config({ yaml: `${sidecar}\nadmin: 127.0.0.1:9901\nadminToken: ${token}` }).admin.token, token);
  assert.equal(config({ yaml: `${gateway}\nadmin: off` }).admin.place, undefined);
  assert.deepEqual(config({ yaml: `${gateway}\nadmin: unix:/tmp/a.sock` }).admin.place, {
    kind: 'unix',
    path: '/tmp/a.sock',
  });
  assert.match(
    problems({ yaml: `${gateway}\nadmin: unix:/${'x'.repeat(120)}` }).join(),
    /^admin: .* is not host:port, unix:PATH/,
  );
});

test('pods come from one place: a list, a name, or a Service', () => {
  const from = (pods: string): unknown =>
    gatewayConfig({ yaml: gateway.replace('static: [pod-a=10.1.0.4:8080]', pods) }).pods.place;
  assert.deepEqual(from('dns: app.shop.svc:8080'), { kind: 'dns', host: 'app.shop.svc', port: 8080 });
  const named = { kind: 'kubernetes', namespace: 'shop', service: 'app', port: 'http', deletionCost: false };
  assert.deepEqual(from('kubernetes: { namespace: shop, service: app, port: http }'), named);
  const costly = { ...named, deletionCost: true };
  assert.deepEqual(from('kubernetes: { namespace: shop, service: app, port: http, deletionCost: true }'), costly);
  assert.deepEqual(from('kubernetes: { service: app }'), { ...named, namespace: undefined, port: undefined });
  assert.deepEqual(from('kubernetes: { service: app, port: 8080 }'), { ...named, namespace: undefined, port: 8080 });
  for (const [pods, problem] of [
    ['dns: 10.0.0.1:8080', 'pods.dns: "10.0.0.1:8080" is an address and no name: use pods.static'],
    ['dns: app.shop.svc', 'pods.dns: "app.shop.svc" is not HOST:PORT'],
    [
      'kubernetes: { namespace: shop }',
      'pods.kubernetes.service: is needed: the name of the Service whose pods these are',
    ],
    ['dns: app:80, static: [a=10.0.0.1:80]', 'pods: takes one of static, dns and kubernetes'],
  ] as const) {
    assert.deepEqual(problems({ yaml: gateway.replace('static: [pod-a=10.1.0.4:8080]', pods) }), [problem]);
  }
});

test('a listen address that can not be read is not offered what this version does not have', () => {
  assert.deepEqual(problems({ yaml: `${gateway}\nlisten: 5` }), ['listen: 5 is not host:port, or a list of them']);
  assert.deepEqual(problems({ yaml: `${gateway}\nlisten: [a, { address: "b:1", backlog: 5 }]` }), [
    'listen[0]: "a" is not host:port',
    'listen[1].backlog: is no key of the configuration',
  ]);
});

test('without a role that exists, what is wrong for any role is told, and nothing that only one needs', () => {
  const yaml =
    'role: proxy\nlisten: nowhere\nstore: { url: "http://x", key: [a-store-key-of-rotation, another-store-key] }';
  assert.deepEqual(
    problems({ yaml }).map((problem) => problem.split(':', 1)[0]),
    ['listen', 'role', 'session.preset', 'store.nameKey', 'store.url'],
  );
});

test('pin: table with several workers and no shared store is refused', () => {
  const yaml = 'session: { preset: php }\npods: { static: [a=10.0.0.1:80] }\naffinity: { pin: table }\nworkers: 2';
  assert.match(problems({ yaml }).join('\n'), /^affinity.pin: can not be table with several workers/m);
});

test("presets that sign or encrypt need the application's key, of the right length for Laravel", () => {
  assert.match(
    problems({ yaml: gateway.replace('preset: php', 'preset: express') }).join(),
    /^session.keys: is needed/,
  );
  assert.match(
    problems({ yaml: gateway.replace('preset: php', 'preset: laravel, keys: ["0123456789"]') }).join(),
    /^session.keys\[0\]: is not a Laravel APP_KEY/,
  );
  const key = Buffer.alloc(32, 7);
  const yaml = gateway.replace('preset: php', `preset: laravel, keys: "base64:${key.toString('base64')}"`);
  assert.deepEqual(config({ yaml }).session.keys, [key]);
  assert.equal(config({ yaml }).session.cookie, undefined);
});

test('how others reach a sidecar: as told, with the peer port where none is told', () => {
  const advertise = (peer: string) => sidecarConfig({ yaml: `${sidecar}\npeer: ${peer}` }).peer.advertise;
  assert.deepEqual(advertise('{ listen: 127.0.0.1:9902 }'), { host: '127.0.0.1', port: 9902 });
  assert.deepEqual(advertise('{ advertise: 10.1.2.3 }'), { host: '10.1.2.3', port: 9902 });
  assert.deepEqual(advertise('{ advertise: "10.1.2.3:7000" }'), { host: '10.1.2.3', port: 7000 });
  assert.deepEqual(advertise('{ advertise: "fd00::5" }'), { host: 'fd00::5', port: 9902 });
  assert.notEqual(advertise('{ listen: 0.0.0.0:9902 }').host, '0.0.0.0');
});

test('pods have names that are given once, and addresses', () => {
  const wrong = gateway.replace('pod-a=10.1.0.4:8080', 'a=10.0.0.1:80, a=10.0.0.2:80, b=nowhere');
  assert.deepEqual(problems({ yaml: wrong }), [
    'pods.static[1]: the name "a" is given twice',
    'pods.static[2]: "b=nowhere" is not NAME=HOST:PORT',
  ]);
});

test('sizes count in 1024, durations have units, and 0 means none without being endless', () => {
  const read = config({
    yaml: `${gateway}\nlimits: { headBytes: 0, holdBytes: 1m, connections: 0 }\ntimeouts: { drainDelay: 0 }`,
  });
  assert.equal(read.limits.headBytes, 1024 * 1024);
  assert.equal(read.limits.holdBytes, 1024 * 1024);
  assert.equal(read.limits.connections, 0);
  assert.equal(read.timeouts.drainDelayMs, 0);
  assert.match(problems({ yaml: `${gateway}\ntimeouts: { head: 10 }` }).join(), /^timeouts.head: 10 is not a duration/);
  assert.match(problems({ yaml: `${gateway}\ntimeouts: { head: 0 }` }).join(), /^timeouts.head: 0 is not between 1 ms/);
  assert.match(
    problems({ yaml: `${gateway}\ntimeouts: { tunnelIdle: 400d }` }).join(),
    /is not between 1 ms and 24 days/,
  );
});

test('a file mode is octal, in quotes or not, and lets the owner read and write', () => {
  const mode = (text: string) =>
    sidecarConfig({ yaml: sidecar.replace('sessions: {', `sessions: { mode: ${text},`) }).sessions.mode;
  assert.equal(mode('"0640"'), 0o640);
  assert.equal(mode('0600'), 0o600);
  assert.throws(() => mode('0o640'), /sessions.mode: 416 is not a file mode/);
});

test('each bad entry of a list is told', () => {
  assert.deepEqual(problems({ yaml: `${gateway}\ntrustedProxies: [10.0.0.0/33, 10.0.0.0/8, localhost]` }), [
    'trustedProxies[0]: "10.0.0.0/33" is not a network such as 10.0.0.0/8',
    'trustedProxies[2]: "localhost" is not a network such as 10.0.0.0/8',
  ]);
});
