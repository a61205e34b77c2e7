/**
 * The file side against real PHP and Laravel's own session handler: what they write is read whole, what is restored
 * they go on with. Each script says on its standard output how far it is, and goes on when a file appears.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import type { FileState } from '../../src/sessions/file-state.ts';
import { freePort } from '../support/free-port.ts';
import { findProgram, Processes, requireFile, type RunningProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { laravelId, phpId, sessionDirectory, sessionId, temporaryDirectory } from './session-sandbox.ts';

/** Ask for it first: what is registered first ends first, and a directory can't go while it is written to. */
function processes(t: TestContext): Processes {
  const all = new Processes();
  t.after(() => all.close());
  return all;
}

/** A script beside the session directory, in a directory of its own. */
function script(t: TestContext, code: string): string {
  const path = join(temporaryDirectory(t), 'script.php');
  writeFileSync(path, `<?php\n${code}`);
  return path;
}

function text(state: FileState): string {
  assert.ok(state.kind === 'content', `the file is ${state.kind}`);
  return state.bytes.toString('latin1');
}

const said = (process: RunningProcess, word: string): Promise<void> =>
  process.ready(`said ${word}`, () => process.output.includes(word));

test('plain PHP writes after its output: a read waits for its lock and gets the whole session', async (t) => {
  const programs = processes(t);
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'php' });
  const port = await freePort();
  const server = programs.start('php -S', [
    'php',
    '-d',
    `session.save_path=${path}`,
    '-S',
    `127.0.0.1:${port}`,
    script(
      t,
      `class Slow { public function __serialize(): array { global $go;
         while (!file_exists($go)) { usleep(1000); clearstatcache(); } return ['n' => str_repeat('x', 20000)]; } }
       $go = '${path}/go';
       if ($_SERVER['REQUEST_URI'] === '/up') exit;
       session_id('${phpId}'); session_start();
       $_SESSION['slow'] = new Slow;
       header('Content-Length: 2'); echo 'ok';`,
    ),
  ]);
  await server.ready('listens', async () => (await fetch(`http://127.0.0.1:${port}/up`)).ok);
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  const body = await answer.body!.getReader().read();
  assert.equal(Buffer.from(body.value).toString(), 'ok');

  assert.equal(statSync(join(path, `sess_${phpId}`)).size, 0, 'the answer is here, the session is not');
  const reading = directory.read(phpId);
  assert.ok(reading instanceof Promise);
  writeFileSync(join(path, 'go'), '');
  assert.match(text(await reading), /^slow\|O:4:"Slow":1:\{s:1:"n";s:20000:"x{20000}";\}$/);
});

const writers: readonly [string, 'laravel' | 'php', string][] = [
  [
    "Laravel's session handler",
    'laravel',
    `require '/usr/share/php/Illuminate/autoload.php';
     $handler = new Illuminate\\Session\\FileSessionHandler(new Illuminate\\Filesystem\\Filesystem, $argv[1], 120);
     for ($i = 1; ; $i++) { $data = str_repeat((string) $i . ' ', 1 + $i % 3000);
       $handler->write('${laravelId}', strlen($data) . ':' . md5($data) . ':' . $data); }`,
  ],
  [
    "PHP's own handler",
    'php',
    `ini_set('session.use_cookies', '0'); ini_set('session.cache_limiter', ''); session_save_path($argv[1]);
     for ($i = 1; ; $i++) { session_id('${phpId}'); session_start();
       $data = str_repeat((string) $i . ' ', 1 + $i % 3000);
       $_SESSION = ['d' => strlen($data) . ':' . md5($data) . ':' . $data]; session_write_close(); usleep(300); }`,
  ],
];

for (const [writer, preset, code] of writers) {
  test(`of hundreds of reads while ${writer} writes again and again none is torn`, async (t) => {
    requireFile('/usr/share/php/Illuminate/autoload.php', 'php-laravel-framework');
    const programs = processes(t);
    const path = temporaryDirectory(t);
    const id = preset === 'php' ? phpId : laravelId;
    const file = join(path, preset === 'php' ? `sess_${id}` : id);
    const directory = sessionDirectory(path, { preset });
    const php = programs.start(writer, ['php', script(t, code), path]);
    await until('the session file has content', () => statSync(file).size > 0);

    const contents = new Set<string>();
    const torn: string[] = [];
    let reads = 0;
    let unlockedTears = 0;
    // Reads without the lock show that this writer does tear: a test that could not fail would prove nothing.
    await until(
      '300 reads of 20 contents, and 20 tears without the lock',
      async () => {
        for (let index = 0; index < 50; index++) {
          if (!isWhole(preset, readFileSync(file, 'latin1'))) unlockedTears += 1;
          const state = await directory.read(id);
          const content = state.kind === 'content' ? state.bytes.toString('latin1') : state.kind;
          if (!isWhole(preset, content)) torn.push(content.slice(0, 80));
          contents.add(content);
          reads += 1;
        }
        return !php.running || (reads >= 300 && contents.size >= 20 && unlockedTears >= 20);
      },
      { deadlineMs: 180_000 },
    );
    assert.deepEqual(torn, []);
    assert.ok(php.running, php.output);
  });
}

/** Each content says its own length and digest. */
function isWhole(preset: 'laravel' | 'php', content: string): boolean {
  const own = preset === 'laravel' ? content : (/^d\|s:\d+:"(.*)";$/s.exec(content)?.[1] ?? '');
  const [length, , data] = /^(\d+):([0-9a-f]{32}):(.*)$/s.exec(own)?.slice(1) ?? [];
  return (
    data !== undefined &&
    data.length === Number(length) &&
    data === `${data.split(' ')[0]!} `.repeat(data.split(' ').length - 1)
  );
}

test('PHP that has the file open goes on with what was restored in place, and its write is not lost', async (t) => {
  const programs = processes(t);
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'laravel' });
  directory.check();
  writeFileSync(join(path, laravelId), 'old');
  const php = programs.start('open file', [
    'php',
    script(
      t,
      `$file = fopen($argv[1] . '/${laravelId}', 'c+'); echo "opened\\n";
       while (!file_exists($argv[1] . '/go')) { usleep(1000); clearstatcache(); }
       flock($file, LOCK_EX); $found = stream_get_contents($file);
       fseek($file, 0, SEEK_END); fwrite($file, ' and more'); fclose($file); echo "found $found\\n";`,
    ),
    path,
  ]);
  await said(php, 'opened');
  assert.equal(directory.restore(laravelId, { bytes: Buffer.from('restored'), mtimeMs: Date.now() }), 'written');
  writeFileSync(join(path, 'go'), '');
  await php.ended;
  assert.match(php.output, /found restored\n/);
  assert.equal(text(await directory.read(laravelId)), 'restored and more');
});

test('a restore waits for the request that has the session, then PHP goes on with the restored one', async (t) => {
  const programs = processes(t);
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'php' });
  directory.check();
  const code = `ini_set('session.use_cookies', '0'); session_save_path($argv[1]); session_id('${phpId}'); session_start();
    $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; echo "n={$_SESSION['n']}\\n";
    while (!file_exists($argv[1] . '/go')) { usleep(1000); clearstatcache(); }`;
  const first = programs.start('first', ['php', '-d', 'output_buffering=0', script(t, code), path]);
  await said(first, 'n=1');
  const restoring = directory.restore(phpId, { bytes: Buffer.from('n|i:41;'), mtimeMs: Date.now() });
  assert.ok(restoring instanceof Promise);
  writeFileSync(join(path, 'go'), '');
  assert.equal(await restoring, 'written');
  await first.ended;
  const second = programs.start('second', ['php', script(t, code), path]);
  await second.ended;
  assert.match(second.output, /n=42/);
  assert.equal(text(await directory.read(phpId)), 'n|i:42;');
});

test('PHP under another uid takes a restored session for its own, with levels as PHP makes them', (t) => {
  assert.equal(process.geteuid?.(), 0, 'run this test as root: it runs PHP as another user');
  const path = temporaryDirectory(t);
  const uid = 65_534;
  chownSync(path, uid, uid);
  const directory = sessionDirectory(`2;${path}`, { preset: 'php' });
  directory.check();
  assert.equal(directory.restore(phpId, { bytes: Buffer.from('n|i:41;'), mtimeMs: Date.now() }), 'written');
  const increment = (id: string): string => {
    const code = `error_reporting(E_ALL); ini_set('session.use_cookies', '0'); session_save_path('2;${path}');
      session_id('${id}'); var_dump(session_start()); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; echo $_SESSION['n'];`;
    const run = spawnSync(findProgram('php'), ['-d', 'display_errors=1', script(t, code)], { uid, gid: uid });
    return run.stdout.toString();
  };
  assert.equal(increment(phpId), 'bool(true)\n42');
  const state = directory.read(phpId);
  assert.ok(!(state instanceof Promise));
  assert.equal(text(state), 'n|i:42;');

  // And the other way: a file that PHP made, in levels that exist.
  mkdirSync(join(path, 'z/z'), { recursive: true });
  chownSync(join(path, 'z'), uid, uid);
  chownSync(join(path, 'z/z'), uid, uid);
  const own = sessionId('zz0123456789012345678901');
  assert.equal(increment(own), 'bool(true)\n1');
  assert.deepEqual(new Set(directory.list()), new Set([phpId, own]));
});

test("Laravel's handler reads a restored session, and its clean-up leaves what is ours alone", (t) => {
  requireFile('/usr/share/php/Illuminate/autoload.php', 'php-laravel-framework');
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'laravel' });
  directory.check();
  writeFileSync(join(directory.privatePath, 'x.note'), 'a note');
  const nearlyOldMs = Date.now() - 7_100_000;
  assert.equal(directory.restore(laravelId, { bytes: Buffer.from('session data'), mtimeMs: nearlyOldMs }), 'written');
  const code = `require '/usr/share/php/Illuminate/autoload.php';
    $handler = new Illuminate\\Session\\FileSessionHandler(new Illuminate\\Filesystem\\Filesystem, '${path}', 120);
    touch('${path}/.holdfast/x.note', 1); $handler->gc(7150); echo $handler->read('${laravelId}');`;
  const run = spawnSync(findProgram('php'), [script(t, code)]);
  assert.equal(run.stdout.toString(), 'session data', run.stderr.toString());
  assert.equal(readFileSync(join(directory.privatePath, 'x.note'), 'latin1'), 'a note');
});
