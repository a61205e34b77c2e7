/** `holdfast dev` on a terminal: the keys, and what happens when the terminal goes. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { repositoryRoot, requireFile } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { DevUnderTest, isRunning } from './dev-under-test.ts';

const scriptProgram = '/usr/bin/script';
const command = ['php', '-S', '127.0.0.1:{port}', join(repositoryRoot, 'examples/plain-php/index.php')];

interface Terminal {
  readonly dev: DevUnderTest;
  readonly type: (line: string) => void;
}

/** dev with a terminal of its own (script), whose keyboard is a pipe. */
function onTerminal(t: TestContext): Terminal {
  requireFile(scriptProgram, 'bsdutils');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
  const keys = join(folder, 'keys');
  execFileSync('mkfifo', [keys]);
  // Opened for both, so that neither end waits for the other.
  const keyboard = openSync(keys, 'r+');
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--replicas', '2'],
    command,
    around(words) {
      const line = words.map((word) => `'${word}'`).join(' ');
      return ['/bin/sh', '-c', `exec ${scriptProgram} -qefc "$0" /dev/null < "$1"`, `exec ${line}`, keys];
    },
  });
  t.after(async () => {
    closeSync(keyboard);
    await rm(folder, { recursive: true, force: true });
  });
  return { dev, type: (line) => void writeSync(keyboard, `${line}\n`) };
}

test('k N kills a replica, r N brings it back, q ends; anything else says what there is', async (t) => {
  const { dev, type } = onTerminal(t);
  const browser = await dev.browser();
  await dev.says('keys: k N kills a replica');
  assert.equal(await browser.number('/inc'), 1);
  const pod = await dev.podOf(browser);
  const number = pod.slice('pod-'.length);

  type(`k ${number}`);
  await dev.says(`${pod} down: killed by SIGKILL`);
  assert.equal(await browser.number('/inc'), 2);
  type(`r${number}`);
  await dev.says(`${pod} up pid`, 2);
  type('k 7');
  await dev.says('there is no replica 7');
  type('help');
  await dev.says(/^k N, r N or q$/);
  type(`r ${number}`);
  type('q');
  assert.equal((await dev.process.ended).code, 0);
  assert.equal(dev.output.split(`${pod} up pid`).length - 1, 2, 'r leaves alone what runs');
  assert.deepEqual(dev.leftFolders, []);
});

test('dev ends when nobody reads its output any more', async (t) => {
  const dev = DevUnderTest.start(t, {
    flags: ['--port', '0', '--replicas', '2'],
    command,
    around: (words) => ['/bin/sh', '-c', `"$@" | head -n 1`, 'sh', ...words],
  });
  await dev.process.ended;
  await until('no folder is left', () => dev.leftFolders.length === 0);
});

test('a terminal that is closed takes dev and its replicas along', async (t) => {
  const { dev } = onTerminal(t);
  await dev.browser();
  const pids = [...dev.pods.values()].map(({ pid }) => pid);
  assert.equal(pids.length, 2);
  await dev.process.kill('SIGKILL');
  await until('no replica is left', () => pids.filter(isRunning).length === 0);
  await until('no folder is left', () => dev.leftFolders.length === 0);
});
