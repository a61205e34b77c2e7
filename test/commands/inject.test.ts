/** `holdfast inject` as it is called: streams and exit codes. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { repositoryRoot } from '../support/processes.ts';
import { laravelPod } from '../injector/pods.ts';

function inject(args: readonly string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  const command = ['src/cli.ts', 'inject', ...args];
  return spawnSync(process.execPath, command, { cwd: repositoryRoot, input, encoding: 'utf8' });
}

const pod = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...laravelPod() });

test('inject writes what is to be applied to standard output, and what there is to say to standard error', () => {
  const { status, stdout, stderr } = inject(['-f', '-', '--image', 'holdfast:1', '--default', 'memory=64Mi'], pod);
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes('"memory": "64Mi"'));
  assert.equal(stderr, 'injected: Pod shop-1: port http leads to the sidecar, which asks 9000\n');
});

test('a pod that asked and got none ends inject with 1, and everything is written all the same', () => {
  const { status, stdout, stderr } = inject(['-f', '-'], pod);
  assert.equal(status, 1);
  assert.equal(stdout, pod);
  assert.match(stderr, /^skipped: Pod shop-1: no-image: /);
});

test('files and defaults that can not be used end inject with 1, and write nothing', () => {
  for (const [args, words] of [
    [['-f', '/nowhere.yaml'], /there is no such file/],
    [['-f', '-', '--default', 'nonsense=1', '--default', 'cpu'], /nonsense does not exist\n.*"cpu" is not name=value/],
    [[], /--file/],
  ] as const) {
    const { status, stdout, stderr } = inject(args, pod);
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, words);
  }
  assert.match(inject(['-f', '-'], 'a: [\n').stderr, /is not YAML: .*line 2/);
});
