import assert from 'node:assert/strict';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import { RecentTexts } from '../../src/affinity/recent-texts.ts';

test('a text means what was last said of it, or is forgotten; never what another text means', () => {
  const texts = fc.oneof(
    fc.string(),
    // Alike but for one character somewhere: most of them are the same to the hash.
    fc.nat(299).map((at) => `${'x'.repeat(at)}y${'x'.repeat(300 - at)}`),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(texts, fc.nat())), fc.constantFrom(1, 2, 3, 64), (said, max) => {
      const recent = new RecentTexts<number>(max);
      const last = new Map<string, number>();
      for (const [text, meaning] of said) {
        recent.set(text, meaning);
        last.set(text, meaning);
        assert.equal(recent.get(text), meaning);
        for (const [each, right] of last) assert.ok([undefined, right].includes(recent.get(each)));
      }
    }),
  );
});

test('nothing is known of a text that was never set', () => {
  const recent = new RecentTexts<string>(4);
  assert.equal(recent.get(''), undefined);
  assert.equal(recent.get('a'), undefined);
});

test('of two texts that share a place both are known, of three the newest two', () => {
  const recent = new RecentTexts<number>(2);
  // Two places in all, so that whatever the hash is, a text set twice in a row stays where it is.
  recent.set('a', 1);
  recent.set('a', 2);
  assert.equal(recent.get('a'), 2);
  const of = (at: number) => `${'x'.repeat(at)}y${'x'.repeat(300 - at)}`;
  // Alike to the hash: positions that are not sampled.
  const [first, second, third] = [of(1), of(2), of(3)] as const;
  [first, second, third].forEach((text, index) => {
    recent.set(text, index);
  });
  assert.deepEqual(
    [first, second, third].map((text) => recent.get(text)),
    [undefined, 1, 2],
  );
});

test('no more texts are known than it has places for', () => {
  const recent = new RecentTexts<number>(64);
  for (let index = 0; index < 1000; index++) recent.set(`text ${index}`, index);
  let known = 0;
  for (let index = 0; index < 1000; index++) if (recent.get(`text ${index}`) !== undefined) known++;
  assert.ok(known > 32 && known <= 64, String(known));
});

test('any two texts are known together: neither pushes the other out', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.constantFrom(2, 64), (first, second, max) => {
      fc.pre(first !== second);
      const recent = new RecentTexts<number>(max);
      recent.set(first, 1);
      recent.set(second, 2);
      assert.deepEqual([recent.get(first), recent.get(second)], [1, 2]);
    }),
  );
});
