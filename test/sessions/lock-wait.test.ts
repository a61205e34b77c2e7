import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LockWait } from '../../src/sessions/lock-wait.ts';
import { ManualClock } from '../support/manual-clock.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('an attempt that succeeds at once answers synchronously', () => {
  const clock = new ManualClock();
  assert.equal(
    new LockWait(clock).run(() => 'free', 1000),
    'free',
  );
  assert.equal(clock.pending, 0);
});

test('a wait ends at its bound, with nothing left behind', async () => {
  const clock = new ManualClock();
  const wait = new LockWait(clock);
  let attempts = 0;
  let result: unknown = 'waiting';
  void Promise.resolve(wait.run(() => void (attempts += 1), 1000)).then((value) => (result = value));
  clock.advance(999);
  await settle();
  assert.equal(result, 'waiting');
  clock.advance(1);
  await settle();
  assert.equal(result, undefined);
  assert.equal(wait.waiting, 0);
  assert.equal(clock.pending, 0);
  // 1 + 2 + ... + 10 ms, then each 10 ms: the machine is not busy with waiting.
  assert.ok(attempts > 50 && attempts < 120, `${attempts} attempts`);
});

test('a lock that comes free is seen within 10 ms', async () => {
  const clock = new ManualClock();
  let free = false;
  const found = new LockWait(clock).run(() => (free ? clock.monotonicMs() : undefined), 5000);
  clock.advance(2000);
  free = true;
  clock.advance(10);
  assert.ok(((await found) ?? Infinity) <= 2010);
});

test('an attempt that throws while it waits rejects, and is not made again', async () => {
  const clock = new ManualClock();
  const wait = new LockWait(clock);
  let attempts = 0;
  const found = wait.run(() => {
    attempts += 1;
    if (attempts === 2) throw new Error('disk full');
    return undefined;
  }, 5000);
  clock.advance(5000);
  await assert.rejects(Promise.resolve(found), /disk full/);
  assert.equal(attempts, 2);
  assert.equal(wait.waiting, 0);
});

test('the number of waits is bounded: what comes beyond it is told at once', () => {
  const clock = new ManualClock();
  const wait = new LockWait(clock);
  for (let index = 0; index < 1024; index++) assert.ok(wait.run(() => undefined, 1000) instanceof Promise);
  assert.equal(
    wait.run(() => undefined, 1000),
    undefined,
  );
  assert.equal(wait.waiting, 1024);
});
