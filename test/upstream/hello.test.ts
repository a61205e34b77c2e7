import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signer } from '../../src/base/keyring.ts';
import { type Hello, HelloSigner } from '../../src/upstream/hello.ts';

const key = Buffer.from('a store key of the tests, 32 byte');
const signer = new HelloSigner([key]);
const stranger = new HelloSigner([Buffer.from('the store key of somebody else!!')]);
const hello: Hello = { name: 'pod-a', uid: 'uid-a', application: 'up', store: 'down', draining: false };

test('a question is answered, and the answer read', () => {
  const { nonce, value } = signer.question();
  const answer = new HelloSigner([key]).answer(value, hello);
  assert.ok(answer !== undefined);
  assert.deepEqual(signer.read(nonce, answer), hello);
});

test('a question that is not signed with our key is no hello', () => {
  const { value } = signer.question();
  for (const forged of [
    '',
    ';',
    value.slice(0, -1),
    `x${value}`,
    `${value};`,
    `${value};x`,
    stranger.question().value,
  ]) {
    assert.equal(signer.answer(forged, hello), undefined, forged);
  }
});

test('an answer to another question, a changed one or one of another key is not believed', () => {
  const { nonce, value } = signer.question();
  const answer = signer.answer(value, hello);
  assert.ok(answer !== undefined);
  assert.equal(signer.read(signer.question().nonce, answer), undefined, 'a replay');
  const changed = { ...answer, body: answer.body.replace('uid-a', 'uid-b') };
  assert.equal(signer.read(nonce, changed), undefined);
  assert.equal(stranger.read(nonce, answer), undefined);
  assert.equal(signer.read(nonce, { ...answer, value: '' }), undefined);
});

test('a signed question is no signed answer', () => {
  const { nonce, value } = signer.question();
  const signature = value.split(';')[1]!;
  assert.equal(signer.read(nonce, { body: '', value: signature }), undefined);
});

test('the word that a pod is terminating holds for one process of one pod, and is no question or answer', () => {
  const target = { uid: 'uid-a', run: 'run-1' };
  const word = signer.terminating(target);
  assert.equal(signer.isTerminating(word, target), true);
  for (const other of [
    { ...target, uid: 'uid-b' },
    { ...target, run: 'run-2' },
  ])
    assert.equal(signer.isTerminating(word, other), false);
  assert.equal(stranger.isTerminating(word, target), false);
  assert.equal(signer.isTerminating('', target), false);
  assert.equal(signer.answer(`${signer.question().nonce};${word}`, hello), undefined);
  assert.equal(signer.isTerminating(signer.question().value.split(';')[1]!, target), false);
});

test('a signed answer in another shape is none', () => {
  const { nonce } = signer.question();
  for (const body of ['', '[]', '{"name":"pod-a"}', JSON.stringify({ ...hello, uid: '' })]) {
    const value = new Signer([key], 'hello').sign(['answer', nonce, body]);
    assert.equal(signer.read(nonce, { body, value }), undefined, body);
  }
});
