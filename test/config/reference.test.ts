import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { environmentName, keys } from '../../src/config/keys.ts';
import { configurationPage } from '../../src/config/reference.ts';

test('docs/configuration.md is what the schema says (make docs writes it)', () => {
  assert.equal(readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8'), configurationPage());
});

test('every key has a sentence, and every one that is not a mapping a kind of value', () => {
  const bare = keys.filter((key) => !key.branch && (key.words === '' || key.kind === 'mapping'));
  assert.deepEqual(
    bare.map((key) => key.path),
    [],
  );
});

test("a key's name in the environment has _ at dots and at inner capitals, and is its own", () => {
  assert.equal(environmentName('timeouts.bodyIdle'), 'HOLDFAST_TIMEOUTS_BODY_IDLE');
  assert.equal(environmentName('adminToken'), 'HOLDFAST_ADMIN_TOKEN');
  assert.equal(new Set(keys.map((key) => key.environment)).size, keys.length);
});

test('the keys of the contract exist', () => {
  const paths = new Set(keys.map((key) => key.path));
  const contract = `role listen admin probes adminToken trustedProxies session.preset session.cookie session.keys session.lifetime
    store.url store.key store.prefix store.nameKey store.tls store.wait log.level log.access log.query pods.static pods.dns
    pods.kubernetes pods.sidecars affinity.pin affinity.pinKey affinity.boundedLoad affinity.strict affinity.cookie health.interval
    health.fails health.passes health.path workers pod.name pod.uid peer.listen peer.advertise application sessions.directory
    sessions.replicate sessions.onStoreDown sessions.elsewhere sessions.serialize sessions.rebalance sessions.maxBytes sessions.notes
    sessions.mode sessions.skip.paths sessions.skip.methods sessions.ignore.paths sessions.ignore.userAgents`;
  assert.deepEqual(
    contract.split(/\s+/).filter((path) => !paths.has(path)),
    [],
  );
});
