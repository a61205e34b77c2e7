/** A gateway with several workers: real processes, real Redis and PHP. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { connect } from 'node:tls';
import { request } from 'undici';

import { applications } from '../support/applications.ts';
import { Authority } from '../support/certificates.ts';
import { describeVerdict } from '../support/checker-verdict.ts';
import { isRunning, runningWorkers, startedWorkers } from '../support/deployed-workers.ts';
import { deploy, type Deployment, type DeployedGateway, type DeployedPod } from '../support/deployment.ts';
import { freePorts } from '../support/free-port.ts';
import { gatedApplication, open, waitsAt } from '../support/gates.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

/** A gateway with two workers before two pods of plain PHP. */
function twoWorkers(t: TestContext): Promise<Deployment> {
  return deploy(t, { application: 'plain-php', pods: 2, gateway: { workers: 2 } });
}

/** A gateway with two workers before one pod whose requests stop where a test wants them to. */
function oneGatedPod(t: TestContext, over: Parameters<typeof deploy>[1]['gateway'] = {}): Promise<Deployment> {
  const session = { cookie: 'sid' };
  const gateway = { workers: 2, session, ...over };
  return deploy(t, { application: gatedApplication, pods: 1, sidecar: { session }, gateway });
}

/** Users who count at the gateway until they are stopped, or the test has ended. */
function users(t: TestContext, gateway: DeployedGateway, count: number): SessionChecker {
  const { traits } = applications['plain-php'];
  const checker = new SessionChecker({
    origins: [gateway.origin],
    users: count,
    application: traits,
    seed: 5,
    thinkMs: 50,
  });
  t.after(() => checker.stop());
  checker.start();
  return checker;
}

/** A page of the admin window, as JSON. */
async function asked(gateway: DeployedGateway, path: string, method: 'GET' | 'POST' = 'GET'): Promise<unknown> {
  const answer = await request(`http://${String(gateway.admin)}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    reset: true,
  });
  return answer.body.json();
}

async function number(gateway: DeployedGateway, line: RegExp): Promise<number> {
  const { text } = await gateway.probe('/metrics');
  return [...text.matchAll(line)].reduce((sum, [, value]) => sum + Number(value), 0);
}

const requests = /^holdfast_requests_total\{.*\} (\d+)$/gm;

/** A request on a connection of its own, so that either worker may get it. */
async function alone(origin: string, path: string): Promise<number> {
  const { statusCode, body } = await request(`${origin}${path}`, { headers: { connection: 'close' }, reset: true });
  await body.dump();
  return statusCode;
}

/** A connection that has had an answer, and waits. */
async function openIdle(gateway: DeployedGateway): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port: Number(new URL(gateway.origin).port) });
  socket.write('GET /get HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  return socket;
}

/** A TLS handshake on a connection of its own. @returns the session to resume, and whether one was. */
async function shake(port: number, ca: string, session?: Buffer): Promise<{ session: Buffer; resumed: boolean }> {
  const options = { servername: 'shop.test', ca, maxVersion: 'TLSv1.2', ...(session && { session }) } as const;
  const socket = connect({ host: '127.0.0.1', port, ...options });
  await once(socket, 'secureConnect');
  const shaken = { session: socket.getSession()!, resumed: socket.isSessionReused() };
  socket.destroy();
  return shaken;
}

test('workers are one gateway: sessions stick whichever gets the request, and one window shows and counts for all', async (t) => {
  const deployment = await twoWorkers(t);
  await deployment.gatewaysKnowPods();
  const [gateway] = deployment.gateways as [DeployedGateway];
  await until('both are told of', () => runningWorkers(gateway.process).length === 2);
  const workers = runningWorkers(gateway.process);

  const browser = deployment.browser();
  const before = await number(gateway, requests);
  for (let count = 1; count <= 12; count++) {
    // Another connection each time.
    const user = deployment.browser();
    user.jar = browser.jar;
    assert.equal(await user.number('/inc'), count);
  }
  for (let count = 0; count < 30; count++) assert.equal(await alone(gateway.origin, '/get'), 200);
  await until('each request is counted once', async () => (await number(gateway, requests)) === before + 42);
  const durations = await number(gateway, /^holdfast_request_duration_seconds_count (\d+)$/gm);
  assert.equal(durations, before + 42);
  await until('both have answered', () =>
    [1, 2].every((worker) => gateway.process.logLines.some((line) => line['worker'] === worker)),
  );

  // A worker that is late with its word is shown as it told before.
  await until('the window shows for both', async () => {
    const { pods } = (await asked(gateway, '/pods')) as { pods: { name: string; state: string; inFlight: number }[] };
    const wanted = deployment.pods.map(({ name }) => [name, 'ready', 0]);
    assert.deepEqual(
      pods.map(({ name, state, inFlight }) => [name, state, inFlight]),
      wanted,
    );
    return true;
  });
  const id = await browser.text('/id');
  const view = (await asked(gateway, `/sessions/${id}`)) as { pod: string };
  assert.equal(view.pod, (await deployment.podOf(browser)).name);
  assert.deepEqual(runningWorkers(gateway.process), workers, 'nobody died of it');
});

test('a worker that is killed takes only its connections with it: sessions and sums stay, and another takes its place', async (t) => {
  const deployment = await twoWorkers(t);
  await deployment.gatewaysKnowPods();
  const [gateway] = deployment.gateways as [DeployedGateway];
  const checker = users(t, gateway, 6);
  await until('all are busy', () => checker.answers > 60);
  const counted = await number(gateway, requests);
  const [victim] = runningWorkers(gateway.process) as [number];
  process.kill(victim, 'SIGKILL');
  await until('another was started', () => startedWorkers(gateway.process).length === 3);
  assert.ok(await gateway.isReady(), 'the other one serves');
  const soFar = checker.answers;
  await until('two serve again', async () => (await number(gateway, /^holdfast_workers (\d+)$/gm)) === 2);
  await until('the users go on', () => checker.answers > soFar + 60);
  const verdict = await checker.stop();
  assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
  const failures = Object.values(verdict.errors).reduce((sum, count) => sum + count, 0);
  // Each has at most two requests under way at a time.
  assert.ok(failures <= 2 * 6, describeVerdict(verdict));
  assert.ok((await number(gateway, requests)) >= counted, 'no counter goes back');
  assert.equal(await number(gateway, /^holdfast_worker_ends_total\{how="died"\} (\d+)$/gm), 1);
});

test('a reload replaces the workers and fails no request; a bad file changes nothing and is told whole', async (t) => {
  const deployment = await twoWorkers(t);
  await deployment.gatewaysKnowPods();
  const [gateway] = deployment.gateways as [DeployedGateway];
  const checker = users(t, gateway, 4);
  await until('all are busy', () => checker.answers > 40);
  const old = runningWorkers(gateway.process);

  await gateway.write({ timeouts: { head: 'soon' }, workers: 0 });
  process.kill(gateway.process.pid, 'SIGHUP');
  await until('it was refused', () => gateway.process.output.includes('was not reloaded'));
  const refused = (await asked(gateway, '/reload')) as { result: string; problems: string[] };
  assert.equal(refused.result, 'refused');
  assert.deepEqual(refused.problems.map((problem) => problem.split(':')[0]).sort(), ['timeouts.head', 'workers']);
  assert.deepEqual(runningWorkers(gateway.process), old);

  const authority = await Authority.create('workers');
  t.after(() => authority.remove());
  const { certificateFile, keyFile } = await authority.issue('shop.test');
  const [port] = (await freePorts(1)) as [number];
  const tls = { certificate: `file:${certificateFile}`, key: `file:${keyFile}` };
  const listen = [new URL(gateway.origin).host, { address: `127.0.0.1:${port}`, tls }];
  const others = { workers: 3, adminToken: 'a-token-that-is-new-and-long' };
  // The changed file is enough.
  await gateway.write({ timeouts: { head: '9s' }, listen, log: { level: 'error' }, ...others });
  await until('the old ones have ended', () => !old.some(isRunning));
  const replacedMs = Date.now();
  await until('three are told of', () => runningWorkers(gateway.process).length === 3);
  const { session } = await shake(port, authority.certificate);
  for (let count = 0; count < 12; count++) {
    assert.ok((await shake(port, authority.certificate, session)).resumed, 'whichever worker gets it');
  }
  const applied = (await asked(gateway, '/reload')) as { result: string; needRestart: string[] };
  assert.deepEqual([applied.result, applied.needRestart], ['applied', ['adminToken']]);

  const soFar = checker.answers;
  await until('the users go on', () => checker.answers > soFar + 40);
  const verdict = await checker.stop();
  assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
  assert.deepEqual(verdict.errors, {}, describeVerdict(verdict));
  assert.equal(await number(gateway, /^holdfast_worker_ends_total\{how="in-order"\} (\d+)$/gm), 2);
  await gateway.process.kill('SIGTERM');
  const told = gateway.process.logLines.filter(
    ({ level, time }) => level === 'info' && Date.parse(String(time)) > replacedMs,
  );
  assert.deepEqual(told, [], "the new workers have the new log's level");
});

test('what a process alone takes over its workers take over as they run; a leap of keys is refused before anybody is replaced', async (t) => {
  const deployment = await twoWorkers(t);
  await deployment.gatewaysKnowPods();
  const [gateway] = deployment.gateways as [DeployedGateway];
  const workers = runningWorkers(gateway.process);
  interface Reload {
    readonly result: string;
    readonly problems: string[];
    readonly needRestart: string[];
  }
  const reloads = async (settings: Parameters<DeployedGateway['write']>[0]): Promise<Reload> => {
    await gateway.write(settings);
    return (await asked(gateway, '/reload', 'POST')) as Reload;
  };
  const post = async (): Promise<number> => {
    const options = { method: 'POST', body: 'more than five', headers: { connection: 'close' }, reset: true } as const;
    const { statusCode, body } = await request(`${gateway.origin}/get`, options);
    await body.dump();
    return statusCode;
  };

  const idle = await openIdle(gateway);
  t.after(() => idle.destroy());
  assert.equal((await reloads({ limits: { bodyBytes: 5 }, timeouts: { head: '9s' } })).result, 'applied');
  for (let count = 0; count < 12; count++) assert.equal(await post(), 413, 'whichever worker gets it');
  // The same values in other words, and what only the parent has.
  assert.equal((await reloads({ log: { query: false } })).result, 'applied');
  assert.deepEqual((await reloads({ adminToken: 'a-token-that-is-new-and-long' })).needRestart, ['adminToken']);

  const { problems } = await reloads({ affinity: { pinKey: 'a pin key that nobody knows' } });
  assert.match(problems.join(), /affinity\.pinKey: has none of the keys in use/);
  assert.deepEqual(runningWorkers(gateway.process), workers, 'nobody was replaced');
  assert.deepEqual(startedWorkers(gateway.process), workers, 'nor started in vain');
  idle.write('GET /get HTTP/1.1\r\nHost: a\r\n\r\n');
  const [answer] = (await once(idle, 'data')) as [Buffer];
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 200 /, 'a connection from before the changes');

  process.kill(workers[0]!, 'SIGKILL');
  await until('two serve again', async () => {
    const now = runningWorkers(gateway.process);
    return (
      now.length === 2 && !now.includes(workers[0]!) && (await number(gateway, /^holdfast_workers (\d+)$/gm)) === 2
    );
  });
  for (let count = 0; count < 12; count++) assert.equal(await post(), 413, 'a successor has what was taken over');
});

test('SIGTERM drains all workers while the window says so; workers whose parent was killed end as gracefully', async (t) => {
  const deployment = await oneGatedPod(t, { timeouts: { drain: '30s', drainDelay: '500ms' } });
  const [gateway] = deployment.gateways as [DeployedGateway];
  const [pod] = deployment.pods as [DeployedPod];
  const three = async (gate: string): Promise<{ readonly answers: Promise<number[]> }> => {
    const answers = Promise.all([1, 2, 3].map(() => alone(gateway.origin, `/inc?gate=${gate}`)));
    await until('three are in flight', async () => (await number(gateway, /^holdfast_exchanges (\d+)$/gm)) === 3);
    await waitsAt(pod, gate);
    return { answers };
  };

  const drained = await three('drain');
  gateway.process.signal('SIGTERM');
  await until('not ready', async () => (await gateway.probe('/readyz')).text.includes('draining'));
  await open(pod, 'drain');
  assert.deepEqual(await drained.answers, [200, 200, 200]);
  assert.deepEqual(await gateway.process.ended, { code: 0, signal: null });

  await gateway.start();
  await until('both are told of', () => runningWorkers(gateway.process).length === 2);
  const orphans = runningWorkers(gateway.process);
  const orphaned = await three('orphan');
  process.kill(gateway.process.pid, 'SIGKILL');
  await until('they have noticed', () => gateway.process.output.includes('the parent process has died'));
  await open(pod, 'orphan');
  assert.deepEqual(await orphaned.answers, [200, 200, 200]);
  await until('they have ended', () => !orphans.some(isRunning));
  // The address is free again.
  const next = createServer().listen(Number(new URL(gateway.origin).port), '127.0.0.1');
  await once(next, 'listening');
  next.close();
});

test('workers that die before they serve end the process with 2, and those that can say why not with their reason', async (t) => {
  const deployment = await oneGatedPod(t);
  const [gateway] = deployment.gateways as [DeployedGateway];
  const other = await gateway.command('run');
  assert.equal(other.code, 1, 'the window is taken');
  await gateway.write({ admin: 'off', probes: null });
  const third = await gateway.command('run');
  assert.equal(third.code, 2);
  assert.match(third.output, /EADDRINUSE/);
  await gateway.process.kill('SIGTERM');

  // A pod that says nothing is waited for before a worker serves: for longer than it takes to hear of the worker.
  const mute = createServer((socket) => void socket.on('error', () => undefined).resume());
  t.after(() => mute.close());
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const silent = `pod-a=127.0.0.1:${(mute.address() as AddressInfo).port}`;
  await gateway.write({ pods: { static: [silent] }, health: { interval: '10s' } });

  await gateway.launch();
  const killed = new Set<number>();
  await until('it has given up', () => {
    for (const pid of runningWorkers(gateway.process).filter((started) => !killed.has(started))) {
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    }
    return !gateway.process.running;
  });
  assert.deepEqual(await gateway.process.ended, { code: 2, signal: null });
  assert.match(gateway.process.output, /died 5 times before it served, the last time with SIGKILL/);
});
