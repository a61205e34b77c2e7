/** What a kill leaves in a session file is neither stored nor answered, where the session is saved after the output. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { Pods } from './keeper-pods.ts';

const whole = 'n|i:7;'.repeat(10_000);
/** What a kill leaves of a file that PHP was rewriting: it truncates it first, and writes page by page. */
const leftovers = { 'zero bytes': '', 'the first page': whole.slice(0, 4096), 'some pages': whole.slice(0, 40_960) };

for (const [words, left] of Object.entries(leftovers)) {
  test(`${words} that an application left, killed after its whole answer, are never stored`, async (t) => {
    const pods = new Pods(t);
    const p = await pods.add('p', { preset: 'php' });
    const session = 'killedwhileitsaved' as SessionId;
    await p.create(session);
    const stay = await p.enter(session);
    p.write(session, left);
    assert.deepEqual(await stay.settle(() => Promise.resolve(false)), { kind: 'refuse', reason: 'session-unreadable' });
    assert.equal((await p.enter(session)).outcome, 'restored');
    assert.equal(p.read(session), 1);
  });

  test(`${words} that a pod left when it was killed do not win over the stored copy`, async (t) => {
    const pods = new Pods(t);
    const p = await pods.add('p', { preset: 'php' });
    const session = 'podkilledwhileitsaved' as SessionId;
    await p.create(session);
    await p.enter(session);
    p.write(session, left);
    await p.restart();
    assert.equal((await p.enter(session)).outcome, 'restored');
    assert.equal(p.read(session), 1);
  });
}

test('an answer whose application was killed before it saved anything does not leave', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const session = 'killedbeforeitsaved' as SessionId;
  await p.create(session);
  const stay = await p.enter(session);
  assert.deepEqual(await stay.settle(() => Promise.resolve(false)), { kind: 'refuse', reason: 'application-died' });
});

test('an application that saved a new number is not asked whether it lives', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const session = 'savedanewnumber' as SessionId;
  await p.create(session);
  const stay = await p.enter(session);
  p.increment(session);
  assert.deepEqual(await stay.settle(() => Promise.reject(new Error('asked'))), { kind: 'leave' });
});

test('a session that only looks torn is stored, where the application lives', async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const session = 'ofonewholepage' as SessionId;
  await p.create(session);
  const stay = await p.enter(session);
  p.write(session, whole.slice(0, 4096));
  assert.deepEqual(await stay.settle(() => Promise.resolve(true)), { kind: 'leave' });
  assert.equal((await pods.record(session))?.version, 2);
});
