/** How a sidecar divides its last time. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { endTimes } from '../../src/commands/end-times.ts';

const given = { nowMs: 100_000, drainMs: 20_000, learnMs: 2500 };

test('without a word before, all of timeouts.drain is there, and connections are accepted until others know', () => {
  const times = endTimes({ ...given, heardMs: undefined });
  assert.deepEqual(times, { servedMs: 18_500, idleMs: 18_500, acceptedMs: 2500, stopMs: 1500 });
});

test('after a word what is in flight has what is left of timeouts.drain since then', () => {
  const times = endTimes({ ...given, heardMs: given.nowMs - 5500 });
  assert.deepEqual(times, { servedMs: 13_000, idleMs: 750, acceptedMs: 0, stopMs: 1500 });
});

test('an application that has used the time up leaves a second and a half for all of it', () => {
  for (const agoMs of [19_000, 20_000, 86_400_000]) {
    const times = endTimes({ ...given, heardMs: given.nowMs - agoMs });
    assert.deepEqual(times, { servedMs: 750, idleMs: 750, acceptedMs: 0, stopMs: 750 }, String(agoMs));
  }
});

test('the end never takes longer than timeouts.drain, or a second and a half where that is more', () => {
  const ms = fc.integer({ min: 0, max: 100_000 });
  fc.assert(
    fc.property(ms, ms, ms, fc.boolean(), (agoMs, drainMs, learnMs, isHeard) => {
      const heardMs = isHeard ? given.nowMs - agoMs : undefined;
      const { servedMs, idleMs, acceptedMs, stopMs } = endTimes({ nowMs: given.nowMs, heardMs, drainMs, learnMs });
      assert.ok(servedMs + stopMs <= Math.max(drainMs, 1500));
      assert.ok(idleMs <= servedMs && acceptedMs <= servedMs && acceptedMs <= learnMs);
      assert.ok(stopMs >= 0 && servedMs >= 0);
    }),
  );
});
