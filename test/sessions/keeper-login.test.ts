/**
 * A login replaces the session's id: the new one is created, the old one buried, then the answer leaves (rule 25). Here
 * each of the two steps fails in each way, and pods die between them. Two things hold whatever happens: an answer that
 * left is a login that stays and an old id that is dead everywhere; one that did not leave has lost nothing that was
 * answered before.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import type { Verdict } from '../../src/sessions/stay.ts';
import { freshSession, type Pod, type PodOptions, Pods, refusedPut } from './keeper-pods.ts';

interface Login {
  readonly pods: Pods;
  readonly p: Pod;
  readonly q: Pod;
  readonly old: SessionId;
  readonly fresh: SessionId;
  /** The application's part of the login, done when called; the verdict of its answer. */
  run(): Promise<Verdict>;
}

async function before(pods: Pods, options: PodOptions = {}): Promise<Login> {
  const p = await pods.add('p', options);
  const q = await pods.add('q', options);
  const [old, fresh] = [freshSession(), freshSession()];
  await p.create(old);
  const run = async (): Promise<Verdict> => {
    const stay = await p.enter(old);
    p.write(fresh, String(p.read(old) + 100));
    p.unlink(old);
    stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
    return stay.settle();
  };
  return { pods, p, q, old, fresh, run };
}

/** What both pods answer to the old id, and to the new one, after the first pod has died. */
async function afterwards({ p, q, old, fresh }: Login): Promise<readonly [old: number, fresh: number]> {
  p.kill();
  return [await q.count(old, { move: 'gone' }), await q.count(fresh, { move: 'gone' })];
}

for (const step of ['create', 'bury'] as const) {
  test(`login: a ${step} whose reply is lost is made again, and the answer leaves`, async (t) => {
    const login = await before(new Pods(t));
    login.p.line.next(step, 'lost-reply');
    assert.deepEqual(await login.run(), { kind: 'leave' });
    assert.deepEqual(await afterwards(login), [1, 102]);
  });

  test(`login: a ${step} that arrives after its repeat changes nothing`, async (t) => {
    const login = await before(new Pods(t));
    const late = login.p.line.next(step, 'late');
    assert.deepEqual(await login.run(), { kind: 'leave' });
    assert.equal(await login.p.count(login.fresh), 102);
    await late.deliver();
    assert.deepEqual(await afterwards(login), [1, 103]);
  });

  test(`login: a pod killed before its ${step} gets through has answered nothing, and loses nothing`, async (t) => {
    const login = await before(new Pods(t));
    const held = login.p.line.next(step, 'held');
    void login.run();
    await held.met;
    login.p.kill();
    assert.equal(await login.q.count(login.old, { move: 'gone' }), 2, 'the client still has the old id');
    await held.deliver();
    assert.equal(await login.q.count(login.old), 3);
  });

  test(`login: a pod killed after its ${step} and before it heard of it brings nothing back`, async (t) => {
    const login = await before(new Pods(t));
    const slow = login.p.line.next(step, 'slow-reply');
    void login.run();
    await slow.met;
    login.p.kill();
    const number = await login.q.count(login.old, { move: 'gone' });
    assert.equal(number, step === 'create' ? 2 : 1);
    assert.equal(await login.q.count(login.fresh, { move: 'gone' }), 102, 'the unseen id is there until it expires');
    await slow.deliver();
    await login.p.restart();
    assert.equal(await login.p.count(login.old, { move: 'gone' }), number + 1);
  });

  test(`login: with the store gone before its ${step}, refuse lets no answer out, and the old id is as before or dead`, async (t) => {
    const login = await before(new Pods(t), { onStoreDown: 'refuse' });
    const late = login.p.line.next(step, 'late');
    const verdict = login.run();
    await late.met;
    login.p.cut();
    assert.deepEqual(await verdict, { kind: 'refuse', reason: 'store-timeout' });
    await late.deliver();
    await login.p.mend();
    // A create that came to nothing leaves the old session; a burial that may have happened ends it.
    assert.equal(await login.p.count(login.old), step === 'create' ? 2 : 1);
  });

  test(`login: with the store gone before its ${step}, serve lets the answer out and the store hears of both`, async (t) => {
    const login = await before(new Pods(t));
    const held = login.p.line.next(step, 'held');
    const verdict = login.run();
    await held.met;
    login.p.cut();
    await held.deliver();
    assert.deepEqual(await verdict, { kind: 'leave' });
    await login.p.mend();
    await login.p.keeper.drain(5000);
    assert.deepEqual(await afterwards(login), [1, 102]);
  });
}

test('login: a new id that somebody else has is refused, and the old session comes back', async (t) => {
  const login = await before(new Pods(t));
  await login.q.create(login.fresh);
  assert.deepEqual(await login.run(), refusedPut);
  assert.equal(await login.p.count(login.old), 2);
  assert.equal(await login.q.count(login.fresh), 2);
});

test('login: a new session that is too large is refused, and the old session comes back', async (t) => {
  const { p, old, fresh } = await before(new Pods(t), { maxBytes: 100 });
  const stay = await p.enter(old);
  p.write(fresh, 'x'.repeat(101));
  p.unlink(old);
  stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'session-too-large' });
  assert.equal(await p.count(old), 2);
});

test('logout: whatever dies or comes back after its answer, the session does not', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const q = await pods.add('q');
  const session = freshSession();
  await p.create(session);
  assert.equal(await q.count(session, { move: 'draining' }), 2);
  // The old file of a pod that could not remove it.
  p.write(session, '1');
  const poll = await q.enter(session);
  const stay = await q.enter(session);
  q.unlink(session);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  q.write(session, '2');
  assert.deepEqual(await poll.settle(), { kind: 'leave', fencedByLogout: true });
  q.write(session, '2');
  q.kill();
  await p.restart();
  assert.equal((await p.look(session, { move: 'gone' })).number, 0);
  p.kill();
  await q.restart();
  assert.equal((await q.look(session, { move: 'gone' })).number, 0);
  assert.equal((await pods.record(session))?.tombstone, true);
});

test('logout: one whose answer did not leave because its pod was killed is done or not, and stays so', async (t) => {
  for (const fault of ['held', 'slow-reply'] as const) {
    const pods = new Pods(t);
    const p = await pods.add('p');
    const q = await pods.add('q');
    const session = freshSession();
    await p.create(session);
    const bury = p.line.next('bury', fault);
    const stay = await p.enter(session);
    p.unlink(session);
    void stay.settle();
    await bury.met;
    p.kill();
    const { number } = await q.look(session, { move: 'gone' });
    assert.equal(number, fault === 'held' ? 1 : 0);
    await bury.deliver();
    await p.restart();
    assert.equal((await p.look(session, { move: 'gone' })).number, number);
  }
});
