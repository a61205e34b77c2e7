/** What running processes show of themselves, and `holdfast where` in front of it: both roles, real processes. */

import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { Client } from 'undici';

import { deploy, type Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

interface Page {
  readonly status: number;
  readonly text: string;
}

/** One page of an admin window, by its Unix socket or port. */
async function page(admin: unknown, path: string): Promise<Page> {
  const place = String(admin);
  const socketPath = place.startsWith('unix:') ? place.slice(5) : undefined;
  const client = new Client(
    socketPath === undefined ? `http://${place}` : 'http://localhost',
    socketPath === undefined ? {} : { socketPath },
  );
  try {
    const answer = await client.request({ method: 'GET', path });
    return { status: answer.statusCode, text: await answer.body.text() };
  } finally {
    await client.close();
  }
}

/** Holds that a text is Prometheus' text format: every family told before its samples, each of one kind. */
function families(text: string): Map<string, string> {
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (holdfast_[a-z0-9_]+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      assert.equal(types.has(type[1]!), false, `${type[1]!} is told twice`);
      types.set(type[1]!, type[2]!);
      continue;
    }
    const sample = /^(holdfast_[a-z0-9_]+?)(?:_bucket|_sum|_count)?(?:\{([a-z]+="[^"\\]*",?)+\})? (?:-?[\d.e+-]+|NaN)$/;
    const name = sample.exec(line)?.[1];
    assert.ok(name !== undefined, line);
    const isTold = [...types.keys()].some((family) => line.startsWith(family));
    assert.ok(isTold, `${line} has no TYPE`);
  }
  return types;
}

async function visited(t: Parameters<typeof deploy>[0]): Promise<{ deployment: Deployment; id: string; pod: string }> {
  const deployment = await deploy(t, { application: 'plain-php', pods: 2 });
  const { admin } = deployment.gateways[0]!;
  await until(
    'the gateway knows both pods',
    async () => (await page(admin, '/pods')).text.split('"ready"').length === 3,
  );
  const browser = deployment.browser();
  await browser.number('/inc');
  await browser.number('/inc');
  const id = await browser.text('/id');
  return { deployment, id, pod: (await deployment.podOf(browser)).name };
}

test('metrics of both roles are what Prometheus reads, and no session, cookie or query is in them or in a log', async (t) => {
  const { deployment, id } = await visited(t);
  const browser = deployment.browser();
  await browser.get('/get?token=a-secret-of-somebody');
  const pins = browser.jar.names.map((name) => browser.jar.get(name)!);
  for (const process of [...deployment.gateways, ...deployment.pods.map(({ sidecar }) => sidecar)]) {
    const { status, text } = await process.probe('/metrics');
    assert.equal(status, 200);
    const types = families(text);
    assert.equal(types.get('holdfast_requests_total'), 'counter');
    for (const [name, type] of types) assert.equal(name.endsWith('_total'), type === 'counter', `${name} ${type}`);
    for (const secret of [id, ...pins, 'a-secret-of-somebody', 'PHPSESSID=']) {
      assert.equal(text.includes(secret), false);
      assert.equal(process.process.output.includes(secret), false);
    }
  }
  const keepers = await Promise.all(deployment.pods.map(async ({ sidecar }) => (await sidecar.probe('/metrics')).text));
  assert.ok(keepers.some((text) => /^holdfast_keeper_puts_total [1-9]/m.test(text)));
});

test('the probes show only what the kubelet and Prometheus need', async (t) => {
  const { deployment, id } = await visited(t);
  for (const process of [deployment.gateways[0]!, deployment.pods[0]!.sidecar]) {
    for (const path of ['/startz', '/livez', '/readyz', '/metrics']) {
      assert.equal((await process.probe(path)).status, 200, path);
    }
    for (const path of ['/', '/pods', `/sessions/${id}`]) assert.equal((await process.probe(path)).status, 404, path);
  }
});

test("a gateway's window shows its pods, and where a session is and why", async (t) => {
  const { deployment, id, pod } = await visited(t);
  const { admin } = deployment.gateways[0]!;
  // An exchange may end a moment after the client has its last byte.
  await until('both are idle', async () => {
    const { pods } = JSON.parse((await page(admin, '/pods')).text) as { pods: Record<string, unknown>[] };
    assert.deepEqual(
      pods.map(({ name, state, uid, inFlight }) => [name, state, uid, inFlight]),
      deployment.pods.map(({ name }) => [name, 'ready', `${name}-uid-1`, 0]),
    );
    return true;
  });
  const view = JSON.parse((await page(admin, `/sessions/${id}`)).text) as Record<string, unknown>;
  assert.deepEqual([view['pod'], view['reason']], [pod, 'owner in the store']);
  assert.match(String(view['storedAt']), /^\d{4}-\d\d-\d\dT/);
  assert.equal(JSON.stringify(view).includes(id), false, 'named by its digest');
  assert.equal((await page(admin, '/sessions/nobody-knows-this-one')).status, 404);
  assert.equal((await page(admin, '/sessions/..%2f..%2fetc%2fpasswd')).status, 404);
  await deployment.pods[0]!.kill();
  await until('the killed pod is unhealthy', async () => (await page(admin, '/pods')).text.includes('"unhealthy"'));
});

test("a sidecar's window is a socket for its owner alone, and shows its pod and its sessions", async (t) => {
  const { deployment, id, pod } = await visited(t);
  for (const { sidecar, name } of deployment.pods) {
    const { admin } = sidecar;
    const path = String(admin).slice('unix:'.length);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const { pods } = JSON.parse((await page(admin, '/pods')).text) as { pods: Record<string, unknown>[] };
    assert.deepEqual(
      pods.map((row) => [row['name'], row['state'], row['uid']]),
      [[name, 'ready', `${name}-uid-1`]],
    );
    const view = JSON.parse((await page(admin, `/sessions/${id}`)).text) as Record<string, unknown>;
    assert.deepEqual([view['pod'], view['here']], [pod, name === pod ? 'owned' : 'elsewhere']);
    assert.equal((await page(admin, '/sessions/nobody-knows-this-one')).status, 404);
  }
  for (const { sidecar } of deployment.pods) {
    await sidecar.process.kill('SIGTERM');
    assert.equal(existsSync(String(sidecar.admin).slice('unix:'.length)), false, 'nothing is left of it');
  }
});

test('where answers the same at the gateway and at every sidecar', async (t) => {
  const { deployment, id, pod } = await visited(t);
  for (const process of [deployment.gateways[0]!, ...deployment.pods.map(({ sidecar }) => sidecar)]) {
    const { code, output } = await process.command('where', id, '--json');
    assert.equal(code, 0);
    const view = JSON.parse(output) as Record<string, unknown>;
    assert.deepEqual([view['pod'], typeof view['epoch'], typeof view['version']], [pod, 'number', 'number']);
    const nobody = await process.command('where', 'nobody-knows-this-one');
    assert.deepEqual([nobody.code, nobody.output], [2, 'holdfast where: nobody knows this session\n']);
  }
  await deployment.gateways[0]!.process.kill('SIGTERM');
  const { code, output } = await deployment.gateways[0]!.command('where', id);
  assert.equal(code, 2);
  assert.match(output, /no process answered/);
});

test('where takes the cookie of a Laravel session as the browser shows it, and the id inside', async (t) => {
  const deployment = await deploy(t, { application: 'laravel', pods: 1 });
  const browser = deployment.browser();
  await browser.number('/inc');
  const id = await browser.text('/id');
  for (const given of [id, browser.jar.get('laravel_session')!]) {
    for (const process of [deployment.gateways[0]!, deployment.pods[0]!.sidecar]) {
      const { code, output } = await process.command('where', given, '--json');
      assert.equal(code, 0, output);
      assert.equal((JSON.parse(output) as Record<string, unknown>)['pod'], 'pod-a');
    }
  }
});
