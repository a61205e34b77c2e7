/** The demo tells only what it has seen: exit 0 with the whole story, else the reason and another code. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { nodeProgram, Processes, repositoryRoot, requireFile, type RunningProcess } from '../support/processes.ts';

function demo(t: TestContext, ...words: readonly string[]): { process: RunningProcess; folder: string } {
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-test-'));
  t.after(async () => {
    await processes.close();
    await rm(folder, { recursive: true, force: true });
  });
  const command = [nodeProgram, join(repositoryRoot, 'examples/demo/demo.ts'), ...words] as const;
  return { process: processes.start('demo', command, { env: { TMPDIR: folder } }), folder };
}

const story = [
  'A browser counts',
  'the number after six clicks: 6',
  'kill -9',
  'the next number: 7',
  'the same session id',
  'from another pod',
  'its old session file is still there: yes',
  'its old file does not win: the number is 9',
  'login keeps the number and changes the id: 10',
  'the logged-out session stays away, although its pod was killed: 0',
  'and so does the one from before the login: 0',
  'No session was lost.',
];

for (const application of ['laravel', 'express'] as const) {
  test(`the story is told to its end with ${application}, and nothing is left of it`, async (t) => {
    if (application === 'laravel') requireFile('/usr/share/php/Illuminate/autoload.php', 'php-laravel-framework');
    const { process, folder } = demo(t, ...(application === 'express' ? ['express'] : []));
    assert.deepEqual(await process.ended, { code: 0, signal: null }, process.output);
    let at = 0;
    for (const sentence of story) {
      const found = process.output.indexOf(sentence, at);
      assert.notEqual(found, -1, `${sentence}\n${process.output}`);
      at = found;
    }
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('a story that breaks off ends with the reason and not with 0', async (t) => {
  const { process } = demo(t, 'express');
  await process.ready('has begun', () => process.output.includes('A browser counts'), { deadlineMs: 60_000 });
  const [dev] = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  globalThis.process.kill(Number(dev), 'SIGTERM');
  assert.deepEqual(await process.ended, { code: 1, signal: null });
  assert.match(process.output, /The demo broke off: /);
  assert.doesNotMatch(process.output, /No session was lost/);
});
