import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signer } from '../../src/base/keyring.ts';
import {
  formatOwnMark,
  formatServedBy,
  InternalSigner,
  internalField,
  parseOwnMark,
  parseServedBy,
} from '../../src/upstream/signed-fields.ts';
import { makeField } from '../../src/http1/fields.ts';

const key = Buffer.from('a store key of the tests, 32 byte');
const otherKey = Buffer.from('the store key of somebody else!!');
const signer = new InternalSigner([key]);
const stranger = new InternalSigner([otherKey]);

/** Every way to change one character of a text. */
function changes(text: string): string[] {
  return Array.from(text, (letter, at) => `${text.slice(0, at)}${letter === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`);
}

test('a token is believed by the pod it was made for, and by no other', () => {
  const token = signer.token('uid-a');
  assert.equal(signer.verifyToken('uid-a', token), true);
  assert.equal(new InternalSigner([key]).verifyToken('uid-a', token), true, 'another process with the same key');
  assert.equal(signer.verifyToken('uid-b', token), false);
  assert.equal(signer.verifyToken('', token), false);
});

test('a token of another key, a changed one, or none at all is not believed', () => {
  const token = signer.token('uid-a');
  for (const forged of [stranger.token('uid-a'), '', ';', ';;', `${token};`, `${token};x`, ...changes(token)]) {
    assert.equal(signer.verifyToken('uid-a', forged), false, forged);
  }
});

test('a token is made once for each pod, so that a receiver verifies it once', () => {
  assert.equal(signer.token('uid-a'), signer.token('uid-a'));
  assert.notEqual(signer.token('uid-a'), signer.token('uid-b'));
  assert.notEqual(new InternalSigner([key]).token('uid-a'), signer.token('uid-a'));
});

test('tokens of many pods stay bounded and stay valid', () => {
  for (let pod = 0; pod < 5000; pod++) signer.token(`uid-${pod}`);
  assert.equal(signer.verifyToken('uid-17', signer.token('uid-17')), true);
});

test('the word of a move is believed for its pod, its word and its session only', () => {
  const move = signer.move('uid-a', 'draining', 'session-1');
  assert.equal(signer.verifyMove('uid-a', move, 'session-1'), 'draining');
  assert.equal(signer.verifyMove('uid-b', move, 'session-1'), undefined, 'another pod');
  assert.equal(signer.verifyMove('uid-a', move, 'session-2'), undefined, 'a replay for another session');
  assert.equal(signer.verifyMove('uid-a', move.replace('draining', 'gone'), 'session-1'), undefined, 'another word');
  assert.equal(signer.verifyMove('uid-a', `${move};x`, 'session-1'), undefined);
  assert.equal(signer.verifyMove('uid-a', stranger.move('uid-a', 'gone', 'session-1'), 'session-1'), undefined);
  for (const forged of changes(move)) assert.equal(signer.verifyMove('uid-a', forged, 'session-1'), undefined, forged);
});

test('a hop mark names both ends, for its session only', () => {
  const ends = { from: 'uid;a', to: 'uid b' };
  const hop = signer.hop(ends, 'session-1');
  assert.deepEqual(signer.verifyHop(hop, 'session-1'), ends);
  assert.equal(signer.verifyHop(hop, 'session-2'), undefined);
  assert.equal(stranger.verifyHop(hop, 'session-1'), undefined);
  for (const forged of ['', ';;;', '%;%;%;%', `${hop};x`, ...changes(hop)]) {
    assert.equal(signer.verifyHop(forged, 'session-1'), undefined, forged);
  }
});

test('a signature for one purpose serves for no other', () => {
  const nonce = 'nonce';
  for (const purpose of ['gateway', 'hop', 'hello', 'release'] as const) {
    const value = `draining;${nonce};${new Signer([key], purpose).sign(['uid-a', 'draining', 'session-1', nonce])}`;
    assert.equal(signer.verifyMove('uid-a', value, 'session-1'), undefined, purpose);
  }
});

test('while keys rotate, old and new sign and all verify', () => {
  const before = new InternalSigner([key]);
  const rotating = new InternalSigner([otherKey, key]);
  assert.equal(rotating.verifyToken('uid-a', before.token('uid-a')), true);
  assert.equal(new InternalSigner([key, otherKey]).verifyToken('uid-a', rotating.token('uid-a')), true);
});

test('who served is read back as it was written, whatever names hold', () => {
  const served = { name: 'pod;ä %', uid: 'a;b', epoch: Number.MAX_SAFE_INTEGER, outcome: 'restored' } as const;
  const text = formatServedBy(served);
  assert.match(text, /^[\x21-\x7e]+$/);
  assert.deepEqual(parseServedBy(text), served);
});

test('a served-by field that we would not have written is not read', () => {
  for (const text of ['', 'a', 'a;b', 'a;b;1', 'a;b;1;hit;x', 'a;b;;hit', 'a;b;-1;hit', 'a;b;1.5;hit', 'a;b;0x1;hit']) {
    assert.equal(parseServedBy(text), undefined, text);
  }
  for (const text of ['a;b;1;toString', 'a;b;1;', '%;b;1;hit', 'a;%ff;1;hit', 'a;b;9007199254740993;hit']) {
    assert.equal(parseServedBy(text), undefined, text);
  }
});

test('own marks are read back, and nothing else is one', () => {
  for (const mark of [
    { sent: true, detail: 'put-refused' },
    { sent: false, detail: 'draining' },
  ]) {
    assert.deepEqual(parseOwnMark(formatOwnMark(mark)), mark);
  }
  for (const text of ['', 'unsent', 'unsent;x', 'Unsent; x', 'maybe; x']) assert.equal(parseOwnMark(text), undefined);
});

test('of several internal fields of one name the first counts', () => {
  const fields = [makeField('Host', 'x'), makeField('X-Holdfast-Own', 'one'), makeField('x-holdfast-own', 'two')];
  assert.equal(internalField(fields, 'x-holdfast-own'), 'one');
  assert.equal(internalField(fields, 'x-holdfast-move'), undefined);
});
