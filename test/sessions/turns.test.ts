import assert from 'node:assert/strict';
import { test } from 'node:test';

import { forEachBounded, Turns } from '../../src/sessions/turns.ts';

test('who comes late waits in order, and beyond the queue is turned away', async () => {
  const turns = new Turns(1, 2);
  assert.equal(turns.enter(), true);
  const order: string[] = [];
  const waiting = ['a', 'b'].map(async (who) => {
    assert.equal(await turns.enter(), true);
    order.push(who);
    turns.leave();
  });
  assert.equal(turns.enter(), false);
  turns.leave();
  await Promise.all(waiting);
  assert.deepEqual(order, ['a', 'b']);
  assert.equal(turns.enter(), true);
});

test('no bound is no bound', () => {
  const turns = new Turns(0, 0);
  for (let index = 0; index < 1000; index++) assert.equal(turns.enter(), true);
});

test('each item is worked on once, and no more at a time than allowed', async () => {
  let active = 0;
  let most = 0;
  const done: number[] = [];
  await forEachBounded([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    most = Math.max(most, ++active);
    await Promise.resolve();
    done.push(item);
    active--;
  });
  assert.deepEqual(done.toSorted(), [1, 2, 3, 4, 5, 6, 7]);
  assert.equal(most, 3);
});
