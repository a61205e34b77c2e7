/** `holdfast run` from its start to its end: both roles as real processes, with real Redis and PHP. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { deploy, type Deployment } from '../support/deployment.ts';
import { gatedApplication, open, waitsAt, whoWaitsAt } from '../support/gates.ts';
import { nodeProgram, Processes, type RunningProcess, repositoryRoot } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** `holdfast run` with this configuration. */
function run(t: TestContext, configuration: object): RunningProcess {
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-run-'));
  t.after(async () => {
    await processes.close();
    await rm(folder, { recursive: true, force: true });
  });
  const file = join(folder, 'holdfast.json');
  writeFileSync(file, JSON.stringify(configuration));
  const cli = join(repositoryRoot, 'src/cli.ts');
  return processes.start('holdfast', [nodeProgram, cli, 'run', '--config', file]);
}

const gatewayAlone = {
  listen: '127.0.0.1:0',
  admin: 'off',
  session: { preset: 'php' },
  store: { key: 'a store key of the tests, 32 byte' },
  pods: { static: ['pod-a=127.0.0.1:1'], sidecars: false },
  timeouts: { drain: '5s', drainDelay: '0s' },
  // Nobody is there, and a test that takes its time is not to be told so.
  health: { interval: '1h' },
};

/** A port that somebody else has. */
async function takenPort(t: TestContext): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function onePod(t: TestContext, over: Partial<Parameters<typeof deploy>[1]> = {}): Promise<Deployment> {
  return deploy(t, { application: 'plain-php', pods: 1, ...over });
}

test('everything that is wrong with the configuration is told at once, each with its key, and ends with 1', async (t) => {
  const process = run(t, { role: 'sidecar', listen: 'nowhere', timeouts: { head: 'soon' }, sessions: { maxbytes: 1 } });
  assert.deepEqual(await process.ended, { code: 1, signal: null });
  for (const key of ['listen', 'timeouts.head', 'sessions.maxbytes', 'application', 'pod.name', 'store.key']) {
    assert.match(process.output, new RegExp(`^ {2}${key.replace('.', '\\.')}: `, 'm'), key);
  }
});

test('a listening address that is taken ends with 2 and says which', async (t) => {
  const port = await takenPort(t);
  const process = run(t, { ...gatewayAlone, listen: `127.0.0.1:${port}` });
  assert.deepEqual(await process.ended, { code: 2, signal: null });
  assert.match(process.output, new RegExp(`127\\.0\\.0\\.1:${port}.*EADDRINUSE`));
});

test('an admin address that was asked for and is taken ends with 1', async (t) => {
  const port = await takenPort(t);
  const process = run(t, { ...gatewayAlone, admin: `127.0.0.1:${port}` });
  assert.deepEqual(await process.ended, { code: 1, signal: null });
  assert.match(process.output, new RegExp(`admin 127\\.0\\.0\\.1:${port}`));
});

test('SIGTERM and SIGINT end a process that has nothing to do with 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const process = run(t, gatewayAlone);
    await process.ready('listens', () => process.output.includes('gateway listens'));
    assert.deepEqual(await process.kill(signal), { code: 0, signal: null }, signal);
    assert.match(process.output, /"stopped"/);
    assert.doesNotMatch(process.output, /"level":"(?:warn|error)"/);
  }
});

test('SIGHUP does not end a server', async (t) => {
  const process = run(t, gatewayAlone);
  await process.ready('listens', () => process.output.includes('gateway listens'));
  process.signal('SIGHUP');
  assert.deepEqual(await process.kill('SIGTERM'), { code: 0, signal: null });
});

test('a gateway at SIGTERM finishes what is in flight, says so to the kubelet meanwhile, and ends with 0', async (t) => {
  const { gateways, pods, ...deployment } = await withGates(t, {
    gateway: { timeouts: { drain: '60s', drainDelay: '3s' } },
  });
  const gateway = gateways[0]!;
  const slow = deployment.browser.text('/inc?gate=end');
  const pod = await whoWaitsAt(pods, 'end');
  gateway.process.signal('SIGTERM');
  // First what has a bound, drainDelay; for what follows there is all the time that is in flight.
  await until('who has not heard of it yet is served', async () => {
    // Behind an answer with `close` comes a new connection.
    const late = [await deployment.second.get('/get'), await deployment.second.get('/get')];
    return late.every(({ status, headers }) => status === 200 && headers['connection'] === 'close');
  });
  await until('it is not ready any more', async () => (await gateway.probe('/readyz')).text.includes('draining'));
  assert.equal((await gateway.probe('/livez')).status, 200);
  await open(pod, 'end');
  assert.equal(await slow, '2');
  assert.deepEqual(await gateway.process.ended, { code: 0, signal: null });
  assert.equal(pods.length, 2);
});

test('a sidecar at SIGTERM finishes what is in flight, stores it, gives it back, and ends with 0', async (t) => {
  const { pods, browser, gateways } = await withGates(t, { sidecar: { timeouts: { drain: '60s' } } });
  const slow = browser.text('/inc?gate=end');
  const pod = await whoWaitsAt(pods, 'end');
  const { process } = pod.sidecar;
  process.signal('SIGTERM');
  await process.ready('drains', () => process.output.includes('"stopping"'));
  await open(pod, 'end');
  assert.equal(await slow, '2');
  assert.deepEqual(await process.ended, { code: 0, signal: null });
  await pod.kill();
  assert.equal(await browser.number('/inc'), 3, 'from the other pod');
  const statuses = (): unknown[] => gateways[0]!.accessLines('/inc').map(({ status }) => status);
  await until('every answer was a good one', () => statuses().join() === '200,200,200');
});

test('a second signal ends at once: what is in flight is cut', async (t) => {
  for (const role of ['gateway', 'sidecar'] as const) {
    const timeouts = { timeouts: { drain: '600s', drainDelay: '0s' } };
    const { pods, browser, gateways } = await withGates(t, { gateway: timeouts, sidecar: timeouts, pods: 1 });
    const { process } = role === 'gateway' ? gateways[0]! : pods[0]!.sidecar;
    const slow = browser.text('/inc?gate=never').catch((error: unknown) => error);
    await waitsAt(pods[0]!, 'never');
    process.signal('SIGTERM');
    await process.ready('drains', () => process.output.includes('"stopping"'));
    process.signal('SIGTERM');
    assert.deepEqual(await process.ended, { code: 0, signal: null }, role);
    assert.match(process.output, /"stopping at once"/);
    assert.ok((await slow) instanceof Error);
  }
});

test('a sidecar waits for its session directory, says so at /startz, and starts when it is there', async (t) => {
  const { pods } = await onePod(t, { gateways: 0 });
  const { sidecar } = pods[0]!;
  await sidecar.process.kill('SIGTERM');
  const directory = join(pods[0]!.sessions, 'later');
  sidecar.configure({ sessions: { directory } });
  await sidecar.launch();
  await sidecar.process.ready('says what it waits for', async () => {
    const { status, text } = await sidecar.probe('/startz');
    return status === 503 && text.includes(directory);
  });
  assert.equal((await sidecar.probe('/livez')).status, 200);
  const { status, text } = await sidecar.probe('/readyz');
  assert.equal(status, 503);
  assert.ok(text.includes(directory), text);
  assert.match((await sidecar.probe('/metrics')).text, /^holdfast_sessions_known 0$/m);
  mkdirSync(directory);
  await sidecar.process.ready('is ready', () => sidecar.isReady());
  assert.equal((await sidecar.probe('/startz')).status, 200);
});

test('a second sidecar on a session directory ends with 2 and says why; after the first one it starts', async (t) => {
  const { pods } = await onePod(t, { gateways: 0 });
  const { sidecar, sessions } = pods[0]!;
  const taken = sidecar.process;
  sidecar.configure({ admin: 'off', probes: '127.0.0.1:0', timeouts: { drain: '100ms', drainDelay: '0ms' } });
  await sidecar.launch();
  assert.deepEqual(await sidecar.process.ended, { code: 2, signal: null });
  assert.match(sidecar.process.output, /Another sidecar has this session directory\. /);
  assert.ok(sidecar.process.output.includes(sessions));
  assert.ok(taken.running, 'the first one goes on');

  sidecar.configure({ timeouts: { drain: '60s' } });
  await sidecar.launch();
  await sidecar.process.ready('waits', () => sidecar.process.output.includes('waiting for the session directory'));
  await taken.kill('SIGKILL');
  await sidecar.process.ready('listens', () => sidecar.process.output.includes('sidecar listens'));
});

test('a sidecar that still waits for its directory ends with 0', async (t) => {
  const { pods } = await onePod(t, { gateways: 0 });
  const { sidecar } = pods[0]!;
  await sidecar.process.kill('SIGTERM');
  sidecar.configure({ sessions: { directory: join(pods[0]!.sessions, 'never') } });
  await sidecar.launch();
  await sidecar.process.ready('waits', () => sidecar.process.output.includes('waiting for the session directory'));
  assert.deepEqual(await sidecar.process.kill('SIGTERM'), { code: 0, signal: null });
});

test('without Redis at the start a sidecar is ready all the same, degraded, and recovers when Redis comes', async (t) => {
  const deployment = await onePod(t, { redis: false });
  const { sidecar } = deployment.pods[0]!;
  assert.equal((await sidecar.probe('/startz')).status, 200);
  assert.match((await sidecar.probe('/readyz')).text, /degraded/);
  const browser = deployment.browser();
  assert.deepEqual([await browser.number('/inc'), await browser.number('/inc')], [1, 2]);
  await deployment.redis.start();
  await until('the store is up', async () => (await sidecar.probe('/readyz')).text.includes('ready'));
  await until('not degraded', async () => !(await sidecar.probe('/readyz')).text.includes('degraded'));
  assert.equal(await browser.number('/inc'), 3);
});

test('a pod that comes back with another uid takes its sessions up again, with a gateway and without', async (t) => {
  const deployment = await onePod(t);
  const browser = deployment.browser();
  assert.deepEqual([await browser.number('/inc'), await browser.number('/inc')], [1, 2]);
  const { sidecar, name, dataPort } = deployment.pods[0]!;
  const changed = async (uid: string): Promise<void> => {
    await sidecar.process.kill('SIGKILL');
    sidecar.configure({ pod: { name, uid } });
    await sidecar.start();
  };
  await changed('second');
  await until('counts on', async () => (await browser.get('/get')).text === '2');
  assert.equal(await browser.number('/inc'), 3);
  await changed('third');
  browser.origin = `http://127.0.0.1:${dataPort}`;
  assert.equal(await browser.number('/inc'), 4, 'the owner of before had this very address');
});

interface WithGates extends Pick<Deployment, 'pods' | 'gateways'> {
  /** Has a session that has counted to 1. */
  readonly browser: ReturnType<Deployment['browser']>;
  readonly second: ReturnType<Deployment['browser']>;
}

/** An application whose requests wait where they are told to. */
async function withGates(t: TestContext, over: Partial<Parameters<typeof deploy>[1]>): Promise<WithGates> {
  const session = { session: { cookie: 'sid' } };
  const { gateway, sidecar, ...rest } = over;
  const deployment = await deploy(t, {
    application: gatedApplication,
    pods: 2,
    gateway: { ...session, ...gateway },
    sidecar: { ...session, ...sidecar },
    ...rest,
  });
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  const second = deployment.browser();
  return { pods: deployment.pods, gateways: deployment.gateways, browser, second };
}
