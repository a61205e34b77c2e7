/** Replicas that share a Secret and a webhook configuration, before an API server's rules for both. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../src/base/log.ts';
import { OwnCertificate } from '../../src/injector/own-certificate.ts';
import type { ApiAnswer, ApiCall } from '../../src/kubernetes/api-server.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

const paths = {
  secret: '/api/v1/namespaces/ns/secrets/certificate',
  webhook: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/injector',
};

interface Stored {
  metadata: { resourceVersion: string };
  [key: string]: unknown;
}

/** Objects by path, with the API server's optimistic locking. */
class Objects {
  readonly stored = new Map<string, Stored>();
  readonly forbidden = new Set<string>();
  writes = 0;

  call({ method, path, body }: ApiCall): Promise<ApiAnswer> {
    const at = method === 'POST' ? `${path}/certificate` : path;
    const now = this.stored.get(at);
    if (this.forbidden.has(`${method} ${at}`)) return answer(403, { message: 'the account may not' });
    if (method === 'POST' ? now !== undefined : now === undefined) return answer(method === 'POST' ? 409 : 404, {});
    if (method === 'GET') return answer(200, structuredClone(now));
    const given = structuredClone(body) as Stored;
    if (method === 'PUT' && given.metadata.resourceVersion !== now?.metadata.resourceVersion) return answer(409, {});
    this.writes++;
    this.stored.set(at, { ...given, metadata: { ...given.metadata, resourceVersion: String(this.writes) } });
    return answer(200, {});
  }

  put(path: string, object: object): void {
    this.stored.set(path, { ...object, metadata: { resourceVersion: '0' } });
  }

  get authorities(): string {
    const hooks = this.stored.get(paths.webhook)?.['webhooks'] as readonly { clientConfig: { caBundle?: string } }[];
    return Buffer.from(hooks[0]?.clientConfig.caBundle ?? '', 'base64').toString('utf8');
  }
}

async function answer(status: number, body: unknown): Promise<ApiAnswer> {
  // As far from the asker as a network is.
  await new Promise((resolve) => setImmediate(resolve));
  return { status, body };
}

const hook = (name: string): object => ({ name, clientConfig: { service: { name: 'injector', namespace: 'ns' } } });
const strange = { name: 'other', clientConfig: { service: { name: 'other', namespace: 'ns' } } };

function objects(): Objects {
  const made = new Objects();
  made.put(paths.webhook, { webhooks: [hook('pods'), strange, hook('workloads')] });
  return made;
}

interface Replica {
  readonly own: OwnCertificate;
  readonly clock: ManualClock;
  readonly served: string[];
}

function replica(api: Objects, clock = new ManualClock(), lifetimeMs = 90 * 86_400_000): Replica {
  const served: string[] = [];
  const own = new OwnCertificate({
    api,
    namespace: 'ns',
    secret: 'certificate',
    service: 'injector',
    webhook: 'injector',
    lifetimeMs,
    clock,
    log: createLog({ level: 'silent' }),
    serve: ({ authority, certificate }) => {
      assert.ok(api.authorities.includes(authority), 'nothing is shown before it is trusted');
      served.push(certificate);
    },
  });
  return { own, clock, served };
}

/** Until each has ended its round: then it waits for the next one. */
async function rounds(...replicas: readonly Replica[]): Promise<void> {
  await until('the rounds have ended', () => replicas.every(({ clock }) => clock.pending > 0));
}

test('replicas that begin together show one and the same certificate, which the webhooks of theirs trust', async () => {
  for (const isThere of [true, false]) {
    const api = objects();
    if (isThere) api.put(paths.secret, { kind: 'Secret', type: 'Opaque' });
    const replicas = [replica(api), replica(api), replica(api)];
    for (const { own } of replicas) own.start();
    await rounds(...replicas);
    for (const { own, served } of replicas) {
      assert.equal(own.missing, undefined);
      assert.deepEqual(served, [replicas[0]?.served[0]]);
      own.stop();
    }
    const hooks = api.stored.get(paths.webhook)?.['webhooks'] as readonly { clientConfig: { caBundle?: string } }[];
    assert.deepEqual(hooks[1], strange);
    assert.equal(hooks[0]?.clientConfig.caBundle, hooks[2]?.clientConfig.caBundle);
  }
});

test('what somebody changes in the webhook configuration is mended in the next round, and else nothing is written', async () => {
  const api = objects();
  const one = replica(api);
  const { own, clock } = one;
  own.start();
  await rounds(one);
  const { writes } = api;
  clock.advance(15_000);
  await rounds(one);
  assert.equal(api.writes, writes);
  api.put(paths.webhook, { webhooks: [hook('pods')] });
  clock.advance(15_000);
  await rounds(one);
  assert.notEqual(api.authorities, '');
  own.stop();
});

test('without the right to write it is not ready and says why, and is as soon as it has it', async () => {
  const api = objects();
  api.forbidden.add(`PUT ${paths.webhook}`);
  const one = replica(api);
  const { own, clock, served } = one;
  own.start();
  await rounds(one);
  assert.match(own.missing ?? '', /MutatingWebhookConfiguration injector: 403 the account may not/);
  assert.deepEqual(served, []);
  api.forbidden.clear();
  clock.advance(1000);
  await rounds(one);
  assert.equal(own.missing, undefined);
  assert.equal(served.length, 1);
  own.stop();
});

test('a certificate that is never good costs no more than a few writes a second, and is said to be none', async () => {
  const api = objects();
  // Over as soon as it is made.
  const one = replica(api, new ManualClock(), 1);
  one.own.start();
  await rounds(one);
  assert.ok(api.writes <= 8, `${api.writes} writes`);
  assert.match(one.own.missing ?? '', /not good after 8 changes/);
  const { writes } = api;
  one.clock.advance(999);
  assert.equal(api.writes, writes);
  one.own.stop();
});
