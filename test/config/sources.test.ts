import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problems.ts';
import {
  config,
  gateway,
  gatewayConfig,
  load,
  problems,
  secret,
  sidecar,
  sidecarConfig,
  temporaryFile,
} from './config-case.ts';

test('the environment wins over the file, a flag over both', () => {
  const yaml = `${gateway}\nlog: { level: warn, query: true }\ntimeouts: { bodyIdle: 1s }`;
  const environment = { HOLDFAST_LOG_LEVEL: 'error', HOLDFAST_TIMEOUTS_BODY_IDLE: '2s' };
  const read = config({ yaml, environment, set: ['log.level=debug'] });
  assert.deepEqual(read.log, { level: 'debug', access: true, query: true });
  assert.equal(read.timeouts.bodyIdleMs, 2000);
});

test('a value from the environment or a flag is YAML', () => {
  const read = gatewayConfig({
    yaml: gateway,
    environment: { HOLDFAST_PODS_STATIC: '[a=10.0.0.1:80, b=10.0.0.2:80]', HOLDFAST_AFFINITY_STRICT: 'true' },
    set: ['affinity.boundedLoad=1.5', 'health={ interval: 5s }'],
  });
  const { place } = read.pods;
  assert.deepEqual(place.kind === 'static' && place.pods.map((pod) => pod.name), ['a', 'b']);
  assert.equal(read.affinity.strict, true);
  assert.equal(read.affinity.boundedLoad, 1.5);
  assert.equal(read.health.intervalMs, 5000);
});

test('a list can be written as one value, in brackets or as lines', () => {
  for (const value of ['10.0.0.0/8', '[10.0.0.0/8]', '- 10.0.0.0/8']) {
    assert.deepEqual(config({ yaml: gateway, set: [`trustedProxies=${value}`] }).trustedProxies, ['10.0.0.0/8']);
  }
});

test("a variable of no key's name is ignored, such as those that Kubernetes injects for a Service", () => {
  const environment = {
    HOLDFAST_PORT: 'tcp://10.0.0.1:80',
    HOLDFAST_SERVICE_HOST: '10.0.0.1',
    HOLDFAST_PORT_80_TCP: 'x',
  };
  assert.deepEqual(problems({ yaml: gateway, environment }), []);
});

test('the whole configuration can come from the environment', () => {
  const loaded = loadConfig({
    environment: {
      HOLDFAST_ROLE: 'gateway',
      HOLDFAST_SESSION_PRESET: 'php',
      HOLDFAST_STORE_URL: 'redis://redis',
      HOLDFAST_STORE_KEY: '12345678901234567890',
      HOLDFAST_PODS_STATIC: 'a=10.0.0.1:80',
    },
  });
  assert.equal(loaded.kind, 'config');
  assert.equal(loaded.config.store.keys?.[0].toString(), '12345678901234567890');
});

test("a variable that the file names as a secret's source does not replace the key of the same name", () => {
  const yaml = gateway.replace(`"${secret}"`, '[env:NEW_KEY, env:HOLDFAST_STORE_KEY], nameKey: env:NEW_KEY');
  const environment = { NEW_KEY: 'n'.repeat(20), HOLDFAST_STORE_KEY: 'o'.repeat(20) };
  const read = config({ yaml, environment });
  assert.deepEqual(read.store.keys?.map(String), ['n'.repeat(20), 'o'.repeat(20)]);
});

test('a variable that replaces keys or a list of the file says so, one that replaces another value does not', () => {
  const list = '[env:NEW_KEY, env:OLD_KEY], nameKey: env:OLD_KEY';
  const rotating = gateway.replace(`"${secret}"`, list);
  const environment = { NEW_KEY: 'n'.repeat(20), OLD_KEY: 'o'.repeat(20), HOLDFAST_LOG_LEVEL: 'debug' };
  const warned = (yaml: string, more: Readonly<Record<string, string>>): readonly string[] => {
    const loaded = load({ yaml: `${yaml}\nlog: { level: warn }`, environment: { ...environment, ...more } });
    assert.equal(loaded.kind, 'config');
    return loaded.warnings.map(formatProblem);
  };
  assert.deepEqual(warned(rotating, {}), []);
  assert.deepEqual(warned(rotating, { HOLDFAST_STORE_KEY: 'a-leftover-store-key' }), [
    'store.key: the list of 2 in the file counts for nothing, since the environment has HOLDFAST_STORE_KEY; write env:HOLDFAST_STORE_KEY there, or unset the variable',
  ]);
  assert.match(
    warned(gateway, { HOLDFAST_STORE_KEY: 'a-leftover-store-key' }).join(),
    /^store.key: what is written in/,
  );
  assert.deepEqual(warned(gateway, { HOLDFAST_STORE_KEY: secret }), [], 'the same key');
  assert.deepEqual(warned(gateway, { HOLDFAST_STORE_URL: 'redis://another' }), []);
  assert.match(warned(gateway, { HOLDFAST_PODS_STATIC: 'a=10.0.0.1:80' }).join(), /^pods.static: the list of 1/);
  const named = rotating.replace('env:OLD_KEY]', 'env:HOLDFAST_STORE_KEY]');
  assert.deepEqual(warned(named, { HOLDFAST_STORE_KEY: 'a-store-key-as-named' }), []);
});

test('a secret from the environment is taken as it is, whatever YAML would make of it', () => {
  for (const value of [
    '0123456789012345',
    'yes # and a comment',
    '*alias-that-is-none',
    '{not a mapping!!!!!',
    'null            x',
  ]) {
    const read = config({ yaml: gateway.replace(/, key: "[^"]*"/, ''), environment: { HOLDFAST_STORE_KEY: value } });
    assert.equal(read.store.keys?.[0].toString(), value);
  }
});

test('env: and file: are followed, and a line feed at the end of a file is not part of it', () => {
  const file = temporaryFile('from-a-file-0123456789\n');
  const read = sidecarConfig({
    yaml: sidecar.replace(`"${secret}"`, `"file:${file}"`).replace('pod-a', 'env:POD_NAME'),
    environment: { POD_NAME: 'pod-from-env' },
  });
  assert.equal(read.store.keys[0].toString(), 'from-a-file-0123456789');
  assert.equal(read.pod.name, 'pod-from-env');
});

test('a reference that leads nowhere is one problem that names the variable or the file', () => {
  const yaml = sidecar.replace(`"${secret}"`, 'env:NO_SUCH').replace('pod-a', 'file:/nowhere/at/all');
  assert.deepEqual(problems({ yaml, environment: { NO_SUCH: '' } }), [
    'pod.name: the file /nowhere/at/all can not be read: there is no such file',
    'store.key: the environment variable NO_SUCH is empty',
  ]);
  assert.deepEqual(problems({ yaml: gateway.replace(`"${secret}"`, '[env:NO_SUCH]') }), [
    'store.key[0]: the environment variable NO_SUCH is not set',
  ]);
});

test("what the other role's sections refer to need not exist, but their keys have to", () => {
  assert.deepEqual(problems({ yaml: `${gateway}\npod: { name: env:POD_NAME, uid: env:POD_UID }` }), []);
  assert.deepEqual(problems({ yaml: `${gateway}\nsessions: { directry: /x }` }), [
    'sessions.directry: is no key of the configuration; did you mean sessions.directory?',
  ]);
});

test('JSON is a configuration file', () => {
  const json = {
    role: 'gateway',
    session: { preset: 'php' },
    store: { key: secret },
    pods: { static: ['a=1.2.3.4:80'] },
  };
  assert.equal(config({ yaml: JSON.stringify(json) }).role, 'gateway');
});

test('a file that is missing, no YAML, or no mapping is a problem of its own', () => {
  const missing = loadConfig({ configFile: '/nowhere/holdfast.yaml', environment: {} });
  assert.equal(missing.kind, 'problems');
  assert.deepEqual(missing.problems, [
    { path: '', words: '/nowhere/holdfast.yaml can not be read: there is no such file' },
  ]);
  assert.deepEqual([...missing.files.keys()], ['/nowhere/holdfast.yaml'], 'it is watched all the same');
  for (const [yaml, words] of [
    ['role: [', /is not YAML: line 1, column \d+: [a-z]/],
    ['- a\n- b', /does not hold a mapping/],
    ['role: gateway\nrole: sidecar', /is not YAML: line 2, column 1: the same key stands there a second time/],
  ] as const) {
    const found = problems({ yaml });
    assert.equal(found.length, 1);
    assert.match(found[0] ?? '', words);
  }
});

test('a flag that is no path=value, or names no key, is a problem', () => {
  assert.deepEqual(problems({ yaml: gateway, set: ['log.level', 'timeouts.haed=3s'] }), [
    '--set needs path=value, such as log.level=debug',
    'timeouts.haed: is no key of the configuration; did you mean timeouts.head?',
  ]);
});

test("a YAML document can not reach an object's prototype", () => {
  const found = problems({ yaml: `${gateway}\n__proto__: { polluted: true }\nlog: { __proto__: { level: debug } }` });
  assert.equal(found.length, 2);
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
});

test("a mapping in the place of a key's name is a problem like others, without a warning of the YAML reader's beside it", (t) => {
  const warn = t.mock.method(process, 'emitWarning', () => undefined);
  const found = problems({ yaml: `{ ${secret}: x }: y` });
  assert.equal(warn.mock.callCount(), 0);
  assert(found.length > 0);
});

test('a value that holds itself is a problem', () => {
  assert.match(problems({ yaml: 'pods: &a { static: [*a] }' }).join(), /a value holds itself/);
});
