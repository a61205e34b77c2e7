/**
 * When the store counts as down, by the manual clock and a store whose ends of calls the test decides.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../src/base/errors.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { WatchedStore } from '../../src/store/store-health.ts';
import type { StoreState } from '../../src/store/store-health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { freshName } from '../support/store-subjects.ts';

const unavailable = { kind: 'store-unavailable' };

/** An embedded store that can be made silent-like: every call fails as it would after its bound. */
class FailingStore extends MemoryStore {
  failing = false;
  pings = 0;
  /** A confirm ends with it. */
  silence: Promise<undefined> | undefined;

  override async confirm(...args: Parameters<MemoryStore['confirm']>): ReturnType<MemoryStore['confirm']> {
    await this.silence;
    return super.confirm(...args);
  }

  override ping(): Promise<number> {
    this.pings++;
    return this.failing ? fail() : super.ping();
  }

  override ownerOf(...args: Parameters<MemoryStore['ownerOf']>): ReturnType<MemoryStore['ownerOf']> {
    return this.failing ? fail() : super.ownerOf(...args);
  }
}

function fail(): Promise<never> {
  return Promise.reject(new HoldfastError('store-unavailable', 'Made to fail.'));
}

/** Lets all promises that are settled be heard. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function setUp(failing = false): {
  clock: ManualClock;
  inner: FailingStore;
  watched: WatchedStore;
  states: StoreState[];
} {
  const clock = new ManualClock();
  const inner = new FailingStore({ clock });
  inner.failing = failing;
  const watched = new WatchedStore(inner, clock);
  const states: StoreState[] = [];
  watched.onChange((state) => states.push(state));
  return { clock, inner, watched, states };
}

test('the first ping ends the start, and leaves no timer', async () => {
  const { clock, watched, states } = setUp();
  assert.equal(watched.state, 'starting');
  assert.equal(await watched.started(), 'up');
  assert.deepEqual(states, ['up']);
  assert.equal(clock.pending, 0);
});

test('a start without an answer is down after 5 s, not before, and is pinged on', async () => {
  const { clock, inner, watched, states } = setUp(true);
  for (let passedMs = 0; passedMs < 4750; passedMs += 250) {
    await settled();
    clock.advance(250);
  }
  assert.equal(watched.state, 'starting');
  await settled();
  clock.advance(250);
  assert.equal(watched.state, 'down');
  assert.equal(await watched.started(), 'down');
  inner.failing = false;
  await settled();
  clock.advance(250);
  await settled();
  assert.deepEqual(states, ['down', 'up']);
});

test('two failures in a row are not an outage, three are', async () => {
  const { inner, watched } = setUp();
  await watched.started();
  const name = freshName();
  inner.failing = true;
  await assert.rejects(watched.ownerOf(name), unavailable);
  await assert.rejects(watched.ownerOf(name), unavailable);
  inner.failing = false;
  await watched.ownerOf(name);
  inner.failing = true;
  await assert.rejects(watched.ownerOf(name), unavailable);
  await assert.rejects(watched.ownerOf(name), unavailable);
  assert.equal(watched.state, 'up');
  await assert.rejects(watched.ownerOf(name), unavailable);
  assert.equal(watched.state, 'down');
});

test('what waits for an answer when the store goes down waits no longer, and its late end counts for nothing', async () => {
  const { inner, watched } = setUp();
  await watched.started();
  const never = Promise.withResolvers<undefined>();
  inner.silence = never.promise;
  const held = watched.confirm(freshName(), { epoch: 1, uid: 'p' }, undefined);
  inner.failing = true;
  for (let call = 0; call < 3; call++) await assert.rejects(watched.ownerOf(freshName()), unavailable);
  await assert.rejects(held, unavailable);
  inner.failing = false;
  watched.connectionChanged(true);
  await settled();
  assert.equal(watched.state, 'up');
  inner.failing = true;
  for (let call = 0; call < 2; call++) await assert.rejects(watched.ownerOf(freshName()), unavailable);
  never.reject(new HoldfastError('store-unavailable', 'Late.'));
  await settled();
  assert.equal(watched.state, 'up', 'two failures are not an outage');
});

test('while down nothing reaches the store but one ping every 250 ms, and its success ends it', async () => {
  const { clock, inner, watched, states } = setUp();
  await watched.started();
  watched.connectionChanged(false);
  assert.equal(watched.state, 'down');
  await assert.rejects(watched.ownerOf(freshName()), unavailable);
  inner.failing = true;
  const before = inner.pings;
  for (let i = 0; i < 8; i++) {
    clock.advance(125);
    await settled();
  }
  assert.equal(inner.pings - before, 4);
  inner.failing = false;
  clock.advance(250);
  await settled();
  assert.deepEqual(states, ['up', 'down', 'up']);
  assert.equal(await watched.ownerOf(freshName()), undefined);
  assert.equal(clock.pending, 0);
});

test('a new connection is asked at once', async () => {
  const { watched } = setUp();
  await watched.started();
  watched.connectionChanged(false);
  watched.connectionChanged(true);
  await settled();
  assert.equal(watched.state, 'up');
});

test('a close is no outage: nobody is told, and nothing is pinged any more', async () => {
  const { clock, inner, watched, states } = setUp();
  await watched.started();
  await watched.close();
  assert.equal(watched.state, 'down');
  const before = inner.pings;
  watched.connectionChanged(true);
  clock.advance(10_000);
  await settled();
  assert.equal(inner.pings, before);
  assert.equal(clock.pending, 0);
  assert.deepEqual(states, ['up']);
});
