/** Requests of one session one at a time: order, bounds, and who leaves the queue. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SessionTurns } from '../../src/sessions/session-turns.ts';
import { ManualClock } from '../support/manual-clock.ts';

test('turns of one session come in the order of arrival, other sessions have theirs at once', async () => {
  const turns = new SessionTurns({ clock: new ManualClock(), waitMs: 1000 });
  const [first, second, third] = [turns.enter('a'), turns.enter('a'), turns.enter('a')];
  assert.equal(first.ready, true);
  assert.equal(turns.enter('b').ready, true);
  const order: string[] = [];
  void Promise.resolve(third.ready).then(() => order.push('third'));
  void Promise.resolve(second.ready).then(() => order.push('second'));
  first.leave();
  assert.equal(await second.ready, true);
  assert.deepEqual(order, ['second']);
  second.leave();
  assert.equal(await third.ready, true);
  third.leave();
  assert.deepEqual([order, turns.size], [['second', 'third'], 1]);
});

test('who waits too long is turned away, and the queue goes on', async () => {
  const clock = new ManualClock();
  const turns = new SessionTurns({ clock, waitMs: 1000 });
  const first = turns.enter('a');
  const second = turns.enter('a');
  clock.advance(600);
  const third = turns.enter('a');
  clock.advance(500);
  assert.equal(await second.ready, false);
  first.leave();
  assert.equal(await third.ready, true);
  third.leave();
  assert.deepEqual([turns.size, clock.pending], [0, 0], 'nothing is left behind');
});

test('who leaves while waiting is passed over; leaving again gives nobody a second turn', async () => {
  const clock = new ManualClock();
  const turns = new SessionTurns({ clock, waitMs: 1000 });
  const [first, second, third, fourth] = [turns.enter('a'), turns.enter('a'), turns.enter('a'), turns.enter('a')];
  second.leave();
  assert.equal(await second.ready, false);
  first.leave();
  first.leave();
  second.leave();
  assert.equal(await third.ready, true);
  let fourthHas = false;
  void Promise.resolve(fourth.ready).then(() => (fourthHas = true));
  await Promise.resolve();
  assert.equal(fourthHas, false);
  third.leave();
  assert.equal(await fourth.ready, true);
  fourth.leave();
  assert.deepEqual([turns.size, clock.pending], [0, 0]);
});
