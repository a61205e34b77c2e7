import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import { DeletionCosts, isDue, type PodCost } from '../../src/kubernetes/deletion-costs.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

interface Patch {
  readonly path: string;
  readonly type: string | undefined;
  readonly body: unknown;
}

/** An API server that takes patches, and what writes to it. */
async function writing(t: TestContext, pods: PodCost[]) {
  const patches: Patch[] = [];
  const given: { status: number; statusOf?: (path: string) => number } = { status: 200 };
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      patches.push({ path: request.url!, type: request.headers['content-type'], body: JSON.parse(text) });
      response.writeHead(given.statusOf?.(request.url!) ?? given.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Status', message: 'as the test says' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-costs-'));
  const file = join(folder, 'kubeconfig');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const named = { cluster: 'test', user: 'test', namespace: 'shop' };
  const config = {
    'current-context': 'test',
    contexts: [{ name: 'test', context: named }],
    clusters: [{ name: 'test', cluster: { server: address } }],
    users: [{ name: 'test', user: { token: 'token' } }],
  };
  await writeFile(file, JSON.stringify(config));
  const clock = new ManualClock();
  const said: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line: string) => void said.push(line) } });
  const costs = new DeletionCosts({ namespace: undefined, pods: () => pods, env: { KUBECONFIG: file }, clock, log });
  t.after(async () => {
    costs.stop();
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true });
  });
  costs.start();
  /** Lets rounds pass until it holds. */
  const sees = (what: string, holds: () => boolean): Promise<unknown> =>
    until(what, () => {
      clock.advance(10_000);
      return holds();
    });
  return { patches, given, costs, clock, said, sees };
}

test('each pod gets the number of its sessions, by a patch of its status that names it', async (t) => {
  const pods = [
    { name: 'app-1', uid: 'uid-1', sessions: 12 },
    { name: 'app-2', uid: undefined, sessions: 0 },
  ];
  const { patches, costs, sees } = await writing(t, pods);
  await sees('both are written', () => costs.counters.written === 2);
  const annotations = (cost: string) => ({ 'controller.kubernetes.io/pod-deletion-cost': cost });
  const type = 'application/merge-patch+json';
  assert.deepEqual(patches, [
    {
      path: '/api/v1/namespaces/shop/pods/app-1/status',
      type,
      body: { metadata: { uid: 'uid-1', annotations: annotations('12') } },
    },
    { path: '/api/v1/namespaces/shop/pods/app-2/status', type, body: { metadata: { annotations: annotations('0') } } },
  ]);
});

test('a number is written again when it has changed by a fifth, and not twice in half a minute', () => {
  const pod = (sessions: number, uid = 'uid-1'): PodCost => ({ name: 'app-1', uid, sessions });
  const written = { uid: 'uid-1', cost: 100, atMs: 0 };
  assert.equal(isDue(pod(100), undefined, 0), true);
  assert.equal(isDue(pod(500), written, 29_999), false);
  assert.equal(isDue(pod(500), written, 30_000), true);
  for (const [sessions, due] of [
    [81, false],
    [80, true],
    [119, false],
    [120, true],
  ] as const)
    assert.equal(isDue(pod(sessions), written, 60_000), due, String(sessions));
  assert.equal(isDue(pod(1), { ...written, cost: 0 }, 60_000), true);
  assert.equal(isDue(pod(100, 'uid-2'), written, 0), true, 'another pod of that name');
  assert.equal(isDue(pod(2 ** 40), { ...written, cost: 2 ** 31 - 1 }, 60_000), false, 'more than there can be');
});

test('a pod that is gone is no failure; a right that is missing is told once, and tried again', async (t) => {
  const pods = [{ name: 'app-1', uid: 'uid-1', sessions: 12 }];
  const { patches, given, costs, said, sees } = await writing(t, pods);
  given.status = 404;
  await sees('it was tried', () => patches.length === 1);
  given.status = 403;
  pods[0] = { name: 'app-1', uid: 'uid-2', sessions: 12 };
  await sees('it failed three times', () => costs.counters.failed === 3);
  const told = said.filter((line) => line.includes('no deletion cost'));
  assert.equal(told.length, 1);
  assert.match(told[0]!, /`patch` on `pods\/status`/);
  given.status = 200;
  await sees('it is written', () => costs.counters.written === 1);
});

test('a thousand pods are not written all in one round', async (t) => {
  const pods = Array.from({ length: 1000 }, (_, index) => ({ name: `app-${index}`, uid: undefined, sessions: 1 }));
  const { patches, clock, costs, sees } = await writing(t, pods);
  clock.advance(10_000);
  await until('a round is over', () => costs.counters.written === 50 && clock.pending === 1);
  assert.equal(patches.length, 50);
  await sees('all are', () => costs.counters.written === 1000);
});

test('pods whose writes are not taken hold up nobody behind them, and are tried again', async (t) => {
  const pods = Array.from({ length: 120 }, (_, index) => ({ name: `app-${index}`, uid: undefined, sessions: 1 }));
  const { patches, given, costs, sees } = await writing(t, pods);
  const isOdd = (path: string) => /app-\d\d?\/status$/.test(path);
  given.statusOf = (path) => (isOdd(path) ? (path.includes('app-1/') ? 409 : 403) : 200);
  await sees('the twenty behind are written', () => costs.counters.written === 20);
  await sees('one in conflict is tried again', () => patches.filter(({ path }) => path.includes('app-1/')).length > 1);
  delete given.statusOf;
  await sees('all are', () => costs.counters.written === 120);
});
