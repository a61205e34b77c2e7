/** `holdfast injector` as it is called, outside a cluster. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { repositoryRoot } from '../support/processes.ts';

function injector(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env['PATH'] };
  const command = ['src/cli.ts', 'injector', ...args];
  return spawnSync(process.execPath, command, { cwd: repositoryRoot, env, encoding: 'utf8' });
}

test('everything that is wrong with its flags is said at once, and ends the injector with 1', () => {
  const { status, stderr } = injector(
    '--listen',
    '8443',
    '--key',
    '/k',
    '--default',
    'uid=www',
    '--log-level',
    'loud',
    '--certificate-days',
    '0.0006',
  );
  assert.equal(status, 1);
  const said = stderr.trim().split('\n');
  assert.equal(said.length, 6, stderr);
  for (const words of [
    '--listen:',
    '--default: uid',
    '--image is needed',
    '--key belong',
    '--log-level:',
    '--certificate-days: 0.0006',
  ]) {
    assert.ok(stderr.includes(words), words);
  }
});

test('outside a pod it ends with 1 and says why', () => {
  const { status, stdout } = injector('--image', 'holdfast:1', '--probes', '127.0.0.1:0');
  assert.equal(status, 1);
  assert.match(stdout, /KUBERNETES_SERVICE_HOST is not set/);
});
