import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { tryLock } from '../../src/sessions/file-lock.ts';
import { isUnchanged, stampOf } from '../../src/sessions/file-state.ts';
import { PrivateDirectory } from '../../src/sessions/private-directory.ts';
import { type Placement, tryPlace, tryRead } from '../../src/sessions/session-file.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { nodeProgram, Processes } from '../support/processes.ts';
import { laravelId, sessionDirectory, sessionId, temporaryDirectory } from './session-sandbox.ts';

/** Opens the file and holds its lock as another process would: flock excludes by open file, not by process. */
function held(t: TestContext, path: string, kind: 'shared' | 'exclusive'): { release(): void } {
  const fd = openSync(path, 'r+');
  let open = true;
  const release = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  t.after(release);
  assert.equal(tryLock(fd, kind), true);
  return { release };
}

test('a read waits while the file is locked exclusively, and gets what was written under the lock', async (t) => {
  const path = temporaryDirectory(t);
  const clock = new ManualClock(Date.now());
  const directory = sessionDirectory(path, { preset: 'laravel', clock });
  const file = join(path, laravelId);
  writeFileSync(file, '');
  const lock = held(t, file, 'exclusive');
  const reading = directory.read(laravelId);
  clock.advance(3000);
  writeFileSync(file, 'whole');
  lock.release();
  clock.advance(10);
  const state = await reading;
  assert.equal(state.kind === 'content' && state.bytes.toString(), 'whole');
  assert.equal(clock.pending, 0);
});

test('a lock that stays ends a read as "locked" and a restore as lock-timeout, at the bound', async (t) => {
  const path = temporaryDirectory(t);
  const clock = new ManualClock(Date.now());
  const directory = sessionDirectory(path, { preset: 'php', clock, lockMs: 5000 });
  directory.check();
  const file = join(path, 'sess_a');
  writeFileSync(file, 'theirs');
  held(t, file, 'exclusive');
  const [id] = [...directory.list()];
  assert.ok(id !== undefined);
  const reading = directory.read(id);
  const restoring = directory.restore(id, { bytes: Buffer.from('ours'), mtimeMs: clock.nowMs() });
  const short = directory.read(id, undefined, 1500);
  clock.advance(1500);
  assert.deepEqual(await short, { kind: 'locked' });
  clock.advance(3500);
  assert.deepEqual(await reading, { kind: 'locked' });
  await assert.rejects(Promise.resolve(restoring), { kind: 'lock-timeout' });
  assert.equal(readFileSync(file, 'latin1'), 'theirs');
  assert.deepEqual(directory.read(id, undefined, 0), { kind: 'locked' });
});

test('readers share the lock; a restore waits for them', async (t) => {
  const path = temporaryDirectory(t);
  const clock = new ManualClock(Date.now());
  const directory = sessionDirectory(path, { preset: 'laravel', clock });
  directory.check();
  writeFileSync(join(path, laravelId), 'old');
  const lock = held(t, join(path, laravelId), 'shared');
  const state = directory.read(laravelId);
  assert.ok(!(state instanceof Promise) && state.kind === 'content');
  const restoring = directory.restore(laravelId, { bytes: Buffer.from('new'), mtimeMs: clock.nowMs() });
  assert.ok(restoring instanceof Promise);
  lock.release();
  clock.advance(10);
  assert.equal(await restoring, 'written');
});

test('a file that goes while its lock is waited for is absent, one that comes anew is read', async (t) => {
  const path = temporaryDirectory(t);
  const clock = new ManualClock(Date.now());
  const directory = sessionDirectory(path, { preset: 'laravel', clock });
  const file = join(path, laravelId);
  writeFileSync(file, 'old');
  held(t, file, 'exclusive');
  const first = directory.read(laravelId);
  rmSync(file);
  clock.advance(1);
  assert.deepEqual(await first, { kind: 'absent' });

  writeFileSync(file, 'old');
  held(t, file, 'exclusive');
  const second = directory.read(laravelId);
  rmSync(file);
  writeFileSync(file, 'new');
  clock.advance(1);
  const state = await second;
  assert.equal(state.kind === 'content' && state.bytes.toString(), 'new');
});

test('a file that the application creates between our look and our link keeps its inode', (t) => {
  const path = temporaryDirectory(t);
  const file = join(path, laravelId);
  /** The application is quicker: its file appears when ours is ready to be linked. */
  class Raced extends PrivateDirectory {
    override writeTemporary(...args: Parameters<PrivateDirectory['writeTemporary']>): string {
      const temporary = super.writeTemporary(...args);
      writeFileSync(file, "the application's");
      return temporary;
    }
  }
  const workshop = new Raced(join(path, '.holdfast'));
  const placement: Placement = { bytes: Buffer.from('stored'), mtimeMs: 1000, mode: 0o600, owner: undefined, workshop };
  assert.equal(tryPlace(file, placement), undefined, 'nothing is decided in this attempt');
  assert.equal(readFileSync(file, 'latin1'), "the application's");
  const { ino } = statSync(file);
  const lock = held(t, file, 'exclusive');
  assert.equal(tryPlace(file, placement), undefined, 'it is waited for');
  lock.release();
  assert.equal(tryPlace(file, placement), 'written');
  assert.equal(readFileSync(file, 'latin1'), 'stored');
  assert.equal(statSync(file).ino, ino, 'who has it open is not cut off');
});

test('a stamp that was taken within a tick of the last change proves nothing', (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, 'n=1');
  const stats = statSync(file, { bigint: true });
  const changedMs = Number(stats.ctimeNs / 1_000_000n);
  assert.equal(isUnchanged(stats, stampOf(stats, changedMs)), false);
  assert.equal(isUnchanged(stats, stampOf(stats, changedMs + 10)), false);
  assert.equal(isUnchanged(stats, stampOf(stats, changedMs - 3_600_000)), false, 'the clock went back');
  const settled = stampOf(stats, changedMs + 30);
  assert.equal(isUnchanged(stats, settled), true);
  utimesSync(file, 5, 5);
  assert.equal(isUnchanged(statSync(file, { bigint: true }), settled), false);
});

const tomcatId = sessionId('51AD11AEFC681BD7C2D627C34D742B72');

test('a file that Tomcat has open for writing is not read before it is closed: not empty, not half', async (t) => {
  const path = temporaryDirectory(t);
  const clock = new ManualClock(Date.now());
  const directory = sessionDirectory(path, { preset: 'jsessionid', clock, lockMs: 5000 });
  const file = join(path, `${tomcatId}.session`);
  writeFileSync(file, 'old');
  const writer = openSync(file, 'w');
  const reading = directory.read(tomcatId);
  clock.advance(1000);
  writeFileSync(writer, 'ne');
  clock.advance(1000);
  writeFileSync(writer, 'w');
  closeSync(writer);
  clock.advance(10);
  const state = await reading;
  assert.equal(state.kind === 'content' && state.bytes.toString(), 'new');
});

test('a writer that never closes its file ends a read at the bound', async (t) => {
  const path = temporaryDirectory(t);
  const clock = new ManualClock(Date.now());
  const directory = sessionDirectory(path, { preset: 'jsessionid', clock, lockMs: 5000 });
  const writer = openSync(join(path, `${tomcatId}.session`), 'w');
  t.after(() => closeSync(writer));
  const reading = directory.read(tomcatId);
  clock.advance(5000);
  assert.deepEqual(await reading, { kind: 'locked' });
});

test('of a file that another process writes in place, over and over, every read is whole', async (t) => {
  const programs = new Processes();
  t.after(() => programs.close());
  const path = temporaryDirectory(t);
  const directory = sessionDirectory(path, { preset: 'jsessionid', lockMs: 60_000 });
  const file = join(path, `${tomcatId}.session`);
  const code = `
    const fs = require('node:fs');
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let turn = 0; ; turn++) {
      const half = Buffer.alloc(20000, String(turn % 10));
      const fd = fs.openSync(process.argv[1], 'w');
      fs.writeSync(fd, half);
      fs.writeSync(fd, half);
      fs.closeSync(fd);
      Atomics.wait(pause, 0, 0, 1);
    }`;
  const writer = programs.start('writer', [nodeProgram, '-e', code, file]);
  await writer.ready('has written', () => existsSync(file));
  const seen = new Set<string>();
  for (let turn = 0; turn < 200 || seen.size < 2; turn++) {
    const state = await directory.read(tomcatId);
    assert.ok(state.kind === 'content', state.kind);
    const text = state.bytes.toString();
    assert.equal(text, text[0]!.repeat(40_000));
    seen.add(text[0]!);
  }
  assert.ok(writer.running);
});

test('a file of another user is unusable, and it is said whose it is', (t) => {
  const path = join(temporaryDirectory(t), 'session');
  writeFileSync(path, 'of another');
  chmodSync(path, 0);
  const state = asAnotherThanRoot(dirname(path), () =>
    tryRead({ path, bytesMax: 1000, guard: 'lock', known: undefined }),
  );
  assert.ok(state !== undefined && state.kind === 'unusable');
  assert.match(
    state.error.message,
    /EACCES, it belongs to uid .+ and this is uid \d+: run the sidecar as the application's user/,
  );
});

/** Root may read every file. */
function asAnotherThanRoot<Result>(directory: string, read: () => Result): Result {
  const user = process.geteuid!();
  if (user !== 0) return read();
  chmodSync(directory, 0o755);
  process.seteuid!(65_534);
  try {
    return read();
  } finally {
    process.seteuid!(user);
  }
}
