import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { existsSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { nameHashIn } from '../../src/sessions/cachelib-names.ts';
import { sessionDirectory, sessionId, temporaryDirectory } from './session-sandbox.ts';

const countOf = (kind: 'md5' | 'sha256') => hash(kind, '__wz_cache_count', 'hex');

test('the count file tells by which hash cachelib names its files; of two the younger one', (t) => {
  const path = temporaryDirectory(t);
  assert.equal(nameHashIn(path), undefined);
  writeFileSync(join(path, countOf('md5')), '');
  assert.equal(nameHashIn(path), 'md5');
  writeFileSync(join(path, countOf('sha256')), '');
  utimesSync(join(path, countOf('md5')), 1, 1);
  assert.equal(nameHashIn(path), 'sha256');
  utimesSync(join(path, countOf('sha256')), 0, 0);
  assert.equal(nameHashIn(path), 'md5');
});

test('without a count file the names of sessions tell, and strangers do not', (t) => {
  const path = temporaryDirectory(t);
  writeFileSync(join(path, 'x'.repeat(32)), '');
  assert.equal(nameHashIn(path), undefined);
  writeFileSync(join(path, hash('sha256', 'session:a', 'hex')), '');
  assert.equal(nameHashIn(path), 'sha256');
  writeFileSync(join(path, hash('md5', 'session:b', 'hex')), '');
  assert.equal(nameHashIn(path), 'md5');
  assert.equal(nameHashIn(join(path, 'missing')), undefined);
});

test('a session that moves gets the name that the cachelib of its new pod looks for', (t) => {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'flask' });
  directory.check();
  const id = sessionId('abc');
  const content = { bytes: Buffer.from('moved'), mtimeMs: Date.now() };
  // Nothing has been written here yet: as the newest cachelib does it. Then an older one turns out to run here.
  assert.equal(directory.restore(id, content), 'written');
  assert.ok(existsSync(join(path, hash('sha256', 'session:abc', 'hex'))));
  rmSync(join(path, hash('sha256', 'session:abc', 'hex')));
  const other = sessionDirectory(path, { preset: 'flask' });
  writeFileSync(join(path, countOf('md5')), '');
  assert.equal(other.restore(id, content), 'written');
  assert.ok(existsSync(join(path, hash('md5', 'session:abc', 'hex'))));
});
