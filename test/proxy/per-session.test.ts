import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PerSessionLimit } from '../../src/proxy/per-session.ts';

test('a session gets as many places as configured, and a place that is given back is free again', () => {
  const limit = new PerSessionLimit(2);
  assert.deepEqual([limit.enter('a'), limit.enter('a'), limit.enter('a')], [true, true, false]);
  limit.leave('a');
  assert.deepEqual([limit.enter('a'), limit.enter('a')], [true, false]);
});

test('one session takes nothing from another', () => {
  const limit = new PerSessionLimit(1);
  assert.deepEqual([limit.enter('a'), limit.enter('b'), limit.enter('a')], [true, true, false]);
});

test('0 is no limit', () => {
  const limit = new PerSessionLimit(0);
  for (let times = 0; times < 10_000; times++) assert.equal(limit.enter('a'), true);
});
