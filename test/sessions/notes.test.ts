import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { HoldfastError } from '../../src/base/errors.ts';
import { Notes } from '../../src/sessions/notes.ts';
import { expressId, laravelId, phpId, sessionId, temporaryDirectory } from './session-sandbox.ts';

const note = { epoch: 1_795_424_721_115_000, confirmedAtMs: 1_795_424_721_115 };

test('a note is read back as it was written, also by a later keeper', (t) => {
  const directory = join(temporaryDirectory(t), '.holdfast');
  const notes = new Notes({ directory });
  notes.check();
  notes.write(laravelId, note);
  notes.write(phpId, { epoch: Number.MAX_SAFE_INTEGER, confirmedAtMs: 1.5, buried: true });
  notes.write(laravelId, { epoch: 7, confirmedAtMs: 8 });
  notes.writeDurably(expressId, note);

  const later = new Notes({ directory });
  later.check();
  assert.deepEqual(later.read(laravelId), { epoch: 7, confirmedAtMs: 8 });
  assert.deepEqual(later.read(phpId), { epoch: Number.MAX_SAFE_INTEGER, confirmedAtMs: 1.5, buried: true });
  assert.deepEqual(new Map(later.all()).get(expressId), note);
  assert.deepEqual([...later.all()].map(([id]) => id).sort(), [laravelId, phpId, expressId].sort());
});

test('a removed note is gone, and removing it again is fine', (t) => {
  const notes = new Notes({ directory: temporaryDirectory(t) });
  notes.write(laravelId, note);
  notes.remove(laravelId);
  notes.remove(laravelId);
  assert.equal(notes.read(laravelId), undefined);
  assert.deepEqual([...notes.all()], []);
});

test('an unreadable note counts as none', (t) => {
  const directory = temporaryDirectory(t);
  const notes = new Notes({ directory });
  notes.write(phpId, note);
  const path = join(directory, `${phpId}.note`);
  const whole = readFileSync(path);
  for (let length = 0; length <= 40; length++) {
    truncateSync(path, length);
    assert.equal(notes.read(phpId), undefined, `cut after ${length} bytes`);
    writeFileSync(path, whole);
  }
  for (const text of [
    'null',
    '[]',
    '{"epoch":"1","confirmedAtMs":1}',
    '{"epoch":-1,"confirmedAtMs":1}',
    'x'.repeat(97),
  ]) {
    writeFileSync(path, text);
    assert.equal(notes.read(phpId), undefined, text);
    assert.deepEqual([...notes.all()], [], text);
  }
  rmSync(path);
  symlinkSync('/etc/passwd', path);
  assert.equal(notes.read(phpId), undefined);
  assert.throws(() => notes.write(phpId, note), { kind: 'session-file-unusable' });
});

test('a note over a cut one is whole again', (t) => {
  const directory = temporaryDirectory(t);
  const notes = new Notes({ directory });
  notes.write(phpId, { ...note, buried: true });
  truncateSync(join(directory, `${phpId}.note`), 13);
  notes.write(phpId, note);
  assert.deepEqual(notes.read(phpId), note);
});

test('no id reaches the file system that is not of a safe shape', (t) => {
  const notes = new Notes({ directory: temporaryDirectory(t) });
  for (const id of ['../x', '.x', 'a/b', '', 'a'.repeat(251)]) {
    assert.throws(() => notes.write(sessionId(id), note), HoldfastError);
    assert.throws(() => notes.remove(sessionId(id)), HoldfastError);
    assert.equal(notes.read(sessionId(id)), undefined);
  }
});

test('notes come back after someone emptied the directory', (t) => {
  const directory = join(temporaryDirectory(t), '.holdfast');
  const notes = new Notes({ directory });
  notes.check();
  rmSync(directory, { recursive: true });
  notes.write(phpId, note);
  assert.deepEqual(notes.read(phpId), note);
});

test('the uid of the pod is made once and stays', (t) => {
  const directory = temporaryDirectory(t);
  const uid = new Notes({ directory }).podUid();
  assert.match(uid, /^[0-9a-f-]{36}$/);
  assert.equal(new Notes({ directory }).podUid(), uid);
  assert.deepEqual(readdirSync(directory), ['uid']);
  assert.deepEqual([...new Notes({ directory }).all()], []);
});

test('a uid that a crash cut short is made anew', (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'uid'), '1234');
  const uid = new Notes({ directory }).podUid();
  assert.match(uid, /^[0-9a-f-]{36}$/);
  assert.equal(new Notes({ directory }).podUid(), uid);
});

test('a place for notes that is no directory is told of', (t) => {
  const parent = temporaryDirectory(t);
  writeFileSync(join(parent, 'file'), '');
  symlinkSync(parent, join(parent, 'link'));
  mkdirSync(join(parent, 'good'));
  assert.throws(() => new Notes({ directory: join(parent, 'file') }).check(), { kind: 'directory-unusable' });
  assert.throws(() => new Notes({ directory: join(parent, 'link') }).check(), { kind: 'directory-unusable' });
  new Notes({ directory: join(parent, 'good') }).check();
});
