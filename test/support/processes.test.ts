/** Programs of tests: what is missing is named, what is started is ended with its children. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Processes, nodeProgram, requireFile } from './processes.ts';
import { until } from './until.ts';

test('a missing program is an error that names its Debian package', () => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  try {
    assert.throws(() => new Processes().start('php', ['php']), /php is missing: apt-get install php-cli/);
  } finally {
    process.env['PATH'] = PATH;
  }
  assert.throws(
    () => requireFile('/nowhere/autoload.php', 'php-laravel-framework'),
    /apt-get install php-laravel-framework/,
  );
});

test('closing ends a process and its children', async () => {
  const processes = new Processes();
  const parent = processes.start('parent', ['sh', '-c', 'sleep 1000 & echo $!; wait']);
  const child = await until('the child says its id', () => /^\d+$/m.exec(parent.output)?.[0]);
  assert.ok(isAlive(child));
  await processes.close();
  await until('the child is gone', () => !isAlive(child));
  assert.equal(parent.running, false);
});

test('what a killed test left behind is killed by the kernel', async (t) => {
  const processes = new Processes();
  t.after(() => processes.close());
  const program = `
    import { Processes } from ${JSON.stringify(new URL('processes.ts', import.meta.url).href)};
    console.log(new Processes().start('sleep', ['sleep', '1000']).pid);
    setInterval(() => undefined, 1000);`;
  const killed = processes.start('killed', [nodeProgram, '--input-type=module', '-e', program]);
  const left = await until('it says what it started', () => /^\d+$/m.exec(killed.output)?.[0]);
  // Only behind setpriv's word to the kernel it is what was to be started.
  await until('it runs what it was to run', () => readFileSync(`/proc/${left}/comm`, 'utf8') === 'sleep\n');
  process.kill(killed.pid, 'SIGKILL');
  await until('the left process is gone', () => !isAlive(left));
});

test('a process that ends before it is ready is an error with its output', async (t) => {
  const processes = new Processes();
  t.after(() => processes.close());
  const failing = processes.start('failing', ['sh', '-c', 'echo no such luck; exit 3']);
  await assert.rejects(
    failing.ready('answers', () => false),
    /failing ended \(.*3.*\) before it answers:\nno such luck/,
  );
});

/** A zombie that nobody has waited for yet is not alive. */
function isAlive(pid: string): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
