/** `holdfast dev` as a user would run it, with the three example applications. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { nodeProgram, repositoryRoot, requireFile } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { DevUnderTest, isRunning } from './dev-under-test.ts';

const examples = join(repositoryRoot, 'examples');
const plainPhp = ['php', '-S', '127.0.0.1:{port}', join(examples, 'plain-php/index.php')];

const applications = {
  'plain PHP': { flags: [], command: plainPhp, env: {} },
  Laravel: {
    flags: ['--preset', 'laravel'],
    command: ['php', '-S', '127.0.0.1:{port}', join(examples, 'laravel/server.php')],
    env: { APP_KEY: `base64:${Buffer.from('an example key of 32 bytes, open').toString('base64')}` },
  },
  Express: {
    flags: ['--preset', 'express'],
    command: [nodeProgram, join(examples, 'express/app.js')],
    env: { SESSION_SECRET: 'an example secret, open to all' },
  },
};

for (const [name, { flags, command, env }] of Object.entries(applications)) {
  test(`${name}: a killed replica takes no session with it, comes back when asked to, and does not win`, async (t) => {
    if (name === 'Laravel') requireFile('/usr/share/php/Illuminate/autoload.php', 'php-laravel-framework');
    const dev = DevUnderTest.start(t, { flags: ['--port', '0', ...flags], command, env });
    const browser = await dev.browser();
    assert.equal(dev.pods.size, 3);
    assert.equal(new Set([...dev.pods.values()].map(({ sessions }) => sessions)).size, 3, 'a directory each');
    for (let number = 1; number <= 3; number++) assert.equal(await browser.number('/inc'), number);
    const id = await browser.text('/id');
    const first = await dev.podOf(browser);
    process.kill(dev.pods.get(first)!.pid, 'SIGKILL');
    await dev.says(`${first} down: killed by SIGKILL`);
    assert.deepEqual([await browser.number('/inc'), await browser.text('/id')], [4, id]);
    const second = await dev.podOf(browser);
    assert.notEqual(second, first);

    dev.process.signal('SIGUSR2');
    await dev.says(`${first} up pid`, 2);
    process.kill(dev.pods.get(second)!.pid, 'SIGKILL');
    await dev.says(`${second} down:`);
    assert.deepEqual([await browser.number('/inc'), await browser.text('/id')], [5, id]);

    const pids = [...dev.pods.values()].map(({ pid }) => pid);
    dev.process.signal('SIGTERM');
    assert.deepEqual(await dev.process.ended, { code: 0, signal: null });
    assert.deepEqual([pids.filter(isRunning), dev.leftFolders], [[], []], 'nothing is left');
  });
}

test('artisan serve: the server that it starts dies with it, so that the replica can come back', async (t) => {
  requireFile('/usr/share/php/Illuminate/autoload.php', 'php-laravel-framework');
  const { env } = applications.Laravel;
  const serve = [join(examples, 'laravel/artisan'), 'serve', '--port', '{port}'];
  const dev = DevUnderTest.start(t, { flags: ['--port', '0', '--replicas', '2'], command: ['php', ...serve], env });
  const browser = await dev.browser();
  assert.equal(await browser.number('/inc'), 1);
  const first = await dev.podOf(browser);
  // What its pid names is artisan; the server is a child of that.
  process.kill(dev.pods.get(first)!.pid, 'SIGKILL');
  await dev.says(`${first} down: killed by SIGKILL`);
  assert.equal(await browser.number('/inc'), 2);
  dev.process.signal('SIGUSR2');
  await dev.says(`${first} up pid`, 2);
  assert.equal(await browser.number('/inc'), 3);
});

test('each exchange is one line for people, and PHP’s own connection lines are left out', async (t) => {
  const dev = DevUnderTest.start(t, { flags: ['--port', '0', '--replicas', '1'], command: plainPhp });
  const browser = await dev.browser();
  await browser.number('/inc');
  await browser.number('/inc');
  await dev.says(/^ {2}GET \/inc 200 new pod-1 [\d.]+ ms$/);
  await dev.says(/^ {2}GET \/inc 200 hit pod-1 [\d.]+ ms$/);
  assert.doesNotMatch(dev.output, / Accepted$| Closing$/m);
  assert.match(dev.output, /pod-1 \| .*Development Server/);
});

test('--restart-after brings a replica back by itself', async (t) => {
  const flags = ['--port', '0', '--replicas', '2', '--restart-after', '50'];
  const dev = DevUnderTest.start(t, { flags, command: plainPhp });
  const browser = await dev.browser();
  assert.equal(await browser.number('/inc'), 1);
  for (let number = 2; number <= 4; number++) {
    const pod = await dev.podOf(browser);
    const ups = dev.output.split(`${pod} up`).length - 1;
    process.kill(dev.pods.get(pod)!.pid, 'SIGKILL');
    await dev.says(`${pod} up`, ups + 1);
    assert.equal(await browser.number('/inc'), number);
  }
});

test('a replica is told its port, its directory and its number', async (t) => {
  const script = `
    const { createServer } = require('node:http');
    const { PORT, SESSIONS, REPLICA } = process.env;
    const said = [...process.argv.slice(1), PORT, SESSIONS, REPLICA].join(' ');
    createServer((request, response) => response.end(said)).listen(Number(PORT), '127.0.0.1');
  `;
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--replicas', '1', '--preset', 'php'],
    command: [nodeProgram, '-e', script, 'at-{port}', 'in-{sessions}', 'as-{replica}'],
  });
  const browser = await dev.browser();
  const { port, sessions } = dev.pods.get('pod-1')!;
  assert.equal(await browser.text('/'), `at-${port} in-${sessions} as-1 ${port} ${sessions} 1`);
});

test('a replica that ends at once stops dev with its last words and the reason, exit 2', async (t) => {
  const script = 'console.error("no such table: users"); process.exit(3)';
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--preset', 'php'],
    command: [nodeProgram, '-e', script],
  });
  assert.deepEqual(await dev.process.ended, { code: 2, signal: null });
  assert.match(dev.output, /pod-\d \| no such table: users/);
  assert.match(dev.output, /pod-\d down: exit code 3/);
  assert.match(dev.output, /holdfast dev stops: pod-\d ended before it accepted a connection/);
  assert.deepEqual(dev.leftFolders, []);
});

test('a command that does not exist stops dev with the reason, exit 2', async (t) => {
  const dev = DevUnderTest.start(t, { flags: ['--port', '0', '--preset', 'php'], command: ['/no/such/program'] });
  assert.deepEqual(await dev.process.ended, { code: 2, signal: null });
  assert.match(dev.output, /pod-1 down: could not be started: .*ENOENT/);
});

test('a replica that ends at once when it is started again does not stop dev', async (t) => {
  const script = `
    const { existsSync, writeFileSync } = require('node:fs');
    const marker = process.env.SESSIONS + '-started';
    if (existsSync(marker)) process.exit(4);
    writeFileSync(marker, '');
    require('node:http').createServer((request, response) => response.end('ok')).listen(Number(process.env.PORT));
  `;
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--replicas', '2', '--preset', 'php'],
    command: [nodeProgram, '-e', script],
  });
  const browser = await dev.browser();
  process.kill(dev.pods.get('pod-1')!.pid, 'SIGKILL');
  await dev.says('pod-1 down: killed');
  dev.process.signal('SIGUSR2');
  await dev.says('pod-1 down: exit code 4');
  assert.equal(await browser.text('/'), 'ok');
});

test('a replica that keeps its sessions elsewhere stops dev with the place, exit 2', async (t) => {
  const place = "@mkdir(sys_get_temp_dir().'/shared'); session_save_path(sys_get_temp_dir().'/shared');";
  const script = `${place} session_start(); $_SESSION['n'] = 1; echo 'ok';`;
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--replicas', '2'],
    command: ['php', '-S', '127.0.0.1:{port}', '{sessions}/../../../index.php'],
  });
  writeFileSync(join(dev.folder, 'index.php'), `<?php ${script}`);
  const browser = await dev.browser();
  // The answer that showed it may leave, or end with dev.
  await browser.get('/').catch(() => undefined);
  assert.deepEqual(await dev.process.ended, { code: 2, signal: null });
  assert.match(
    dev.output,
    /holdfast dev stops: pod-\d keeps its sessions in \S+\/shared, not in its own \S+\/pod-\d\/sessions/,
  );
  assert.match(dev.output, /\{sessions\}/);
});

test('an application that keeps no files at all is warned of once', async (t) => {
  const script = `
    require('node:http').createServer((request, response) => {
      response.setHeader('set-cookie', 'PHPSESSID=' + Math.random().toString(36).slice(2).padEnd(26, 'x') + '; path=/');
      response.end('ok');
    }).listen(Number(process.env.PORT));
  `;
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--replicas', '1', '--preset', 'php'],
    command: [nodeProgram, '-e', script],
  });
  const browser = await dev.browser();
  for (let times = 0; times < 3; times++) {
    browser.jar.forget(() => true);
    assert.equal(await browser.text('/'), 'ok');
  }
  await dev.says('made a session, but no file for it is in');
  assert.equal(dev.output.split('made a session, but no file').length, 2);
  assert.ok(dev.process.running);
});

test('a busy port says so and ends with 2', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const dev = DevUnderTest.start(t, { flags: ['--port', String(port)], command: plainPhp });
  assert.deepEqual(await dev.process.ended, { code: 2, signal: null });
  assert.match(dev.output, new RegExp(`127\\.0\\.0\\.1:${port}.*EADDRINUSE`));
  assert.deepEqual(dev.leftFolders, []);
});

test('what can not be used is told once, by its name, and ends with 1', async (t) => {
  const cases = [
    {
      flags: ['--preset', 'wordpress'],
      command: plainPhp,
      words: /--preset "wordpress" is unknown here: one of laravel, php/,
    },
    { flags: [], command: [nodeProgram, 'app.js'], words: /--preset is needed/ },
    { flags: ['--preset', 'express'], command: [nodeProgram, 'app.js'], words: /session\.keys.*SESSION_SECRET/ },
    { flags: ['--preset', 'php', '--replicas', '65'], command: plainPhp, words: /1 to 64 replicas/ },
    { flags: ['--preset', 'php', '--replicas', '0'], command: plainPhp, words: /1 to 64 replicas/ },
    { flags: ['--preset', 'php', '--set', 'timeouts.head=soon'], command: plainPhp, words: /timeouts\.head/ },
    { flags: ['--set', 'admin=127.0.0.1:9901'], command: plainPhp, words: /--set admin: dev decides that itself/ },
    { flags: ['--set', 'pod.uid=same'], command: plainPhp, words: /--set pod\.uid: dev decides/ },
    { flags: ['--preset', 'php', '--config', '/no/such/file'], command: plainPhp, words: /\/no\/such\/file/ },
  ];
  for (const { words, ...start } of cases) {
    const dev = DevUnderTest.start(t, start);
    assert.deepEqual(await dev.process.ended, { code: 1, signal: null }, dev.output);
    assert.match(dev.output, words);
    assert.equal(dev.output.trim().split('\n').length, 1, dev.output);
    assert.deepEqual(dev.leftFolders, []);
  }
});

test('SIGTERM ends dev while replicas are still starting, too', async (t) => {
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--preset', 'php'],
    command: [nodeProgram, '-e', 'console.log("pid " + process.pid); setInterval(() => {}, 1000)'],
  });
  await dev.says(/\| pid \d+$/, 3);
  const pids = [...dev.output.matchAll(/\| pid (\d+)$/gm)].map((match) => Number(match[1]));
  dev.process.signal('SIGTERM');
  assert.deepEqual(await dev.process.ended, { code: 0, signal: null });
  assert.deepEqual([pids.filter(isRunning), dev.leftFolders], [[], []]);
});

test('a dev that is killed leaves no replica, no worker of one and no folder behind', async (t) => {
  const script = `
    const worker = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    console.log('worker ' + worker.pid);
    require('node:http').createServer((request, response) => response.end()).listen(Number(process.env.PORT));
  `;
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--replicas', '2', '--preset', 'php'],
    command: [nodeProgram, '-e', script],
  });
  await dev.browser();
  const pids = [...dev.pods.values()].map(({ pid }) => pid);
  pids.push(...[...dev.output.matchAll(/worker (\d+)$/gm)].map(([, pid]) => Number(pid)));
  assert.deepEqual([pids.length, pids.every(isRunning)], [4, true]);
  dev.process.signal('SIGKILL');
  await until('nothing is left', () => !pids.some(isRunning) && dev.leftFolders.length === 0);
});

test('workers that a replica forks die with it', async (t) => {
  const script = `
    const { spawn } = require('node:child_process');
    const worker = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    require('node:http').createServer((request, response) => response.end(String(worker.pid))).listen(Number(process.env.PORT));
  `;
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--replicas', '2', '--preset', 'php'],
    command: [nodeProgram, '-e', script],
  });
  const browser = await dev.browser();
  const workers = [await browser.number('/'), await browser.number('/')];
  const first = dev.pods.get('pod-1')!.pid;
  process.kill(first, 'SIGKILL');
  await dev.says('pod-1 down: killed');
  workers.push(await browser.number('/'));
  dev.process.signal('SIGTERM');
  await dev.process.ended;
  await until('no worker is left', () => workers.filter(isRunning).length === 0);
});
