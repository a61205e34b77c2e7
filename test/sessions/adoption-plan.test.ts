/** Which copy wins, as a table (ownership protocol rules 12, 15, 24). */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HoldfastError } from '../../src/base/errors.ts';
import { isImport, isNewerThanImport, isOurs, planTaken, planUnrecorded } from '../../src/sessions/adoption-plan.ts';
import type { FileState } from '../../src/sessions/file-state.ts';
import type { TakenRecord } from '../../src/store/contract.ts';

const stamp = { inode: 1n, size: 1n, mtimeNs: 1n, ctimeNs: 1n, settled: true };
const files = {
  content: { kind: 'content', bytes: Buffer.from('1'), mtimeMs: 1, digest: 'd', stamp },
  empty: { kind: 'empty', mtimeMs: 1, stamp },
  absent: { kind: 'absent' },
  locked: { kind: 'locked' },
  'too-large': { kind: 'too-large', size: 9 },
  unusable: { kind: 'unusable', error: new HoldfastError('session-file-unusable', 'test') },
} as const satisfies Record<string, FileState>;

function record(given: Partial<TakenRecord> = {}): TakenRecord {
  return {
    epoch: 20,
    previous: { epoch: 10, uid: 'me', sinceEpoch: 10 },
    tombstone: false,
    version: 3,
    blob: { version: 3, bytes: Buffer.from('2'), mtimeMs: 1, storedAtMs: 1 },
    storeTimeMs: 1000,
    ...given,
  };
}

const tombstone = record({ tombstone: true, blob: undefined });

test('a record is ours only with our uid and a note of its very epoch', () => {
  const note = { epoch: 10, confirmedAtMs: 1 };
  assert.equal(isOurs(record(), note, 'me'), true);
  assert.equal(isOurs(record(), undefined, 'me'), false);
  assert.equal(isOurs(record(), { ...note, epoch: 9 }, 'me'), false);
  assert.equal(isOurs(record(), { ...note, buried: true }, 'me'), false);
  assert.equal(isOurs(record({ previous: { epoch: 10, uid: undefined, sinceEpoch: 10 } }), note, 'me'), false);
  assert.equal(isOurs(record({ previous: { epoch: 10, uid: 'other', sinceEpoch: 10 } }), note, 'me'), false);
});

test('a record is ours too where only we have taken it since our note: a take whose reply was lost writes none', () => {
  const taken = record({ previous: { epoch: 10, uid: 'me', sinceEpoch: 8 } });
  for (const epoch of [8, 9, 10]) assert.equal(isOurs(taken, { epoch, confirmedAtMs: 1 }, 'me'), true, String(epoch));
  for (const epoch of [7, 11]) assert.equal(isOurs(taken, { epoch, confirmedAtMs: 1 }, 'me'), false, String(epoch));
  assert.equal(isOurs(taken, { epoch: 9, confirmedAtMs: 1, buried: true }, 'me'), false);
});

test('what is not ours comes from the store, whatever file there is', () => {
  for (const file of Object.values(files)) {
    assert.equal(planTaken(record(), false, file), 'restore');
    assert.equal(planTaken(tombstone, false, file), 'remove-file');
    assert.equal(planTaken(record({ blob: undefined, unsealable: true }), false, file), 'remove-file');
  }
});

test('what is ours is kept, buried where it is gone, and restored where a kill emptied it', () => {
  assert.equal(planTaken(record(), true, files.content), 'keep-file');
  assert.equal(planTaken(record(), true, files['too-large']), 'keep-file');
  assert.equal(planTaken(record(), true, files.locked), 'keep-file');
  assert.equal(planTaken(record(), true, files.empty), 'restore');
  const torn = { ...files.content, bytes: Buffer.alloc(4096, 'x') };
  assert.equal(planTaken(record(), true, torn), 'restore');
  assert.equal(planTaken(record({ blob: undefined, unsealable: true }), true, torn), 'keep-file');
  assert.equal(planTaken(record(), true, files.absent), 'bury');
  assert.equal(planTaken(record(), true, files.unusable), 'give-back');
  assert.equal(planTaken(tombstone, true, files.absent), 'keep-file');
  assert.equal(planTaken(tombstone, true, files.content), 'keep-file');
});

test('without a record a noted file is stored again, unless its note is older than a lifetime', () => {
  const time = { storeMs: 1000, lifetimeMs: 100 };
  const young = { epoch: 10, confirmedAtMs: 950 };
  assert.equal(planUnrecorded(undefined, files.content, time), 'forward');
  assert.equal(planUnrecorded(young, files.content, time), 'store-again');
  assert.equal(planUnrecorded(young, files.absent, time), 'drop-note');
  assert.equal(planUnrecorded(young, files.empty, time), 'drop-note');
  assert.equal(planUnrecorded({ ...young, confirmedAtMs: 899 }, files.content, time), 'drop-copy');
});

test('a file that was written after its session was imported wins over the import, and only over an import', () => {
  const blob = { version: 0, bytes: Buffer.from('2'), mtimeMs: 5, storedAtMs: 9 };
  const imported = record({ version: 0, blob, previous: { epoch: 10, uid: undefined, sinceEpoch: 10 } });
  const newer = { ...files.content, mtimeMs: 6 };
  assert.equal(isNewerThanImport(imported, newer), true);
  assert.equal(isNewerThanImport(imported, { ...newer, mtimeMs: 5 }), false, 'the very file that was imported');
  assert.equal(isNewerThanImport(imported, { ...newer, bytes: Buffer.alloc(4096, 'x') }), false, 'it may be torn');
  for (const file of [files.empty, files.absent, files.locked, files['too-large'], files.unusable]) {
    assert.equal(isNewerThanImport(imported, file), false);
  }
  assert.equal(isImport(imported), true);
  assert.equal(isImport(record({ ...imported, version: 1 })), false);
  assert.equal(isImport(record({ ...imported, previous: { epoch: 10, uid: 'me', sinceEpoch: 10 } })), false);
  assert.equal(isImport(record({ ...imported, blob: undefined, tombstone: true })), false);
  assert.equal(isNewerThanImport(record(), newer), false);
});
