/**
 * TLS to a real redis-server that asks for client certificates: what works, and what is said where it does not.
 */

import assert from 'node:assert/strict';
import type { ConnectionOptions } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import type { OpenedStore } from '../../src/store/open-store.ts';
import { Authority } from '../support/certificates.ts';
import type { Certified } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { openedStore } from '../support/opened-store.ts';
import { RedisServer } from '../support/redis-server.ts';
import { content, create, freshName } from '../support/store-subjects.ts';
import { until } from '../support/until.ts';

describe('TLS to Redis', () => {
  let ours: Authority;
  let theirs: Authority;
  let client: Certified;
  const servers: RedisServer[] = [];
  let port: number;
  let expiredPort: number;

  const serve = async (certified: Certified): Promise<number> => {
    const tlsPort = await freePort();
    const files = ['--tls-cert-file', certified.certificateFile, '--tls-key-file', certified.keyFile];
    const args = ['--tls-port', String(tlsPort), ...files, '--tls-ca-cert-file', ours.certificateFile];
    servers.push(await RedisServer.start({ args }));
    return tlsPort;
  };
  before(async () => {
    [ours, theirs] = await Promise.all([Authority.create('ours'), Authority.create('theirs')]);
    client = await ours.issue('holdfast');
    port = await serve(await ours.issue('localhost'));
    expiredPort = await serve(await ours.issue('localhost', -1));
  });
  after(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all([ours.remove(), theirs.remove()]);
  });

  const open = (tls: ConnectionOptions, url = `rediss://localhost:${port}`): OpenedStore =>
    openedStore(url, { tls, timeouts: { storeMs: 1000, connectMs: 1000 } });
  const identity = (): ConnectionOptions => ({ ca: ours.certificate, cert: client.certificate, key: client.key });

  test('with the authority and a client certificate the store is up', async () => {
    const { store, health } = open(identity());
    try {
      assert.equal(await health.started(), 'up');
      await create(store, freshName(), content(1, 'one'));
    } finally {
      await store.close();
    }
  });

  test("the name in the certificate may be another than the URL's, if it is given", async () => {
    const { store, health } = open({ ...identity(), servername: 'localhost' }, `rediss://127.0.0.1:${port}`);
    try {
      assert.equal(await health.started(), 'up');
    } finally {
      await store.close();
    }
  });

  const faults: Readonly<Record<string, { open: () => OpenedStore; words: RegExp }>> = {
    'an unknown authority': { open: () => open({ ...identity(), ca: theirs.certificate }), words: /UNTRUSTED/ },
    'no authority at all': { open: () => open({ cert: client.certificate, key: client.key }), words: /UNTRUSTED/ },
    'an expired certificate': {
      open: () => open(identity(), `rediss://localhost:${expiredPort}`),
      words: /CERT_HAS_EXPIRED/,
    },
    'another name': { open: () => open({ ...identity(), servername: 'redis.shop' }), words: /ALTNAME_INVALID/ },
    'no client certificate': { open: () => open({ ca: ours.certificate }), words: /CLIENT_CERTIFICATE/ },
  };
  for (const [fault, { open: begin, words }] of Object.entries(faults)) {
    test(`${fault}: the store is down at once, and why is said in words`, async () => {
      const { store, health } = begin();
      try {
        assert.equal(await health.started(), 'down');
        await until('the reason is known', () => words.test(health.why?.message ?? ''));
        assert.equal(health.why?.kind, 'store-misconfigured');
        await assert.rejects(store.ping(), { kind: 'store-misconfigured' });
      } finally {
        await store.close();
      }
    });
  }

  test("a client certificate of another authority is refused, and the server's alert is understood", async () => {
    const foreign = await theirs.issue('holdfast');
    const { store, health } = open({ ca: ours.certificate, cert: foreign.certificate, key: foreign.key });
    try {
      assert.equal(await health.started(), 'down');
      await until('the reason is known', () => /CLIENT_CERTIFICATE/.test(health.why?.message ?? ''));
    } finally {
      await store.close();
    }
  });

  test('sentinels and cluster nodes are reached by TLS as well', async (t) => {
    const node = await ours.issue('localhost');
    const files = ['--tls-cert-file', node.certificateFile, '--tls-key-file', node.keyFile];
    const common = ['--tls-ca-cert-file', ours.certificateFile, ...files];
    const tlsPort = await freePort();
    const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())];
    const server = await RedisServer.start({
      args: ['--tls-port', String(tlsPort), '--tls-cluster', 'yes', ...common, ...cluster],
    });
    t.after(() => server.stop());
    await server.execute('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    const { store, health } = open({ ...identity(), servername: 'localhost' }, `rediss+cluster://127.0.0.1:${tlsPort}`);
    t.after(() => store.close());
    await until('the cluster is up', () => health.state === 'up');
    await create(store, freshName(), content(1, 'one'));
  });
});
