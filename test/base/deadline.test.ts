import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Deadline } from '../../src/base/deadline.ts';
import { ManualClock } from '../support/manual-clock.ts';

function counted(): { clock: ManualClock; deadline: Deadline; passed: number[] } {
  const clock = new ManualClock();
  const passed: number[] = [];
  return { clock, passed, deadline: new Deadline(clock, () => passed.push(clock.monotonicMs())) };
}

test('a deadline passes once, when the last set() said', () => {
  const { clock, deadline, passed } = counted();
  deadline.set(100);
  clock.advance(60);
  deadline.set(100);
  clock.advance(1000);
  assert.deepEqual(passed, [160]);
  deadline.set(50);
  clock.advance(1000);
  assert.deepEqual(passed, [160, 1110]);
});

test('a nearer deadline passes at its own time', () => {
  const { clock, deadline, passed } = counted();
  deadline.set(1000);
  deadline.set(10);
  clock.advance(2000);
  assert.deepEqual(passed, [10]);
});

test('a cleared or disposed deadline never passes, and disposing leaves no timer', () => {
  const { clock, deadline, passed } = counted();
  deadline.set(10);
  deadline.clear();
  clock.advance(100);
  deadline.set(10);
  deadline.dispose();
  assert.equal(clock.pending, 0);
  clock.advance(100);
  assert.deepEqual(passed, []);
});

test('moving a deadline further away sets no further timer', () => {
  const { clock, deadline } = counted();
  for (let times = 0; times < 1000; times++) {
    deadline.set(100 + times);
    assert.equal(clock.pending, 1);
  }
});

test('one that is longer than a timer can be does not pass early', () => {
  const { clock, deadline, passed } = counted();
  deadline.set(2 ** 32);
  clock.advance(2 ** 31);
  assert.deepEqual(passed, []);
  clock.advance(2 ** 32);
  assert.deepEqual(passed, [2 ** 32]);
});
