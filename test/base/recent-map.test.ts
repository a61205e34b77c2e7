import assert from 'node:assert/strict';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import { RecentMap } from '../../src/base/recent-map.ts';

test('a full map forgets what was unused for longest', () => {
  const map = new RecentMap<string, number>(4);
  for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) map.set(key, index);
  assert.equal(map.get('a'), 0);
  map.set('e', 4);
  assert.deepEqual(
    ['a', 'b', 'd', 'e'].map((key) => map.get(key)),
    [0, undefined, 3, 4],
  );
});

test('whatever is done, it never has more than its maximum, no old value, and the half of it that was used last', () => {
  const keys = fc.integer({ min: 0, max: 20 });
  const step = fc.record({ kind: fc.constantFrom('get', 'set', 'delete'), key: keys });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.array(step, { maxLength: 200 }), (max, steps) => {
      const map = new RecentMap<number, number>(max);
      const truth = new Map<number, number>();
      let lastUsed: number[] = [];
      for (const [at, { kind, key }] of steps.entries()) {
        const recent = lastUsed.slice(0, Math.floor(max / 2)).includes(key);
        if (kind === 'delete') {
          map.delete(key);
          truth.delete(key);
        } else if (kind === 'set') {
          map.set(key, at);
          truth.set(key, at);
        } else {
          const got = map.get(key);
          if (recent) assert.equal(got, truth.get(key));
          else assert.ok(got === undefined || got === truth.get(key));
          if (got === undefined) truth.delete(key);
        }
        assert.ok(map.size <= max);
        lastUsed = lastUsed.filter((each) => each !== key);
        if (truth.has(key)) lastUsed.unshift(key);
      }
    }),
  );
});

test('who wants to know is told of each entry that made room, once, and of none that was only looked at or deleted', () => {
  const forgotten: [string, number][] = [];
  const map = new RecentMap<string, number>(4, (key, value) => forgotten.push([key, value]));
  for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) map.set(key, index);
  assert.equal(map.peek('a'), 0);
  map.delete('b');
  assert.deepEqual(map.values(), [0, 2, 3]);
  map.set('e', 4);
  assert.deepEqual(forgotten, [['a', 0]]);
  assert.equal(map.peek('a'), undefined);
});
