/** Hints from the kernel, on real directories. */

import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { DirectoryWatch } from '../../src/sessions/directory-watch.ts';
import { until } from '../support/until.ts';
import { temporaryDirectory } from './session-sandbox.ts';

test('names of files that are made, changed or removed are told, also after the directory was replaced', async (t) => {
  const base = temporaryDirectory(t);
  const path = join(base, 'sessions');
  const hints: string[] = [];
  const lost: string[] = [];
  const watch = new DirectoryWatch({ path, hint: (name) => hints.push(name), lost: (why) => lost.push(why) });
  t.after(() => watch.close());
  watch.ensure();
  assert.deepEqual([watch.open, lost.length], [false, 1], 'a directory that is not there is told, and is no fault');
  mkdirSync(path);
  watch.ensure();
  writeFileSync(join(path, 'one'), '1');
  await until('it is told', () => hints.includes('one'));
  renameSync(path, join(base, 'moved'));
  mkdirSync(path);
  watch.ensure();
  writeFileSync(join(path, 'two'), '2');
  await until('what happens in the new one is told', () => hints.includes('two'));
  assert.equal(lost.length, 1);
});

test('too many events close the watch until it is asked for again', async (t) => {
  const path = temporaryDirectory(t);
  const hints: string[] = [];
  const lost: string[] = [];
  const hint = (name: string): number => hints.push(name);
  const watch = new DirectoryWatch({ path, hint, lost: (why) => lost.push(why), eventsMax: 20 });
  t.after(() => watch.close());
  watch.ensure();
  for (let index = 0; index < 100; index++) writeFileSync(join(path, `file-${index}`), 'x');
  await until('it is closed', () => !watch.open);
  assert.deepEqual([lost.length, hints.length], [1, 20]);
  watch.ensure();
  writeFileSync(join(path, 'again'), 'x');
  await until('hints come again', () => hints.includes('again'));
});
