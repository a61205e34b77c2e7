/** What the webhook knows of a namespace's Services, and what it does when it may not know. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../src/base/log.ts';
import { ServiceLookup } from '../../src/injector/service-lookup.ts';
import { SkipEvents } from '../../src/injector/skip-events.ts';
import type { ApiAnswer, ApiCall } from '../../src/kubernetes/api-server.ts';
import { ManualClock } from '../support/manual-clock.ts';

const log = createLog({ level: 'silent' });

function asked(answers: readonly (ApiAnswer | Error)[]) {
  const calls: ApiCall[] = [];
  const call = (made: ApiCall): Promise<ApiAnswer> => {
    const answer = answers[calls.length] ?? { status: 404, body: {} };
    calls.push(made);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { calls, api: { call } };
}

const service = (name: string) => ({ metadata: { name }, spec: { selector: { app: name } } });
const page = (names: readonly string[], next = ''): ApiAnswer => ({
  status: 200,
  body: { metadata: { continue: next }, items: names.map(service) },
});

test('all pages are read', async () => {
  const { calls, api } = asked([page(['a', 'b'], 'more+'), page(['c'])]);
  const services = await new ServiceLookup({ api, log }).of('shop');
  assert.deepEqual(
    services?.map(({ metadata }) => metadata.name),
    ['a', 'b', 'c'],
  );
  assert.deepEqual(
    calls.map(({ path }) => path),
    ['/api/v1/namespaces/shop/services?limit=500', '/api/v1/namespaces/shop/services?limit=500&continue=more%2B'],
  );
});

test('whoever asks is answered by a list that began afterwards; those who wait share one', async () => {
  const { calls, api } = asked([page([]), page(['a']), page(['b'])]);
  const lookup = new ServiceLookup({ api, log });
  const names = async () => (await lookup.of('shop'))?.map(({ metadata }) => metadata.name);
  assert.deepEqual(await Promise.all([names(), names(), names()]), [[], ['a'], ['a']]);
  assert.deepEqual(await names(), ['b'], 'a Service that was applied with its pod is known');
  assert.equal(calls.length, 3);
});

test('without the right to read them, or without an answer, nothing is known', async () => {
  for (const answer of [{ status: 403, body: { message: 'no' } }, { status: 200, body: 'text' }, new Error('away')]) {
    const lookup = new ServiceLookup({ api: asked([answer]).api, log });
    assert.equal(await lookup.of('shop'), undefined);
  }
});

test('an owner of pods is told once in ten minutes why they get no sidecar, and a pod by itself has nobody to be told', () => {
  const { calls, api } = asked([]);
  const clock = new ManualClock();
  const events = new SkipEvents({ api, clock, log });
  const owned = (uid: string) => ({
    metadata: {
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'shop-1', uid, controller: true }],
    },
  });
  const tell = (pod: unknown, reason: 'uid-unknown' | 'port-unknown' = 'uid-unknown'): void =>
    events.tell({ namespace: 'shop', pod, reason, detail: 'because' });
  tell(owned('u'));
  tell(owned('u'));
  tell(owned('v'));
  tell(owned('u'), 'port-unknown');
  tell({ metadata: { name: 'alone' } });
  assert.equal(calls.length, 3);
  clock.advance(10 * 60_000);
  tell(owned('u'));
  assert.equal(calls.length, 4);
  const event = calls[0]?.body as { readonly message: string; readonly involvedObject: object };
  assert.equal(event.message, 'uid-unknown: because');
  assert.deepEqual(event.involvedObject, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: 'shop-1',
    uid: 'u',
    namespace: 'shop',
  });
});
