/** Which files of an installation are sessions worth importing, on a real directory. */

import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { tryLock } from '../../src/sessions/file-lock.ts';
import { ImportSource, type ImportSourceOptions } from '../../src/sessions/import-source.ts';
import { Notes } from '../../src/sessions/notes.ts';
import { laravelId, lifetimeMs, phpId, sessionId, temporaryDirectory } from './session-sandbox.ts';

function source(directory: string, options: Partial<ImportSourceOptions> = {}): ImportSource {
  const usual = {
    preset: 'laravel',
    cookie: undefined,
    maxBytes: 1000,
    lifetimeMs,
    lockMs: 50,
    uid: undefined,
  } as const;
  return new ImportSource({ ...usual, ...options, directory });
}

async function fate(from: ImportSource, id = laravelId): Promise<string> {
  const found = await from.read(id);
  return found.kind === 'session' ? found.bytes.toString() : found.why;
}

test('only whole names of sessions count, and no link is followed', (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, laravelId), 'a session');
  writeFileSync(join(directory, `${laravelId}.bak`), 'a copy');
  writeFileSync(join(directory, '.gitignore'), '*');
  symlinkSync('/etc/hostname', join(directory, 'z'.repeat(40)));
  const from = source(directory);
  assert.deepEqual(from.survey(), { sessions: 1, uid: process.getuid?.(), passedOver: { strangers: 2, links: 1 } });
  assert.deepEqual([...from.list()], [laravelId]);
});

test('a session comes with the time of its last write and its age; nothing is made in the directory', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, laravelId);
  writeFileSync(path, 'a session');
  const mtimeMs = Math.floor(Date.now()) - 60_000;
  utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
  const from = source(directory);
  from.survey();
  const found = await from.read(laravelId);
  assert.ok(found.kind === 'session');
  assert.equal(found.bytes.toString(), 'a session');
  assert.ok(Math.abs(found.mtimeMs - mtimeMs) <= 1);
  assert.ok(found.ageMs >= 60_000);
  assert.equal(existsSync(join(directory, '.holdfast')), false);
});

test('what the application would not read any more, or Holdfast would not keep, is not imported', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, laravelId);
  const from = source(directory);
  writeFileSync(path, 'x'.repeat(1001));
  from.survey();
  assert.equal(await fate(from), 'too-large');
  writeFileSync(path, '');
  assert.equal(await fate(from), 'empty', 'Laravel writes no empty session');
  writeFileSync(path, 'a session');
  utimesSync(path, 1, Date.now() / 1000 - lifetimeMs / 1000 - 5);
  assert.equal(await fate(from), 'expired');
  assert.equal(await fate(from, sessionId('q'.repeat(40))), 'gone');
});

test('zero bytes are the empty session for PHP', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, `sess_${phpId}`), '');
  const from = source(directory, { preset: 'php' });
  from.survey();
  assert.equal((await from.read(phpId)).kind, 'session');
});

test('a session that a request is writing is read when its lock is free, and told as locked when it never is', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, laravelId);
  writeFileSync(path, 'half a se');
  const fd = openSync(path, 'r+');
  assert.ok(tryLock(fd, 'exclusive'));
  const from = source(directory);
  from.survey();
  assert.equal(await fate(from), 'locked');
  const patient = source(directory, { lockMs: 10_000 });
  patient.survey();
  const reading = fate(patient);
  writeFileSync(path, 'a whole session');
  closeSync(fd);
  assert.equal(await reading, 'a whole session');
});

test("another user's file is no session of the application", async (t) => {
  const directory = temporaryDirectory(t);
  const ids = ['a', 'b', 'c'].map((letter) => sessionId(letter.repeat(40)));
  for (const id of ids) writeFileSync(join(directory, id), id);
  chownSync(join(directory, ids[2]!), 12_345, 12_345);
  const from = source(directory);
  assert.equal(from.survey().uid, process.getuid?.());
  assert.equal(await fate(from, ids[0]), ids[0]);
  assert.equal(await fate(from, ids[2]), 'other-owner');
  const theirs = source(directory, { uid: 12_345 });
  theirs.survey();
  assert.equal(await fate(theirs, ids[0]), 'other-owner');
  assert.equal(await fate(theirs, ids[2]), ids[2]);
});

test('a file that a sidecar has a note of is left to that sidecar', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, laravelId), 'a session');
  const notes = new Notes({ directory: join(directory, '.holdfast') });
  notes.check();
  notes.write(laravelId, { epoch: 1, confirmedAtMs: 1 });
  const from = source(directory);
  from.survey();
  assert.equal(await fate(from), 'noted');
});

test("PHP's levels of directories are walked", async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'b/5'), { recursive: true });
  writeFileSync(join(directory, 'b/5', `sess_${phpId}`), 'n|i:1;');
  const from = source(`2;${directory}`, { preset: 'php' });
  assert.equal(from.survey().sessions, 1);
  assert.deepEqual([...from.list()], [phpId]);
  assert.equal(await fate(from, phpId), 'n|i:1;');
});

test('a directory that is not there is said at once', (t) => {
  assert.throws(() => source(join(temporaryDirectory(t), 'missing')), /missing: there is no such directory/);
});

test('a link that takes the place of a file after the walk is not followed', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'a'.repeat(40)), 'a session');
  symlinkSync('/etc/hostname', join(directory, laravelId));
  lutimesSync(join(directory, laravelId), Date.now() / 1000, Date.now() / 1000);
  const from = source(directory);
  from.survey();
  assert.equal(await fate(from), 'unreadable');
});
