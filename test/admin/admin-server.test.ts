import assert from 'node:assert/strict';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { Admin, AdminOptions } from '../../src/admin/admin-server.ts';
import { createAdmin } from '../../src/admin/admin-server.ts';
import { openAdmin } from '../../src/admin/open-admin.ts';
import type { Condition, DrainRequest, PodView, Window } from '../../src/admin/window.ts';
import { parseAddress } from '../../src/base/address.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';

class SampleWindow implements Window {
  readonly title = 'gateway <1>';
  readiness: Condition = { ok: true, reason: '2 pods known' };
  drained = 0;
  unready = false;
  broken = false;

  started(): Condition {
    return { ok: true, reason: 'listening' };
  }

  ready(): Condition {
    return this.readiness;
  }

  pods(): readonly PodView[] {
    if (this.broken) throw new Error('a fault');
    return [{ name: 'pod-a<script>', state: 'ready', why: 'probe passed', inFlight: 3 }];
  }

  session(id: string) {
    const known = { session: 'digest', pod: 'pod-a', reason: 'owner', epoch: 7, version: 2, storedAt: null };
    return Promise.resolve(id === 'known/id' ? known : undefined);
  }

  drain({ unready }: DrainRequest): Promise<void> {
    this.drained++;
    this.unready = unready;
    return Promise.resolve();
  }

  figures(): readonly (readonly [string, string])[] {
    return [['requests', '12']];
  }
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request to an admin server, on whatever it listens. */
function ask(admin: Admin, path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Reply> {
  const address = parseAddress(admin.place);
  const where = address === undefined ? { socketPath: admin.place.slice('unix:'.length) } : address;
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...where, path, method, headers, agent: false }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: text, headers: reply.headers }));
    });
    outgoing.on('error', reject).end(body);
  });
}

async function opened(context: TestContext, options: Partial<AdminOptions> = {}) {
  const window = new SampleWindow();
  const lines: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const listen = { kind: 'tcp', address: { host: '127.0.0.1', port: 0 } } as const;
  const admin = await createAdmin({ listen, full: true, window, metrics: new Metrics(), log, ...options });
  context.after(() => admin.close());
  return { admin, window, log, lines };
}

const json = { 'content-type': 'application/json' };
const token = 'a-token-of-some-length';

test('the probes answer 200 with the reason, and /readyz 503 while the process is not ready', async (context) => {
  const { admin, window } = await opened(context);
  assert.deepEqual(
    [(await ask(admin, '/livez')).status, (await ask(admin, '/startz')).status, (await ask(admin, '/readyz')).status],
    [200, 200, 200],
  );
  window.readiness = { ok: false, reason: 'draining' };
  const { status, body } = await ask(admin, '/readyz');
  assert.equal(status, 503);
  assert.equal(body, 'not ready: draining\n');
});

test('/metrics, /pods and /sessions/<id> answer in their own formats', async (context) => {
  const { admin } = await opened(context);
  assert.match(String((await ask(admin, '/metrics')).headers['content-type']), /^text\/plain; version=0\.0\.4/);
  assert.deepEqual(JSON.parse((await ask(admin, '/pods')).body), {
    pods: [{ name: 'pod-a<script>', state: 'ready', why: 'probe passed', inFlight: 3 }],
  });
  const found = await ask(admin, '/sessions/known%2Fid');
  assert.equal((JSON.parse(found.body) as { pod: string }).pod, 'pod-a');
  assert.equal((await ask(admin, '/sessions/other')).status, 404);
  assert.equal((await ask(admin, '/sessions/%E0%A4%A')).status, 400);
  assert.equal((await ask(admin, `/sessions/${'a'.repeat(4097)}`)).status, 400);
  assert.equal((await ask(admin, '/nowhere')).status, 404);
});

test('the status page shows the pods, escaped, and may run nothing', async (context) => {
  const { admin } = await opened(context);
  const { body, headers } = await ask(admin, '/');
  assert.match(body, /pod-a&lt;script&gt;/);
  assert.match(body, /gateway &lt;1&gt;/);
  assert.doesNotMatch(body, /<script/);
  assert.match(String(headers['content-security-policy']), /default-src 'none'/);
  assert.equal(headers['cache-control'], 'no-store');
});

test('the log level is changed by a POST with JSON, and only to a level that exists', async (context) => {
  const { admin, log } = await opened(context);
  const post = (body: string) => ask(admin, '/log', { method: 'POST', headers: json, body });
  assert.equal((await post('{"level":"debug"}')).status, 200);
  assert.equal(log.level, 'debug');
  for (const body of ['{"level":"loud"}', 'null', '{', '']) assert.equal((await post(body)).status, 400);
  assert.equal(log.level, 'debug');
  assert.equal((await post(`{"level":"${'x'.repeat(5000)}"}`)).status, 413);
});

test('a change needs POST, JSON and a loopback Host', async (context) => {
  const { admin, window } = await opened(context);
  assert.equal((await ask(admin, '/drain')).status, 404);
  assert.equal((await ask(admin, '/drain', { method: 'PUT', headers: json })).status, 405);
  assert.equal((await ask(admin, '/drain', { method: 'POST', headers: { 'content-type': 'text/plain' } })).status, 415);
  const rebound = { ...json, host: 'attacker.example:9901' };
  assert.equal((await ask(admin, '/drain', { method: 'POST', headers: rebound })).status, 403);
  assert.equal(window.drained, 0);
  assert.equal((await ask(admin, '/drain', { method: 'POST', headers: json })).status, 200);
  assert.deepEqual([window.drained, window.unready], [1, false]);
  const byHand = { method: 'POST', headers: json, body: '{"unready":true}' };
  assert.equal((await ask(admin, '/drain', byHand)).status, 200);
  assert.deepEqual([window.drained, window.unready], [2, true]);
  assert.equal((await ask(admin, '/drain', { ...byHand, body: '{"unready":1}' })).status, 400);
  assert.equal(window.drained, 2);
});

test('a foreign Host sees the probes and nothing else', async (context) => {
  const { admin } = await opened(context);
  const headers = { host: '10.1.2.3:9901' };
  assert.equal((await ask(admin, '/readyz', { headers })).status, 200);
  for (const path of ['/', '/pods', '/sessions/known%2Fid', '/metrics']) {
    assert.equal((await ask(admin, path, { headers })).status, 403, path);
  }
});

test('with a token nothing but the probes is answered without it', async (context) => {
  const { admin } = await opened(context, { token });
  assert.equal((await ask(admin, '/livez')).status, 200);
  assert.equal((await ask(admin, '/pods')).status, 401);
  assert.equal((await ask(admin, '/pods', { headers: { authorization: `Bearer ${token}x` } })).status, 401);
  const headers = { authorization: `Bearer ${token}`, host: 'holdfast.shop.svc' };
  assert.equal((await ask(admin, '/pods', { headers })).status, 200);
  assert.equal((await ask(admin, '/drain', { method: 'POST', headers: { ...headers, ...json } })).status, 200);
});

test('the small window has four pages and no changes', async (context) => {
  const { admin } = await opened(context, { full: false });
  const headers = { host: '10.1.2.3:9903' };
  for (const path of ['/startz', '/livez', '/readyz', '/metrics']) {
    assert.equal((await ask(admin, path, { headers })).status, 200, path);
  }
  for (const path of ['/', '/pods', '/sessions/known%2Fid']) assert.equal((await ask(admin, path)).status, 404, path);
  assert.equal((await ask(admin, '/drain', { method: 'POST', headers: json })).status, 405);
});

test('HEAD answers without a body', async (context) => {
  const { admin } = await opened(context);
  const { status, body, headers } = await ask(admin, '/readyz', { method: 'HEAD' });
  assert.deepEqual([status, body], [200, '']);
  assert.equal(headers['content-length'], String('ready: 2 pods known\n'.length));
});

test('a fault of the window is a 500 and a line in the log, and the server goes on', async (context) => {
  const { admin, window, lines } = await opened(context);
  window.broken = true;
  const { status, body } = await ask(admin, '/pods');
  assert.equal(status, 500);
  assert.doesNotMatch(body, /a fault\b.*\bat\b/);
  assert.match(lines.join(''), /the admin window failed/);
  assert.equal((await ask(admin, '/livez')).status, 200);
});

test('a Unix socket is for its owner alone, and needs no token', async (context) => {
  const path = join(mkdtempSync(join(tmpdir(), 'holdfast-admin-')), 'run', 'admin.sock');
  const { admin } = await opened(context, { listen: { kind: 'unix', path }, token });
  assert.equal(admin.place, `unix:${path}`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal((await ask(admin, '/pods', { headers: { host: 'anything' } })).status, 200);
});

test('a socket that a killed process left behind is taken over, one that is in use is not, and says whose it is', async (context) => {
  const path = join(mkdtempSync(join(tmpdir(), 'holdfast-admin-')), 'admin.sock');
  const first = await opened(context, { listen: { kind: 'unix', path } });
  await assert.rejects(opened(context, { listen: { kind: 'unix', path } }), {
    kind: 'listen-failed',
    message: new RegExp(`admin unix:${path}: process ${process.pid} listens there; give each process a place`),
  });
  assert.equal((await ask(first.admin, '/livez')).status, 200);
  writeFileSync(`${path}.txt`, 'a file is no socket');
  await assert.rejects(opened(context, { listen: { kind: 'unix', path: `${path}.txt` } }), { kind: 'listen-failed' });
});

test('the default place that can not be taken is a warning, one that was asked for an error', async (context) => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  context.after(() => blocker.close());
  const address = blocker.address();
  assert.ok(typeof address === 'object' && address !== null);
  const place = { kind: 'tcp', address: { host: '127.0.0.1', port: address.port } } as const;
  const lines: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const common = { probes: { host: '127.0.0.1', port: 0 }, window: new SampleWindow(), metrics: new Metrics(), log };
  const admins = await openAdmin({ ...common, admin: { place, byDefault: true, token: undefined } });
  context.after(() => Promise.all(admins.map((admin) => admin.close())));
  assert.equal(admins.length, 1);
  assert.match(lines.join(''), /"level":"warn".*going on without it/);
  await assert.rejects(openAdmin({ ...common, admin: { place, byDefault: false, token: undefined } }), {
    kind: 'listen-failed',
  });
});
