/**
 * The judge before it judges: the session checker finds nothing wrong with one replica, and finds the losses of two
 * replicas that share nothing.
 */

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { applications, applicationSecrets } from '../support/applications.ts';
import type { ApplicationName } from '../support/applications.ts';
import { describeVerdict } from '../support/checker-verdict.ts';
import { freePort, freePorts } from '../support/free-port.ts';
import { Processes } from '../support/processes.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

const answersMin = 150;

for (const name of ['laravel', 'plain-php', 'express'] as const) {
  test(`one replica of ${name} passes the session checker`, async (t) => {
    const [port] = await startReplicas(t, name, 1);
    const verdict = await check(name, [`http://127.0.0.1:${port!}`]);
    assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
    assert.deepEqual(verdict.errors, {}, describeVerdict(verdict));
  });

  test(`two replicas of ${name} that share nothing fail the session checker`, async (t) => {
    const ports = await startReplicas(t, name, 2);
    const front = await startRoundRobin(t, ports);
    const verdict = await check(name, [`http://127.0.0.1:${front}`]);
    const kinds = new Set(verdict.violations.map(({ kind }) => kind));
    assert.ok(kinds.has('reset') || kinds.has('lost-write'), describeVerdict(verdict));
  });
}

async function check(name: ApplicationName, origins: readonly string[]) {
  const { traits } = applications[name];
  const checker = new SessionChecker({ origins, users: 4, application: traits, seed: 7, timeoutMs: 60_000 });
  checker.start();
  await until(`the users have ${answersMin} answers`, () => checker.answers >= answersMin, { deadlineMs: 120_000 });
  return checker.stop();
}

async function startReplicas(t: TestContext, name: ApplicationName, count: number): Promise<readonly number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-checker-'));
  const processes = new Processes();
  t.after(async () => {
    await processes.close();
    await rm(folder, { recursive: true, force: true });
  });
  const ports = await freePorts(count);
  await Promise.all(
    ports.map(async (port) => {
      const storage = join(folder, String(port));
      await mkdir(applications[name].sessions(storage), { recursive: true });
      const { command, env } = applications[name].command({ port, storage });
      const replica = processes.start(`${name} ${port}`, command, { env: { ...applicationSecrets, ...env } });
      await replica.ready('answers', async () => (await fetch(`http://127.0.0.1:${port}/who`)).ok);
    }),
  );
  return ports;
}

/** Each connection goes to the next replica: a load balancer without affinity. */
async function startRoundRobin(t: TestContext, ports: readonly number[]): Promise<number> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const server: Server = createServer((client) => {
    const upstream = connect(ports[turn++ % ports.length]!, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return port;
}
