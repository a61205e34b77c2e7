/** The users of one server with session files go on, with the same cookies, before a fresh deployment of two pods. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { type ApplicationName, applications, applicationSecrets } from '../support/applications.ts';
import { Browser } from '../support/cookie-jar.ts';
import { deploy } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { Processes } from '../support/processes.ts';

const users = 5;

for (const name of ['laravel', 'plain-php'] as const) {
  test(`${name}: an installation on one server moves to Holdfast, and its users stay logged in`, async (t) => {
    const old = await oldServer(t, name);
    const browsers = Array.from({ length: users }, () => new Browser(old.origin));
    t.after(() => Promise.all(browsers.map((browser) => browser.close())));
    for (const browser of browsers)
      for (let number = 1; number <= 3; number++) assert.equal(await browser.number('/inc'), number);

    const deployment = await deploy(t, { application: name, pods: 2 });
    const sidecar = deployment.pods[0]!.sidecar;
    const first = await sidecar.command('import', old.sessions);
    assert.equal(first.code, 0, first.output);
    assert.match(first.output, /^5 sessions imported, of 5 files, in /m);

    // The old server served one user more before it was stopped: the second run brings what it wrote.
    assert.equal(await browsers[0]!.number('/inc'), 4);
    // PHP saves after its answer, and waits for the session's lock before the next one: now it is saved.
    assert.equal(await browsers[0]!.number('/get'), 4);
    await old.stop();
    const second = await sidecar.command('import', old.sessions);
    assert.equal(second.code, 0, second.output);
    assert.match(
      second.output,
      /^1 session imported, of 5 files, .*\n +1 of them had changed since an earlier import\n +4 were imported before$/m,
    );

    for (const [index, browser] of browsers.entries()) {
      browser.origin = deployment.gateways[0]!.origin;
      assert.equal(await browser.number('/inc'), index === 0 ? 5 : 4, `user ${index + 1}`);
    }
    const third = await sidecar.command('import', old.sessions);
    assert.match(third.output, /^0 sessions imported, of 5 files, .*\n +5 are in the store already/m);

    const pod = await deployment.podOf(browsers[0]!);
    await pod.kill();
    assert.equal(await browsers[0]!.number('/inc'), 6, 'an imported session outlives its pod as any other');
  });
}

/** The application alone, as it ran before Holdfast. */
async function oldServer(t: TestContext, name: ApplicationName) {
  const storage = await mkdtemp(join(tmpdir(), 'holdfast-old-server-'));
  const processes = new Processes();
  t.after(async () => {
    await processes.close();
    await rm(storage, { recursive: true, force: true });
  });
  const application = applications[name];
  const sessions = application.sessions(storage);
  await mkdir(sessions, { recursive: true });
  const port = await freePort();
  const { command, env } = application.command({ port, storage });
  const running = processes.start('old-server', command, { env: { ...applicationSecrets, ...env } });
  const origin = `http://127.0.0.1:${port}`;
  await running.ready('answers', () => accepts(port));
  return { origin, sessions, stop: () => running.kill('SIGTERM') };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
