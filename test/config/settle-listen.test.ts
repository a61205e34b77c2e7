/** The entries of `listen`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { config, gateway, problems, sidecar } from './config-case.ts';

const proxied = '{ address: "0.0.0.0:8081", proxyProtocol: true }';

test('an entry may ask for a PROXY header', () => {
  const { listen } = config({ yaml: `${gateway}\nlisten: ["0.0.0.0:8080", ${proxied}]\ntrustedProxies: [10.0.0.0/8]` });
  assert.deepEqual(listen, [
    { host: '0.0.0.0', port: 8080 },
    { host: '0.0.0.0', port: 8081, proxyProtocol: true },
  ]);
  const plain = config({ yaml: `${gateway}\nlisten: { address: "0.0.0.0:80", proxyProtocol: false }` });
  assert.deepEqual(plain.listen, [{ host: '0.0.0.0', port: 80 }]);
});

test('a PROXY header that would be believed from nobody is refused', () => {
  assert.deepEqual(problems({ yaml: `${gateway}\nlisten: ${proxied}` }), [
    'listen.proxyProtocol: needs trustedProxies: from all others such connections are closed',
  ]);
});

test('a sidecar needs a plain entry, and others know it by the port of the first', () => {
  assert.deepEqual(problems({ yaml: `${sidecar}\nlisten: ${proxied}\ntrustedProxies: [10.0.0.0/8]` }), [
    'listen: needs a plain entry, without tls and proxyProtocol: gateways and other sidecars connect there',
  ]);
  const both = `${sidecar}\nlisten: [${proxied}, "0.0.0.0:8080"]\ntrustedProxies: [10.0.0.0/8]`;
  assert.deepEqual(problems({ yaml: both }), []);
});

test('what is wrong with an entry is told by its path', () => {
  const yaml = `${gateway}\nlisten: ["0.0.0.0:8080", { address: "b:1", proxyProtocol: 3, backlog: 5 }]`;
  assert.deepEqual(problems({ yaml }), [
    'listen[1].backlog: is no key of the configuration',
    'listen[1].proxyProtocol: is neither true nor false',
  ]);
});
