/** The bound of the embedded store, and its time. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from '../../src/store/memory.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { content, create, freshName, ownerP, ownerQ, take } from '../support/store-subjects.ts';

const kilobyte = 'x'.repeat(1024);

test('a full store refuses writes and keeps every live session', async () => {
  const store = new MemoryStore({ clock: new ManualClock(), bytesMax: 8192 });
  const names = Array.from({ length: 5 }, freshName);
  for (const name of names) await create(store, name, content(1, kilobyte));
  const refused = store.create(freshName(), ownerP, content(1, kilobyte), 1000);
  await assert.rejects(refused, { kind: 'store-unavailable' });
  for (const name of names) assert.equal((await take(store, name, ownerP)).blob?.bytes.toString(), kilobyte);
});

test('a refused write changes nothing', async () => {
  const store = new MemoryStore({ clock: new ManualClock(), bytesMax: 4096 });
  const name = freshName();
  const epoch = await create(store, name, content(1, 'small'));
  const bytes = store.bytes;
  const large = content(2, kilobyte.repeat(8));
  await assert.rejects(store.put(name, ownerP, epoch, large, 1000), { kind: 'store-unavailable' });
  assert.equal(store.bytes, bytes);
  assert.equal((await take(store, name, ownerP)).blob?.bytes.toString(), 'small');
});

test('expired sessions make room', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock, bytesMax: 4096 });
  await create(store, freshName(), content(1, kilobyte), 1000);
  const kept = freshName();
  await create(store, kept, content(1, kilobyte), 5000);
  await assert.rejects(store.create(freshName(), ownerP, content(1, kilobyte), 1000), { kind: 'store-unavailable' });
  clock.advance(1000);
  await create(store, freshName(), content(1, kilobyte));
  assert.equal((await store.ownerOf(kept))?.version, 1);
});

test('bytes are given back by burying, overwriting and expiry', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const name = freshName();
  const epoch = await create(store, name, content(1, kilobyte), 1000);
  const full = store.bytes;
  await store.put(name, ownerP, epoch, content(2, ''), 1000);
  assert.equal(store.bytes, full - 1024);
  await store.put(name, ownerP, epoch, content(3, kilobyte), 1000);
  assert.equal(store.bytes, full);
  await store.bury(name, { epoch, uid: ownerP.uid }, 1000);
  assert.equal(store.bytes, full - 1024);
  clock.advance(1000);
  assert.equal(await store.ownerOf(name), undefined);
  assert.equal(store.bytes, 0);
});

test('epochs follow the clock, and rise without it', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const name = freshName();
  const first = await create(store, name, content(1, 'one'));
  assert.equal(first, clock.nowMs() * 1000);
  assert.equal((await take(store, name, ownerP)).epoch, first + 1);
  clock.advance(10);
  const third = await store.force(name, ownerQ, { epoch: first + 1, uid: ownerP.uid }, 1000);
  assert.equal(third.kind === 'taken' && third.epoch, first + 10_000);
});
