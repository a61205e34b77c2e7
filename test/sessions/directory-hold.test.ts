/** Since when nobody watched a session directory, as its lock tells the next keeper. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { DirectoryHold } from '../../src/sessions/directory-hold.ts';

test('a lock from the future, since the clock was set back, hides nothing that was written unseen', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-hold-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, '.holdfast');
  const first = new DirectoryHold(path, systemClock);
  assert.ok(first.tryTake());
  first.release();
  for (const [lastHeldS, unheldSinceMs] of [
    [1_000_000, 1_000_000_000],
    [Date.now() / 1000 + 3600, 0],
  ] as const) {
    await utimes(join(path, 'keeper.lock'), lastHeldS, lastHeldS);
    const hold = new DirectoryHold(path, systemClock);
    assert.ok(hold.tryTake());
    assert.equal(hold.unheldSinceMs, unheldSinceMs);
    hold.release();
  }
});
