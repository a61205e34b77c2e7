import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { OwnerLookup } from '../../src/proxy/owner-lookup.ts';
import type { StoreRecord } from '../../src/store/contract.ts';
import { ManualClock } from '../support/manual-clock.ts';

const session = 'session-1' as SessionId;
const owner = { uid: 'uid-a', name: 'pod-a', peer: '10.0.0.1:9902', data: '10.0.0.1:8080' };
const record: StoreRecord = { epoch: 7, owner, tombstone: false, version: 1, storedAtMs: 0 };

interface Asked {
  readonly session: SessionId;
  readonly answer: (record: StoreRecord | undefined) => void;
  readonly fail: (error: Error) => void;
}

function scripted(): { lookup: OwnerLookup; clock: ManualClock; asked: Asked[] } {
  const clock = new ManualClock();
  const asked: Asked[] = [];
  const ownerOf = (given: SessionId): Promise<StoreRecord | undefined> =>
    new Promise((answer, fail) => asked.push({ session: given, answer, fail }));
  return { lookup: new OwnerLookup({ ownerOf, clock, boundMs: 50 }), clock, asked };
}

test('the owner that the store names is told with its epoch', async () => {
  const { lookup, asked } = scripted();
  const question = lookup.ask(session);
  asked[0]!.answer(record);
  assert.deepEqual(await question, { pod: { name: 'pod-a', uid: 'uid-a' }, epoch: 7 });
});

test('a session is asked for once at a time, whoever wants to know', async () => {
  const { lookup, asked } = scripted();
  const [first, second] = [lookup.ask(session), lookup.ask(session)];
  assert.equal(asked.length, 1);
  asked[0]!.answer(record);
  assert.deepEqual([(await first)?.epoch, (await second)?.epoch], [7, 7]);
  void lookup.ask(session);
  assert.equal(asked.length, 2, 'an answer is not kept: the table does that');
});

test('a store that takes longer than the bound is not waited for', async () => {
  const { lookup, clock } = scripted();
  const question = lookup.ask(session);
  clock.advance(50);
  assert.equal(await question, undefined);
});

test('a store that fails is no reason to fail', async () => {
  const { lookup, asked } = scripted();
  const question = lookup.ask(session);
  asked[0]!.fail(new Error('the store is down'));
  assert.equal(await question, undefined);
});

test('a miss is kept for a second: nobody, free, logged out, too late', async () => {
  for (const miss of [undefined, { ...record, owner: undefined }, { ...record, owner: undefined, tombstone: true }]) {
    const { lookup, clock, asked } = scripted();
    const question = lookup.ask(session);
    asked[0]!.answer(miss);
    assert.equal(await question, undefined);
    clock.advance(999);
    assert.equal(lookup.ask(session), undefined);
    clock.advance(1);
    assert.notEqual(lookup.ask(session), undefined);
    assert.equal(asked.length, 2);
  }
});

test('256 questions are under way at most; the next one is not asked', async () => {
  const { lookup, asked } = scripted();
  const questions = Array.from({ length: 256 }, (_, index) => lookup.ask(`session-${index}` as SessionId));
  assert.ok(questions.every((question) => question !== undefined));
  assert.equal(lookup.ask('one-too-many' as SessionId), undefined);
  assert.equal(asked.length, 256);
  for (const question of asked) question.answer(record);
  await Promise.all(questions);
  assert.notEqual(lookup.ask('one-too-many' as SessionId), undefined);
});
