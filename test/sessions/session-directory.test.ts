import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { systemClock } from '../../src/base/clock.ts';
import { DirectoryHold } from '../../src/sessions/directory-hold.ts';
import type { FileStamp, FileState } from '../../src/sessions/file-state.ts';
import { troubleWith } from '../../src/sessions/private-directory.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';
import {
  expressId,
  laravelId,
  lifetimeMs,
  phpId,
  sessionDirectory,
  sessionId,
  temporaryDirectory,
  tinyFileSystem,
} from './session-sandbox.ts';

const content = (text: string): { bytes: Buffer; mtimeMs: number } => ({
  bytes: Buffer.from(text),
  mtimeMs: Date.now(),
});

/** A state that has to be there at once, of the kind that is expected. */
function now<Kind extends FileState['kind']>(
  state: FileState | Promise<FileState>,
  kind: Kind,
): FileState & { kind: Kind } {
  assert.ok(!(state instanceof Promise), 'nothing had to be waited for');
  assert.equal(state.kind, kind);
  return state as FileState & { kind: Kind };
}

test('a restored session is read back whole, and a second restore finds it there', (t) => {
  for (const [preset, id, fileName] of [
    ['laravel', laravelId, laravelId],
    ['php', phpId, `sess_${phpId}`],
    ['express', expressId, `${expressId}.json`],
  ] as const) {
    const path = temporaryDirectory(t);
    const directory = sessionDirectory(path, { preset });
    directory.check();
    now(directory.read(id), 'absent');
    assert.equal(directory.exists(id), false);
    assert.equal(directory.restore(id, content('count|i:1;')), 'written');
    assert.equal(readFileSync(join(path, fileName), 'latin1'), 'count|i:1;');
    const state = now(directory.read(id), 'content');
    assert.equal(state.bytes.toString(), 'count|i:1;');
    assert.equal(directory.restore(id, content('count|i:1;')), 'same');
    assert.equal(now(directory.read(id), 'content').digest, state.digest);
    assert.equal(directory.restore(id, content('count|i:2;')), 'written');
    assert.notEqual(now(directory.read(id), 'content').digest, state.digest);
    assert.deepEqual([...directory.list()], [id]);
    assert.deepEqual(readdirSync(directory.privatePath), ['.mark'], 'no temporary file stays');
    directory.remove(id);
    directory.remove(id);
    now(directory.read(id), 'absent');
    assert.equal(directory.exists(id), false);
  }
});

test('a longer and a shorter content in place leave nothing of the old one, and keep the inode', (t) => {
  const path = join(temporaryDirectory(t), `sess_${phpId}`);
  const directory = sessionDirectory(join(path, '..'), { preset: 'php' });
  directory.check();
  void directory.restore(phpId, content('a'.repeat(5000)));
  const { ino } = statSync(path);
  for (const text of ['b'.repeat(70_000), 'c', '', 'd'.repeat(100)]) {
    assert.equal(directory.restore(phpId, content(text)), 'written');
    assert.equal(readFileSync(path, 'latin1'), text);
  }
  assert.equal(statSync(path).ino, ino);
});

test('a framework that writes by rename gets a new inode: who reads the old one reads it whole', (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'express' });
  directory.check();
  const file = join(path, `${expressId}.json`);
  writeFileSync(file, '{"n":1}');
  linkSync(file, join(path, 'reader'));
  assert.equal(directory.restore(expressId, content('{"n":2}')), 'written');
  assert.equal(readFileSync(join(path, 'reader'), 'latin1'), '{"n":1}');
  assert.equal(readFileSync(file, 'latin1'), '{"n":2}');
});

test('an untouched file is not read again, a touched or replaced one is', async (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'laravel' });
  const file = join(path, laravelId);
  writeFileSync(file, 'n=1');
  let known: FileStamp | undefined;
  await until('the stamp is settled', () => {
    known = now(directory.read(laravelId), 'content').stamp;
    return known.settled;
  });
  const unchanged = now(directory.read(laravelId, known), 'unchanged');
  assert.equal(unchanged.mtimeMs, Math.floor(statSync(file).mtimeMs));
  assert.equal(directory.look(laravelId, known), 'unchanged');

  utimesSync(file, 1_700_000_000, 1_700_000_000);
  assert.equal(directory.look(laravelId, known), 'changed');
  assert.equal(now(directory.read(laravelId, known), 'content').mtimeMs, 1_700_000_000_000);

  writeFileSync(`${file}.new`, 'n=2');
  renameSync(`${file}.new`, file);
  assert.equal(now(directory.read(laravelId, known), 'content').bytes.toString(), 'n=2');
  rmSync(file);
  now(directory.read(laravelId, known), 'absent');
  assert.equal(directory.look(laravelId, known), 'absent');
});

test('two writes of the same size within one tick of the clock are both seen', (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'laravel' });
  let known: FileStamp | undefined;
  for (let index = 100; index < 400; index++) {
    writeFileSync(join(path, laravelId), `n=${index}`);
    const state = now(directory.read(laravelId, known), 'content');
    assert.equal(state.bytes.toString(), `n=${index}`);
    known = state.stamp;
  }
});

test('a kill between truncate and write leaves "empty", not content', (t) => {
  const path = temporaryDirectory(t);
  for (const [preset, id, fileName] of [
    ['laravel', laravelId, laravelId],
    ['php', phpId, `sess_${phpId}`],
  ] as const) {
    const directory = sessionDirectory(path, { preset });
    void directory.restore(id, content('x'.repeat(500)));
    truncateSync(join(path, fileName), 0);
    now(directory.read(id), 'empty');
    assert.equal(directory.restore(id, content('again')), 'written');
    assert.equal(now(directory.read(id), 'content').bytes.toString(), 'again');
  }
});

test('a file above the limit is measured, not read', (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'laravel', maxBytes: 1000 });
  writeFileSync(join(path, laravelId), 'x'.repeat(1000));
  now(directory.read(laravelId), 'content');
  writeFileSync(join(path, laravelId), 'x'.repeat(1001));
  assert.equal(now(directory.read(laravelId), 'too-large').size, 1001);
});

test('symbolic links, FIFOs and directories at a session name are refused and stay as they are', (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'laravel' });
  directory.check();
  const file = join(path, laravelId);
  const secret = join(temporaryDirectory(t), 'secret');
  writeFileSync(secret, 'the key');
  for (const plant of [
    () => symlinkSync(secret, file),
    () => symlinkSync(join(path, 'nowhere'), file),
    () => execFileSync('mkfifo', [file]),
    () => mkdirSync(file),
  ]) {
    plant();
    const { error } = now(directory.read(laravelId), 'unusable');
    assert.equal(error.kind, 'session-file-unusable');
    assert.doesNotMatch(error.message, new RegExp(laravelId));
    assert.throws(
      () => directory.restore(laravelId, content('x')),
      (thrown: Error & { kind?: string }) =>
        thrown.kind === 'session-file-unusable' && !thrown.message.includes(laravelId),
    );
    assert.deepEqual([...directory.list()], []);
    assert.deepEqual(readdirSync(directory.privatePath), ['.mark']);
    rmSync(file, { recursive: true });
  }
  assert.equal(readFileSync(secret, 'latin1'), 'the key');
  assert.ok(!existsSync(join(path, 'nowhere')));
});

test('an id that is not of the preset reaches no file', (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(join(path, 'sessions'), { preset: 'laravel' });
  mkdirSync(join(path, 'sessions'));
  writeFileSync(join(path, 'victim'), 'x');
  const id = sessionId('../victim');
  now(directory.read(id), 'unusable');
  assert.throws(() => directory.restore(id, content('y')), { kind: 'session-file-unusable' });
  assert.throws(() => directory.remove(id), { kind: 'session-file-unusable' });
  assert.equal(readFileSync(join(path, 'victim'), 'latin1'), 'x');
});

test('when the whole directory is gone no session counts as deleted', (t) => {
  const path = join(temporaryDirectory(t), 'sessions');
  mkdirSync(path);
  const directory = sessionDirectory(path, { preset: 'php' });
  directory.check();
  now(directory.read(phpId), 'absent');
  rmSync(path, { recursive: true });
  assert.equal(now(directory.read(phpId), 'unusable').error.kind, 'directory-unusable');
  assert.equal(directory.exists(phpId), true);
  assert.throws(() => [...directory.list()], { kind: 'directory-unusable' });
  assert.throws(() => directory.restore(phpId, content('x')), { kind: 'session-file-unusable' });
});

test('restores go on after someone emptied the directory with all that is in it', (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'php' });
  directory.check();
  rmSync(directory.privatePath, { recursive: true });
  assert.equal(directory.restore(phpId, content('x')), 'written');
});

test('a young file keeps its true time, an old or future one gets the time of its request', (t) => {
  const path = temporaryDirectory(t);
  const clock = new ManualClock(Date.UTC(2026, 5, 1));
  const directory = sessionDirectory(path, { preset: 'laravel', clock });
  directory.check();
  const nowMs = clock.nowMs();
  for (const [mtimeMs, expectedMs] of [
    [nowMs - 60_000, nowMs - 60_000],
    [nowMs - lifetimeMs * 0.8, nowMs - lifetimeMs * 0.8],
    [nowMs - lifetimeMs * 0.95, nowMs],
    [nowMs - lifetimeMs * 3, nowMs],
    [nowMs + 3_600_000, nowMs],
  ] as const) {
    const bytes = Buffer.from(`${mtimeMs}`);
    void directory.restore(laravelId, { bytes, mtimeMs });
    assert.equal(statSync(join(path, laravelId)).mtimeMs, expectedMs, 'in place or new');
    directory.remove(laravelId);
    void directory.restore(laravelId, { bytes, mtimeMs });
    assert.equal(statSync(join(path, laravelId)).mtimeMs, expectedMs, 'into absence');
  }
});

test("a returning pod's equal but old file gets the younger time", (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'laravel' });
  const file = join(path, laravelId);
  writeFileSync(file, 'same');
  utimesSync(file, 1_600_000_000, 1_600_000_000);
  const mtimeMs = Math.floor(Date.now() - 5000);
  assert.equal(directory.restore(laravelId, { bytes: Buffer.from('same'), mtimeMs }), 'same');
  assert.equal(statSync(file).mtimeMs, mtimeMs);
  assert.equal(directory.restore(laravelId, { bytes: Buffer.from('same'), mtimeMs: mtimeMs - 9000 }), 'same');
  assert.equal(statSync(file).mtimeMs, mtimeMs);
});

test("a new file has the framework's mode, else that of the application's files, else the configured one", (t) => {
  const modeOf = (file: string): number => statSync(file).mode & 0o777;
  const other = 'c3D4'.repeat(10);
  for (const [preset, id, mode] of [
    ['laravel', laravelId, 0o644],
    ['php', `sess_${phpId}`, 0o600],
  ] as const) {
    const path = temporaryDirectory(t);
    const directory = sessionDirectory(path, { preset });
    void directory.restore(preset === 'php' ? phpId : laravelId, content('x'));
    assert.equal(modeOf(join(path, id)), mode);
  }
  const path = temporaryDirectory(t);
  writeFileSync(join(path, other), 'x');
  chmodSync(join(path, other), 0o640);
  const directory = sessionDirectory(path, { preset: 'laravel' });
  directory.check();
  void directory.restore(laravelId, content('x'));
  assert.equal(modeOf(join(path, laravelId)), 0o640);
  const configured = sessionDirectory(path, { preset: 'laravel', mode: 0o660 });
  configured.remove(laravelId);
  void configured.restore(laravelId, content('x'));
  assert.equal(modeOf(join(path, laravelId)), 0o660);
});

test("a new file belongs to the application's user: that of its files, else of the directory", (t) => {
  assert.equal(process.geteuid?.(), 0, 'run this test as root: it gives files to another user');
  const path = temporaryDirectory(t);
  chownSync(path, 65_534, 65_534);
  void sessionDirectory(path, { preset: 'laravel' }).restore(laravelId, content('x'));
  const { uid, gid } = statSync(join(path, laravelId));
  assert.deepEqual({ uid, gid }, { uid: 65_534, gid: 65_534 });

  // Debian's /var/lib/php/sessions is root's.
  const shared = temporaryDirectory(t);
  writeFileSync(join(shared, 'sess_other'), 'x');
  chownSync(join(shared, 'sess_other'), 33, 33);
  const directory = sessionDirectory(shared, { preset: 'php' });
  directory.check();
  void directory.restore(phpId, content('x'));
  assert.equal(statSync(join(shared, `sess_${phpId}`)).uid, 33);
});

test('levels: files are found and made below them, and a linked level leads nowhere', (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(`2;0640;${path}`, { preset: 'php' });
  directory.check();
  now(directory.read(phpId), 'absent');
  assert.equal(directory.exists(phpId), false);
  directory.remove(phpId);
  assert.equal(directory.restore(phpId, content('x')), 'written');
  const file = join(path, 'b', '5', `sess_${phpId}`);
  assert.equal(statSync(file).mode & 0o777, 0o640);
  assert.equal(now(directory.read(phpId), 'content').bytes.toString(), 'x');
  assert.deepEqual([...directory.list()], [phpId]);
  assert.equal(directory.restore(phpId, content('yy')), 'written');
  assert.equal(readFileSync(file, 'latin1'), 'yy');
  // PHP refuses ids that are not longer than the levels.
  now(directory.read(sessionId('b5')), 'unusable');

  const elsewhere = temporaryDirectory(t);
  renameSync(join(path, 'b', '5'), join(elsewhere, '5'));
  symlinkSync(join(elsewhere, '5'), join(path, 'b', '5'));
  now(directory.read(phpId), 'unusable');
  assert.throws(() => directory.restore(phpId, content('stolen')), { kind: 'session-file-unusable' });
  assert.throws(() => directory.remove(phpId), { kind: 'session-file-unusable' });
  assert.deepEqual([...directory.list()], []);
  assert.equal(readFileSync(join(elsewhere, '5', `sess_${phpId}`), 'latin1'), 'yy');
});

test('a walk names sessions only, and can stop half-way', (t) => {
  const path = temporaryDirectory(t);
  const ids = Array.from({ length: 600 }, (_, index) => String(index).padStart(40, '0'));
  for (const id of ids) writeFileSync(join(path, id), 'x');
  for (const stranger of ['.gitignore', 'index.html', 'a'.repeat(39), `${'a'.repeat(40)}~`])
    writeFileSync(join(path, stranger), 'x');
  const directory = sessionDirectory(path, { preset: 'laravel' });
  directory.check();
  assert.deepEqual([...directory.list()].sort(), ids);
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  assert.equal([...directory.list().take(3)].length, 3);
  assert.equal(open(), before);
});

test('check says what is wrong with a directory, and cleans up what a killed keeper left', (t) => {
  const parent = temporaryDirectory(t);
  const check = (path: string): void => sessionDirectory(path, { preset: 'php' }).check();
  assert.throws(() => check(join(parent, 'missing')), { kind: 'directory-unusable', message: /missing: ENOENT/ });
  writeFileSync(join(parent, 'file'), '');
  assert.throws(() => check(join(parent, 'file')), { kind: 'directory-unusable', message: /not a directory/ });
  mkdirSync(join(parent, 'linked'));
  symlinkSync(parent, join(parent, 'linked', '.holdfast'));
  assert.throws(() => check(join(parent, 'linked')), { kind: 'directory-unusable' });
  assert.throws(() => check('/proc'), { kind: 'directory-unusable' });

  const good = join(parent, 'good');
  mkdirSync(join(good, '.holdfast'), { recursive: true });
  writeFileSync(join(good, '.holdfast', '.tmp-1-1'), 'half');
  writeFileSync(join(good, '.holdfast', 'tmp-1.note'), 'a note');
  check(good);
  check(good);
  assert.deepEqual(readdirSync(join(good, '.holdfast')), ['.mark', 'tmp-1.note']);
  assert.deepEqual(readdirSync(good), ['.holdfast']);
});

test('a volume that is read-only, or whose files are another user’s, is said in those words', (t) => {
  const path = tinyFileSystem(t);
  execFileSync('mount', ['-o', 'remount,ro', path]);
  const readOnly = { kind: 'directory-unusable', message: /EROFS, its volume is mounted read-only here/ };
  assert.throws(() => sessionDirectory(path, { preset: 'php' }).check(), readOnly);
  const hold = new DirectoryHold(join(path, '.holdfast'), systemClock);
  assert.throws(() => hold.tryTake(), readOnly);
  const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
  assert.match(
    troubleWith(join(path, '.holdfast'), denied),
    /^EACCES, it belongs to uid 0 and this is uid \d+: run the/,
  );
});

test('a full disk: nothing half-written at a session name, an error, and all well when there is room again', (t) => {
  const path = tinyFileSystem(t);
  const directory = sessionDirectory(path, { preset: 'php' });
  directory.check();
  void directory.restore(phpId, content('small'));
  assert.equal(directory.room(), 'little');

  const another = sessionId('another');
  assert.throws(() => directory.restore(another, content('x'.repeat(100_000))), {
    kind: 'session-file-unusable',
    message: /ENOSPC/,
  });
  now(directory.read(another), 'absent');
  assert.deepEqual(readdirSync(directory.privatePath), ['.mark']);

  assert.throws(() => directory.restore(phpId, content('y'.repeat(100_000))), { kind: 'session-file-unusable' });
  now(directory.read(phpId), 'empty');

  assert.throws(() => writeFileSync(join(path, 'ballast'), 'x'.repeat(200_000)), { code: 'ENOSPC' });
  assert.equal(directory.room(), 'none');
  assert.throws(() => directory.restore(another, content('z')), { kind: 'session-file-unusable' });
  assert.ok(lstatSync(join(path, `sess_${phpId}`)).size === 0);
  rmSync(join(path, 'ballast'));
  assert.equal(directory.restore(another, content('z')), 'written');
  assert.equal(directory.restore(phpId, content('y')), 'written');
});
