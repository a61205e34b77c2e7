/** The entries of `listen`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Authority } from '../support/certificates.ts';
import { config, gateway, problems, sidecar, temporaryFile } from './config-case.ts';

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

test('a certificate and its key are given by file, have to fit, and no problem shows them', async (t) => {
  const authority = await Authority.create('config');
  t.after(() => authority.remove());
  const [one, two] = [await authority.issue('one.test'), await authority.issue('two.test')];
  const listen = (tls: string): string => `${gateway}\nlisten: { address: "0.0.0.0:443", tls: ${tls} }`;
  const [certificate, key] = [`file:${one.certificateFile}`, `file:${one.keyFile}`];
  const { listen: places } = config({ yaml: listen(`{ certificate: "${certificate}", key: "${key}" }`) });
  assert.deepEqual(places[0].tls, {
    certificates: [
      { certificate: { kind: 'file', path: one.certificateFile }, key: { kind: 'file', path: one.keyFile } },
    ],
    minVersion: '1.2',
    clientCertificate: 'off',
    clientCa: undefined,
    ticketKey: undefined,
  });
  const byVariable = { yaml: listen('{ certificate: env:C, key: env:K, minVersion: 1.3 }') };
  const environment = { C: one.certificate, K: one.key };
  assert.equal(config({ ...byVariable, environment }).listen[0].tls?.minVersion, '1.3');
  const unusable = 'A certificate can not be used.';
  const nothing = temporaryFile('nothing');
  const cases = [
    [`{ certificate: "${certificate}" }`, ['listen.tls.key: is needed']],
    ['{}', ['listen.tls: takes certificate and key, or certificates']],
    [
      `{ certificates: [{ certificate: "${certificate}", key: "file:${two.keyFile}" }] }`,
      [`listen.tls.certificates[0]: ${unusable} the key does not belong to the certificate`],
    ],
    [
      `{ certificate: "file:${nothing}", key: "${key}" }`,
      [`listen.tls: ${unusable} the certificate is no PEM certificate`],
    ],
    [`{ certificate: "file:/none", key: "${key}" }`, [`listen.tls: ${unusable} /none can not be read: ENOENT`]],
    [
      `{ certificate: "${certificate}", key: "${key}", clientCertificate: optional, minVersion: 1.1, sni: x }`,
      ['listen.tls.minVersion: is neither 1.2 nor 1.3', 'listen.tls.sni: is no key of the configuration'],
    ],
    [
      `{ certificate: "${certificate}", key: "${key}", clientCertificate: optional }`,
      ['listen.tls.clientCa: is needed: the certificates that sign those of clients'],
    ],
  ] as const;
  for (const [tls, expected] of cases) assert.deepEqual(problems({ yaml: listen(tls) }), expected);
});

test('an address that is listed twice is refused', () => {
  assert.deepEqual(problems({ yaml: `${gateway}\nlisten: ["0.0.0.0:8080", "0.0.0.0:8081", "0.0.0.0:8080"]` }), [
    'listen[2]: is the address of listen[0]',
  ]);
  assert.deepEqual(problems({ yaml: `${gateway}\nlisten: ["127.0.0.1:0", "127.0.0.1:0"]` }), []);
});
