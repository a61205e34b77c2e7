/** What the model (test/model/) found in the keeper, each way walked again by real keepers. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../support/until.ts';
import { freshSession, Pods } from './keeper-pods.ts';

test('a logout that is answered while a hand-off waits and the store is down is not undone by the release', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p', { onStoreDown: 'serve' }), await pods.add('q')];
  const session = freshSession();
  await p.create(session);
  const logout = await p.enter(session);
  const poll = await p.enter(session);
  const asked = q.turnedAway(session, { hopped: true });
  await until('P releases', async () => (await p.keeper.describe(session)).here === 'releasing');
  p.unlink(session);
  p.cut();
  assert.equal((await logout.settle()).kind, 'leave');
  // The store is back, but what it missed has not reached it yet when the last exchange ends.
  const late = p.line.next('bury', 'held');
  await p.mend();
  await poll.settle();
  await late.met;
  const answer = await asked;
  await late.deliver();
  await until('the store knows of the logout', async () => (await pods.record(session))?.tombstone === true);
  assert.equal(answer, 'refused not-here');
  const stay = await q.enter(session, { hopped: true });
  assert.equal(q.hasFile(session), false, 'the session that was logged out');
  await stay.settle();
});

for (const how of ['the next request here', 'a hand-off'] as const) {
  test(`a take whose reply was lost costs nothing that was then served without the store: ${how}`, async (t) => {
    const pods = new Pods(t);
    const [p, q] = [await pods.add('p', { onStoreDown: 'serve' }), await pods.add('q')];
    const session = freshSession();
    await p.create(session);
    await p.restart();
    const slow = p.line.next('take', 'slow-reply');
    const counting = p.count(session);
    await slow.met;
    p.cut();
    void slow.deliver();
    assert.equal(await counting, 2);
    await p.mend();
    assert.equal(await (how === 'a hand-off' ? q : p).count(session, { hopped: true }), 3);
  });
}
