/** What a keeper promises in ordinary times: create, confirm, put, adopt, deletion, preset rules. */

import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import { tryLock } from '../../src/sessions/file-lock.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';
import { freshSession, Pods, refusedPut } from './keeper-pods.ts';

test('the answer that makes a session leaves when the store has it', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const record = await pods.record(session);
  assert.equal(record?.owner?.uid, 'p');
  assert.equal(record.version, 1);
  assert.equal(p.notes.read(session)?.epoch, record.epoch);
});

test('an owned session is admitted without waiting for the store', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const admission = p.keeper.admit({ session, move: undefined, hopped: false });
  assert.ok(!(admission instanceof Promise));
  assert.equal(admission.kind, 'here');
});

test('a changed session is put with the next version of the same term', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const before = await pods.record(session);
  assert.equal(await p.count(session), 2);
  assert.equal(await p.count(session), 3);
  const after = await pods.record(session);
  assert.equal(after?.epoch, before?.epoch);
  assert.equal(after?.version, 3);
});

test('an unchanged session costs one confirm and no put', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  await p.look(session);
  p.line.calls.length = 0;
  assert.deepEqual((await p.look(session)).verdict, { kind: 'leave' });
  assert.deepEqual(p.line.calls, ['confirm']);
});

test('a confirm goes out before the application has answered', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  await p.look(session);
  p.line.calls.length = 0;
  const stay = await p.enter(session);
  assert.deepEqual(p.line.calls, ['confirm']);
  await until('the confirm is answered', () => pods.record(session));
  const verdict = stay.settle();
  assert.ok(!(verdict instanceof Promise), 'nothing is left to wait for');
  assert.deepEqual(verdict, { kind: 'leave' });
});

test('a confirm serves no request that came after it was sent', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  await p.look(session);
  const slow = p.line.next('confirm', 'held');
  const early = await p.enter(session);
  const late = await p.enter(session);
  p.line.calls.length = 0;
  assert.deepEqual(await late.settle(), { kind: 'leave' });
  const settled = Promise.resolve(early.settle());
  void slow.deliver();
  assert.deepEqual(await settled, { kind: 'leave' });
});

test('an id that nobody knows makes no record', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  const stay = await p.enter(session);
  assert.equal(stay.outcome, 'expired');
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(session), 'none');
  assert.equal(p.line.count('create'), 0);
});

test('an id that a client made up makes no record of an empty PHP session', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const session = 'madeupbyaclient' as SessionId;
  const stay = await p.enter(session);
  p.write(session, '');
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(session), 'none');
});

test('an empty PHP session that the application issued is a session', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const session = 'issuedbyphp' as SessionId;
  const stay = p.keeper.visit();
  p.write(session, '');
  stay.answered({ kind: 'set', session, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(session), 'p');
});

test('a PHP session that was emptied is stored as the empty session', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const session = 'emptiedbyphp' as SessionId;
  await p.create(session);
  const stay = await p.enter(session);
  p.write(session, '');
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal((await pods.record(session))?.version, 2);
});

test('zero bytes of a framework that never writes them are not stored, and the stored copy comes back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  await p.count(session);
  const stay = await p.enter(session);
  p.write(session, '');
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'session-unreadable' });
  const next = await p.enter(session);
  assert.equal(next.outcome, 'restored');
  assert.equal(p.read(session), 2);
});

test('a file that can not be read refuses its session, and the log says why', async (t) => {
  const pods = new Pods(t);
  const lines: string[] = [];
  const log = createLog({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
  const p = await pods.add('p', { log });
  const session = freshSession();
  const stay = await p.enter(session);
  mkdirSync(p.path(session));
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'session-unreadable' });
  log.flush();
  assert.match(lines.join(''), /Reading it: it is no regular file.*a session's file can not be read/);
});

test('a logout that meets the end of a parallel request leaves, and is no lost write', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const [first, second] = [await p.enter(session), await p.enter(session)];
  p.unlink(session);
  const slow = p.line.next('bury', 'held');
  const [buries, waits] = [first.settle(), second.settle()];
  void slow.deliver();
  assert.deepEqual(await buries, { kind: 'leave' });
  assert.deepEqual(await waits, { kind: 'leave', fencedByLogout: true });
});

test('what a dead application left empty is repaired before the next request, never stored', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const session = 'diedphp' as SessionId;
  await p.create(session);
  const stay = await p.enter(session);
  p.write(session, '');
  stay.abandon('application-died');
  assert.equal(await p.count(session), 2);
});

test('a file that a dead application lost is no logout', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  p.unlink(session);
  stay.abandon('application-died');
  assert.equal(await p.count(session), 2);
  assert.equal(p.line.count('bury'), 0);
});

test('a client that left cancels no capture', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  p.increment(session);
  stay.abandon('client-left');
  await until('it is stored', async () => (await pods.record(session))?.version === 2);
});

test('a logout is a tombstone before its answer leaves', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  p.unlink(session);
  stay.answered({ kind: 'ended', attributes: '' });
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(session), 'tombstone');
  const after = await p.look(session);
  assert.equal(after.number, 0);
  assert.equal(await pods.ownerOf(session), 'p');
  assert.equal((await pods.record(session))?.tombstone, true);
});

test('a cookie that ends is no deletion: only a file that is gone is', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  stay.answered({ kind: 'ended', attributes: '' });
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal(await pods.ownerOf(session), 'p');
});

test('what is written on a tombstone is a new session of the same id', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  await p.count(session);
  const stay = await p.enter(session);
  p.unlink(session);
  await stay.settle();
  assert.equal(await p.count(session), 1);
  assert.equal((await pods.record(session))?.tombstone, false);
});

test('regenerate stores the new id, then ends the old one, then the answer leaves', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const [old, fresh] = [freshSession(), freshSession()];
  await p.create(old);
  const stay = await p.enter(old);
  p.increment(fresh);
  p.unlink(old);
  stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
  p.line.calls.length = 0;
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.deepEqual(p.line.calls, ['create', 'bury']);
  assert.equal(await pods.ownerOf(fresh), 'p');
  assert.equal(await pods.ownerOf(old), 'tombstone');
});

test('regenerate that leaves the old file captures it and buries nothing', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const [old, fresh] = [freshSession(), freshSession()];
  await p.create(old);
  const stay = await p.enter(old);
  p.increment(fresh);
  p.increment(old);
  stay.answered({ kind: 'set', session: fresh, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal((await pods.record(old))?.version, 2);
  assert.equal(await pods.ownerOf(old), 'p');
});

test('a file whose lock is kept ends in a refusal, not in a silent success', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  p.increment(session);
  const fd = openSync(p.path(session), 'r+');
  assert.ok(tryLock(fd, 'exclusive'));
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'lock-timeout' });
  closeSync(fd);
  assert.equal(p.keeper.counters.lockTimeouts, 1);
  assert.equal(await p.count(session), 3);
});

test('one look at a session at a time, and all who wait share the next one', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const slow = p.line.next('put', 'held');
  const stays = [];
  for (let index = 0; index < 4; index++) stays.push(await p.enter(session));
  p.increment(session);
  const first = Promise.resolve(stays[0]!.settle());
  await slow.met;
  p.increment(session);
  const others = stays.slice(1).map((stay) => Promise.resolve(stay.settle()));
  void slow.deliver();
  for (const verdict of await Promise.all([first, ...others])) assert.deepEqual(verdict, { kind: 'leave' });
  assert.equal(p.line.count('put'), 2);
  assert.equal((await pods.record(session))?.version, 3);
});

test('a session over maxBytes is not promised: its answer is refused, and the stored copy comes back', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { maxBytes: 100 });
  const session = freshSession();
  await p.create(session);
  for (let round = 0; round < 2; round++) {
    const stay = await p.enter(session);
    assert.equal(p.read(session), 1);
    p.write(session, 'x'.repeat(101));
    assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'session-too-large' });
  }
  assert.equal((await pods.record(session))?.version, 1);
  assert.equal(p.keeper.counters.tooLarge, 2);
  assert.equal(await p.count(session), 2, 'a session that fits is stored again');
});

test('the first content of a session over maxBytes is refused too', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { maxBytes: 100 });
  const session = freshSession();
  const stay = p.keeper.visit();
  p.write(session, 'x'.repeat(101));
  stay.answered({ kind: 'set', session, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(await stay.settle(), { kind: 'refuse', reason: 'session-too-large' });
  assert.equal(await pods.ownerOf(session), 'none');
});

test('async: a session over maxBytes goes on at its pod, counted; what fits again is stored', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { maxBytes: 100, replicate: 'async' });
  const session = freshSession();
  await p.create(session);
  await until('it is stored', async () => (await pods.ownerOf(session)) === 'p');
  const stay = await p.enter(session);
  p.write(session, 'x'.repeat(101));
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  await until('it was found too large', () => p.keeper.counters.tooLarge === 1 && p.keeper.sizes.behind === 0);
  const next = await p.enter(session);
  assert.ok(Number.isNaN(p.read(session)), 'the file is as the application left it');
  p.write(session, '7');
  assert.deepEqual(await next.settle(), { kind: 'leave' });
  await until('it is stored again', async () => (await pods.record(session))!.version >= 2);
});

test('a session of two megabytes is kept where maxBytes allows it', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { maxBytes: 4 * 1024 * 1024 });
  const q = await pods.add('q', { maxBytes: 4 * 1024 * 1024 });
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  const text = '0123456789abcdef'.repeat(131_072);
  p.write(session, text);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  p.kill();
  await (await q.enter(session, { move: 'gone' })).settle();
  assert.equal(readFileSync(q.path(session), 'utf8'), text);
});

test('with replicate async the answer leaves at once and the newest content follows', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { replicate: 'async' });
  const session = freshSession();
  const stay = p.keeper.visit();
  p.increment(session);
  stay.answered({ kind: 'set', session, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(stay.settle(), { kind: 'leave' });
  await until('it is stored', async () => (await pods.ownerOf(session)) === 'p');
  for (let number = 2; number <= 5; number++) {
    const next = await p.enter(session);
    p.increment(session);
    assert.deepEqual(next.settle(), { kind: 'leave' });
  }
  const q = await pods.add('q');
  await until('all of it is stored', async () => {
    const content = await pods.store.ownerOf(pods.names.of(session));
    return content !== undefined && content.version >= 2 && p.keeper.counters.puts >= 1;
  });
  await until('the newest is stored', async () => {
    await p.look(session);
    return true;
  });
  p.reachable = false;
  assert.equal(await q.count(session, { move: 'gone' }), 6);
});

test('a session forgotten for want of room is taken up again with its file', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { knownMax: 2 });
  const sessions = [freshSession(), freshSession(), freshSession(), freshSession()];
  for (const session of sessions) await p.create(session);
  for (const session of sessions) assert.equal(await p.count(session), 2);
  assert.equal(p.keeper.counters.restores, 0);
});

test('a session with an exchange in flight is not forgotten', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { knownMax: 2 });
  const session = freshSession();
  await p.create(session);
  const stay = await p.enter(session);
  p.increment(session);
  for (let other = 0; other < 5; other++) await p.create(freshSession());
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  assert.equal((await pods.record(session))?.version, 2);
});

test('a cookie that outlives session.lifetime makes the record live as long', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { lifetimeMs: 60_000 });
  const session = freshSession();
  const stay = p.keeper.visit();
  p.increment(session);
  stay.answered({ kind: 'set', session, attributes: '', lifetimeSeconds: 86_400 });
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  clock.advance(86_400_000 - 1);
  assert.equal(await pods.ownerOf(session), 'p');
});

test('an exchange that never reached the application changes nothing', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  p.line.calls.length = 0;
  const stay = await p.enter(session);
  stay.abandon('not-sent');
  assert.equal(await p.count(session), 2);
  assert.equal(p.line.count('put'), 1);
});

test('a session that is described shows its owner, epoch and version', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p');
  const session = freshSession();
  await p.create(session);
  const record = await pods.record(session);
  const { pod, epoch, version, here } = await p.keeper.describe(session);
  assert.deepEqual({ pod, epoch, version, here }, { pod: 'pod-p', epoch: record?.epoch, version: 1, here: 'owned' });
  p.cut();
  assert.equal((await p.keeper.describe(session)).reason, 'the store is down');
});

test('a create that comes too late is refused and its file goes', async (t) => {
  const pods = new Pods(t);
  const [p, q] = [await pods.add('p'), await pods.add('q')];
  const session = freshSession();
  const slow = await p.enter(session);
  p.increment(session);
  assert.equal(await q.count(session), 1);
  assert.deepEqual(await slow.settle(), refusedPut);
  assert.ok(!p.hasFile(session));
});
