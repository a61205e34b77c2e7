/** Wrong keys are told from a rotation, on the embedded store and on a real Redis. */

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { keyFingerprint } from '../../src/base/keyring.ts';
import { checkMark, keyMark } from '../../src/store/key-mark.ts';
import { storeSubjects } from '../support/store-subjects.ts';
import type { StoreSubject } from '../support/store-subjects.ts';

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((letter) => Buffer.from(letter.repeat(32)));
if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('four secrets');

for (const kind of ['memory, sealed', 'redis, sealed']) {
  describe(`the mark of the keys: ${kind}`, () => {
    let subject: StoreSubject;
    before(async () => {
      subject = await storeSubjects[kind]!();
    });
    beforeEach(() => subject.lose());
    after(() => subject.close());

    test('a rotation fits at each step, with old and new processes side by side', async () => {
      const steps = [[a], [a, b], [a], [a, b], [b, a], [a, b], [b, a], [b], [b, a], [b], [b, c]] as const;
      for (const keys of steps) assert.deepEqual(await checkMark(subject.store, keyMark(a, keys)), { kind: 'fits' });
    });

    test('a dropped key does not fit any more', async () => {
      for (const keys of [[a], [a, b], [b, a], [b]] as const) await checkMark(subject.store, keyMark(a, keys));
      assert.equal((await checkMark(subject.store, keyMark(a, [a]))).kind, 'differs');
    });

    test('a wrong key, a wrong nameKey and both are told apart, by fingerprints and never by keys', async () => {
      await checkMark(subject.store, keyMark(a, [b]));
      const told = async (names: Buffer, key: Buffer): Promise<string> => {
        const check = await checkMark(subject.store, keyMark(names, [key]));
        assert.ok(check.kind === 'differs');
        return check.why;
      };
      const [printA, printB, printC, printD] = [a, b, c, d].map((key) => keyFingerprint(key));
      const wrongKey = `store.key has the fingerprint ${printC}, the sessions there ${printB}`;
      const wrongNames = `store.nameKey has the fingerprint ${printD}, the sessions there ${printA}`;
      assert.equal(await told(a, c), wrongKey);
      assert.equal(await told(d, b), wrongNames);
      assert.equal(await told(d, c), `${wrongKey}; ${wrongNames}`);
      assert.deepEqual(await checkMark(subject.store, keyMark(a, [b])), { kind: 'fits' }, 'and nothing was changed');
    });

    test('who begins a rotation with a new nameKey is told which one it must be', async () => {
      await checkMark(subject.store, keyMark(a, [a]));
      const check = await checkMark(subject.store, keyMark(d, [a, b]));
      assert.ok(check.kind === 'differs');
      assert.match(check.why, /^store\.nameKey has .*: it must be the store\.key that there was at first$/);
      const other = await checkMark(subject.store, keyMark(c, [c]));
      assert.ok(other.kind === 'differs');
      assert.doesNotMatch(other.why, /nameKey/, 'a process without a nameKey is told of its key');
    });

    test('a mark that this version can not read is left alone', async () => {
      await subject.store.mark('', '2;whatever');
      assert.deepEqual(await checkMark(subject.store, keyMark(a, [b])), { kind: 'fits' });
      assert.equal(await subject.store.mark('', ''), '2;whatever');
    });
  });
}
