/**
 * The frameworks' own clean-up of their session directories, with a keeper's files in them. What Laravel's and PHP's do
 * is in test/sessions/php-session-files.test.ts.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import type { Preset } from '../../src/affinity/session-codec.ts';
import type { SessionDirectory } from '../../src/sessions/session-directory.ts';
import { requireFile } from '../support/processes.ts';
import { sessionDirectory, sessionId, temporaryDirectory } from '../sessions/session-sandbox.ts';

interface Kept {
  readonly path: string;
  readonly directory: SessionDirectory;
  /** A note of ours in the private directory. */
  readonly note: string;
}

function kept(t: TestContext, preset: Preset): Kept {
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset });
  directory.check();
  const note = join(directory.privatePath, 'a.note');
  writeFileSync(note, 'a note');
  return { path, directory, note };
}

/** What Debian's Python prints; anything on its standard error, such as a logged warning, fails the test. */
function python(code: string, ...args: readonly string[]): string {
  requireFile('/usr/lib/python3/dist-packages/django', 'python3-django');
  requireFile('/usr/lib/python3/dist-packages/cachelib', 'python3-cachelib');
  const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', code, ...args], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.trim();
}

test('cachelib neither counts nor prunes what is ours in its directory, and reads what is restored', (t) => {
  const { path, directory, note } = kept(t, 'flask');
  const fill = `
import sys
from cachelib.file import FileSystemCache
cache = FileSystemCache(sys.argv[1], threshold=3)
for number in range(3):
    cache.set(f'session:user-{number}', {'count': number}, 1000 + number)
print(cache._file_count)`;
  assert.equal(python(fill, path), '3');

  const moved = directory.read(sessionId('user-1'));
  assert.ok(!(moved instanceof Promise) && moved.kind === 'content');
  directory.remove(sessionId('user-1'));
  assert.equal(directory.restore(sessionId('user-1'), moved), 'written');
  const names = readdirSync(path).filter((name) => !name.startsWith('.'));
  assert.deepEqual(new Set(names.map((name) => statSync(join(path, name)).mode & 0o777)), new Set([0o600]));

  // A worker that starts counts anew; beyond the threshold the sessions that end first go, and nothing else.
  const overfill = `
import sys
from cachelib.file import FileSystemCache
cache = FileSystemCache(sys.argv[1], threshold=3)
counted = cache._file_count
for number in range(3, 8):
    cache.set(f'session:user-{number}', {'count': number}, 1000 + number)
kept = [number for number in range(8) if cache.get(f'session:user-{number}') == {'count': number}]
print(counted, kept)`;
  assert.equal(python(overfill, path), '3 [4, 5, 6, 7]');
  assert.equal(statSync(note).size, 6);
});

test("Django's clearsessions removes expired sessions, restored ones too, and nothing of ours", (t) => {
  const { path, directory, note } = kept(t, 'django');
  const setUp = `
import sys
from django.conf import settings
settings.configure(SESSION_ENGINE='django.contrib.sessions.backends.file', SESSION_FILE_PATH=sys.argv[1], SECRET_KEY='x',
                   SESSION_COOKIE_AGE=1000, USE_TZ=True)
from django.contrib.sessions.backends.file import SessionStore
`;
  const make = `${setUp}
session = SessionStore()
session['count'] = int(sys.argv[2])
session.save()
print(session.session_key)`;
  const old = sessionId(python(make, path, '1'));
  const young = sessionId(python(make, path, '2'));
  const content = directory.read(old);
  assert.ok(!(content instanceof Promise) && content.kind === 'content');
  directory.remove(old);
  assert.equal(directory.restore(old, { bytes: content.bytes, mtimeMs: Date.now() - 1_500_000 }), 'written');
  assert.equal(directory.restore(young, { bytes: content.bytes, mtimeMs: Date.now() - 500_000 }), 'written');
  python(`${setUp}\nSessionStore.clear_expired()`, path);
  assert.deepEqual([...directory.list()], [young]);
  assert.equal(statSync(note).size, 6);
  assert.equal(python(`${setUp}\nprint(SessionStore('${young}')['count'])`, path), '1');
});
