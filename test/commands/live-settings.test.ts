import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import { applyLive } from '../../src/commands/live-settings.ts';
import type { Config } from '../../src/config/config.ts';
import type { LoadedConfig } from '../../src/config/load.ts';
import { gateway, load, sidecar } from '../config/config-case.ts';

const first = 'a store key of the first step';
const second = 'a store key of the second step';

function loaded(yaml: string): LoadedConfig {
  const result = load({ yaml });
  if (result.kind === 'config') return result;
  throw new Error(JSON.stringify(result.problems));
}

const withKeys = (keys: string): LoadedConfig =>
  loaded(`
role: sidecar
session: { preset: php }
store: { url: "redis://redis:6379", ${keys} }
pod: { name: pod-a }
application: 127.0.0.1:9000
sessions: { directory: /sessions }
`);

interface Applied {
  readonly config: Config;
  readonly rekeyed: readonly Config[];
  readonly apply: (next: LoadedConfig) => readonly string[];
}

function running({ config, keys }: LoadedConfig): Applied {
  const rekeyed: Config[] = [];
  const role = { takeOver: (next: Config) => void rekeyed.push(next) };
  const log = createLog({ level: 'silent' });
  return { config, rekeyed, apply: (next) => applyLive(next, { config, keysAtStart: keys, log, role }) };
}

test('a rotation of store.key is taken over step by step, and the nameKey that its first step writes down is no change', () => {
  const { config, rekeyed, apply } = running(withKeys(`key: "${first}"`));
  for (const keys of [`"${first}", "${second}"`, `"${second}", "${first}"`, `"${second}"`]) {
    assert.deepEqual(apply(withKeys(`key: [${keys}], nameKey: "${first}"`)), []);
    assert.deepEqual(config.store.keys?.map((key) => `"${key.toString()}"`).join(', '), keys);
  }
  assert.equal(rekeyed.length, 3);
  assert.deepEqual(apply(withKeys(`key: "${second}", nameKey: "another name key of these"`)), ['store.nameKey']);
});

test('a leap to keys that nobody else has heard of is refused, and so is another role; nothing has changed then', () => {
  const { config, rekeyed, apply } = running(withKeys(`key: "${first}"`));
  assert.throws(() => apply(withKeys(`key: "${second}"`)), /store\.key: has none of the keys in use/);
  assert.throws(() => apply(loaded(gateway)), /role: needs a restart/);
  assert.equal(config.store.keys?.[0].toString(), first);
  assert.deepEqual(rekeyed, []);
});

test('keys that a running process can not take over are named', () => {
  const { config, apply } = running(loaded(sidecar));
  const next = loaded(
    `${sidecar}timeouts: { head: 7s, store: 1s }\nlimits: { bodyBytes: 5, adopts: 9 }\nprobes: 0.0.0.0:9903\n`,
  );
  assert.deepEqual(apply(next), ['probes', 'timeouts.store', 'limits.adopts']);
  assert.deepEqual([config.timeouts.headMs, config.limits.bodyBytes, config.limits.adopts], [7000, 5, 256]);
});

test('keys of the application and of pins that share nothing with those in use are refused, by name', () => {
  const withSecrets = (keys: string, pin: string): LoadedConfig =>
    loaded(`
role: gateway
listen: 127.0.0.1:8080
session: { preset: express, keys: [${keys}] }
store: { key: "${first}" }
pods: { static: ["pod-a=127.0.0.1:9001"] }
affinity: { pinKey: [${pin}] }
`);
  const [a, b] = [`"${first}"`, `"${second}"`];
  const { config, rekeyed, apply } = running(withSecrets(a, a));
  assert.throws(() => apply(withSecrets(b, a)), /session\.keys: has none of the keys in use/);
  assert.throws(() => apply(withSecrets(a, b)), /affinity\.pinKey: has none of the keys in use/);
  assert.deepEqual(rekeyed, []);
  assert.equal(config.session.keys.length, 1);
  assert.deepEqual(apply(withSecrets(`${b}, ${a}`, `${b}, ${a}`)), []);
  assert.deepEqual(apply(withSecrets(b, b)), []);
});

test('a key of the store where there was none takes effect at the next start, however often it is read until then', () => {
  const bare = (more: string): LoadedConfig =>
    loaded(`
role: gateway
listen: 127.0.0.1:8080
session: { preset: php }
store: { ${more} }
pods: { static: ["pod-a=127.0.0.1:9001"], sidecars: false }
affinity: { pinKey: "${first}" }
`);
  const { config, apply } = running(bare(''));
  for (let reload = 0; reload < 2; reload++) assert.deepEqual(apply(bare(`key: "${second}"`)), ['store.key']);
  assert.equal(config.store.keys, undefined);
});

test('affinity.pinKey for the first time: refused alone, and taken over with the key behind it that signed until now', () => {
  const pinned = (affinity: string): LoadedConfig =>
    loaded(`
role: gateway
listen: 127.0.0.1:8080
session: { preset: php }
store: { url: "redis://redis:6379", key: "${first}" }
pods: { static: ["pod-a=127.0.0.1:9001"] }
affinity: { ${affinity} }
`);
  const { config, apply } = running(pinned(''));
  assert.throws(() => apply(pinned(`pinKey: "${second}"`)), /affinity\.pinKey \(until now store\.key\): has none/);
  assert.deepEqual(apply(pinned(`pinKey: ["${second}", "${first}"]`)), []);
  assert.deepEqual(apply(pinned(`pinKey: "${second}"`)), []);
  assert.equal(config.role === 'gateway' && config.affinity.pinKeys?.[0].toString(), second);
});
