/** What a look at a session file means, as a table (ownership protocol rules 4, 7, 17, 18). */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HoldfastError } from '../../src/base/errors.ts';
import { type CaptureFacts, planCapture } from '../../src/sessions/capture-plan.ts';
import { digestOf } from '../../src/sessions/file-state.ts';
import type { FileState } from '../../src/sessions/file-state.ts';
import type { Ownership } from '../../src/sessions/ownership.ts';

const stamp = { inode: 1n, size: 1n, mtimeNs: 1n, ctimeNs: 1n, settled: true };
const bytes = Buffer.from('1');
const content: FileState = { kind: 'content', bytes, mtimeMs: 5, digest: digestOf(bytes), stamp };
const empty: FileState = { kind: 'empty', mtimeMs: 5, stamp };
const absent: FileState = { kind: 'absent' };
const locked: FileState = { kind: 'locked' };
const unusable: FileState = { kind: 'unusable', error: new HoldfastError('session-file-unusable', 'test') };

const facts: CaptureFacts = { issued: false, died: false, zeroBytesIsASession: false, room: () => 'enough' };
const php: CaptureFacts = { ...facts, zeroBytesIsASession: true };
const unrecorded: Ownership = { at: 'unrecorded', since: 1, version: 0 };

function owned(digest: string | undefined): Ownership {
  const acknowledged =
    digest === undefined ? ({ what: 'absent' } as const) : { what: 'content' as const, digest, mtimeMs: 5, stamp };
  return { at: 'owned', since: 1, epoch: 10, version: 3, acknowledged };
}

function planned(state: Ownership, file: FileState, known: CaptureFacts = facts): string {
  const plan = planCapture(state, file, known);
  return plan.do === 'refuse' ? `refuse ${plan.reason}` : plan.do;
}

test('owned: compared with what the store has, not with what was last read', () => {
  assert.equal(planned(owned(digestOf(bytes)), content), 'keep');
  assert.equal(planned(owned('other'), content), 'put');
  const unstored: Ownership = { at: 'owned', since: 1, epoch: 10, version: 3, acknowledged: { what: 'nothing' } };
  assert.equal(planned(unstored, content), 'put');
});

test('owned: a file that is gone is a deletion, unless the application died or there was none', () => {
  assert.equal(planned(owned('d'), absent), 'bury');
  assert.equal(planned(owned('d'), absent, { ...facts, died: true }), 'repair');
  assert.equal(planned(owned(undefined), absent), 'keep');
});

test('owned: zero bytes are a session only for PHP, after a whole answer, with room on the disk', () => {
  assert.equal(planned(owned('d'), empty, php), 'put');
  assert.equal(planned(owned('d'), empty), 'repair');
  assert.equal(planned(owned('d'), empty, { ...php, died: true }), 'repair');
  assert.equal(planned(owned('d'), empty, { ...php, room: () => 'none' }), 'repair');
  assert.equal(planned(owned(digestOf(Buffer.alloc(0))), empty, php), 'keep');
});

test('what may be the beginning of a session is one, unless the application died or the disk is nearly full', () => {
  const page = Buffer.alloc(8192, 'x');
  const torn: FileState = { kind: 'content', bytes: page, mtimeMs: 5, digest: digestOf(page), stamp };
  for (const state of [owned('d'), unrecorded]) {
    assert.match(planned(state, torn), /^(?:put|create)$/);
    assert.doesNotMatch(planned(state, torn, { ...php, died: true }), /^(?:put|create)$/);
    assert.doesNotMatch(planned(state, torn, { ...php, room: () => 'little' }), /^(?:put|create)$/);
  }
  assert.equal(planned(owned(digestOf(page)), torn, { ...php, died: true }), 'keep');
});

test('without a record: only what the application wrote makes one', () => {
  assert.equal(planned(unrecorded, content), 'create');
  assert.equal(planned(unrecorded, absent), 'nothing');
  assert.equal(planned(unrecorded, empty, php), 'nothing');
  assert.equal(planned(unrecorded, empty, { ...php, issued: true }), 'create');
  assert.equal(planned(unrecorded, empty, { ...facts, died: true }), 'nothing');
  assert.equal(planned(unrecorded, empty), 'refuse session-unreadable');
});

test('without a record: an id that was issued and could not be written on a full disk is no success', () => {
  const full: CaptureFacts = { ...facts, room: () => 'none' };
  assert.equal(planned(unrecorded, absent, { ...full, issued: true }), 'refuse session-unreadable');
  assert.equal(planned(unrecorded, absent, full), 'nothing');
  assert.equal(planned(unrecorded, absent, { ...facts, issued: true }), 'nothing');
});

test('what can not be read is refused, whoever owns it', () => {
  for (const state of [owned('d'), unrecorded]) {
    assert.equal(planned(state, locked), 'refuse lock-timeout');
    assert.equal(planned(state, unusable), 'refuse session-unreadable');
    assert.equal(planned(state, { kind: 'too-large', size: 9 }), 'too-large');
  }
});

test('without a term nothing is stored', () => {
  const states: Ownership[] = [
    { at: 'elsewhere' },
    { at: 'asking', since: 1, version: 0 },
    { at: 'restoring', epoch: 10, version: 3 },
    { at: 'unconfirmed', since: 1, version: 0 },
  ];
  for (const state of states) assert.equal(planned(state, content), 'refuse put-refused');
});
