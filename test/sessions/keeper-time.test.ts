/** What a keeper does as time passes: lives are renewed, old ownerships are void. The clock is moved by hand. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ManualClock } from '../support/manual-clock.ts';
import { freshSession, Pods } from './keeper-pods.ts';

const lifetimeMs = 100_000;

test('a session that is only read lives on, and so does its note', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { lifetimeMs });
  const session = freshSession();
  await p.create(session);
  const noted = p.notes.read(session)!.confirmedAtMs;
  for (let round = 0; round < 30; round++) {
    clock.advance(lifetimeMs / 5);
    assert.deepEqual((await p.look(session)).verdict, { kind: 'leave' });
  }
  assert.equal(await pods.ownerOf(session), 'p');
  assert.ok(p.notes.read(session)!.confirmedAtMs > noted + 5 * lifetimeMs);
});

test('a session that nobody uses ends in the store', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { lifetimeMs });
  const session = freshSession();
  await p.create(session);
  clock.advance(3 * lifetimeMs);
  assert.equal(await pods.ownerOf(session), 'none');
});

test('renewals are rare: most requests only ask', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { lifetimeMs });
  const session = freshSession();
  await p.create(session);
  let touches = 0;
  const confirm = p.line.confirm.bind(p.line);
  p.line.confirm = (name, term, touch) => {
    if (touch !== undefined) touches++;
    return confirm(name, term, touch);
  };
  for (let round = 0; round < 50; round++) {
    clock.advance(lifetimeMs / 100);
    await p.look(session);
  }
  assert.ok(touches >= 4 && touches <= 6, `${touches} renewals in half a lifetime`);
});

test('rule 5: an ownership that was not confirmed for a lifetime is asked for again', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { lifetimeMs });
  const session = freshSession();
  await p.create(session);
  const epoch = (await pods.record(session))?.epoch;
  clock.advance(lifetimeMs + 1);
  const admission = p.keeper.admit({ session, move: undefined, hopped: false });
  assert.ok(admission instanceof Promise);
  const settled = await admission;
  assert.equal(settled.kind, 'here');
  assert.equal(p.line.count('take'), 1);
  assert.ok((await pods.record(session))!.epoch > epoch!, 'a new term');
  assert.equal(p.read(session), 1);
});

test('a session whose only change is its time is stored again when its renewal is due', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { lifetimeMs });
  const session = freshSession();
  await p.create(session);
  clock.advance(lifetimeMs / 2);
  const stay = await p.enter(session);
  p.touch(session, 1_700_000_000);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal((await pods.record(session))?.version, 2);
});
