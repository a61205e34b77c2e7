import assert from 'node:assert/strict';
import test from 'node:test';
import { fc } from '../support/properties.ts';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { SessionCounts } from '../../src/sessions/session-counts.ts';
import { SessionEntry } from '../../src/sessions/session-entry.ts';
import type { StoreName } from '../../src/store/contract.ts';

const owned = { at: 'owned', since: 1, epoch: 1, version: 1, acknowledged: { what: 'nothing' } } as const;

function change(counts: SessionCounts, entry: SessionEntry, to: 'owned' | 'releasing' | 'elsewhere'): void {
  const wasOurs = entry.state.at !== 'elsewhere';
  entry.state = to === 'elsewhere' ? { at: 'elsewhere' } : { ...owned, at: to };
  counts.change(entry, wasOurs);
}

test('what is owned and what is active is counted exactly, whatever happens in whatever order', () => {
  const action = fc.record({
    entry: fc.nat(5),
    does: fc.constantFrom('use', 'own', 'release', 'leave', 'forget', 'wait' as const),
    ms: fc.nat(40_000),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const counts = new SessionCounts();
      const fresh = (index: number) => new SessionEntry(`s${index}` as SessionId, `n${index}` as StoreName, 1);
      const entries = Array.from({ length: 6 }, (_, index) => fresh(index));
      const used = new Map<SessionEntry, number>();
      let nowMs = 5000;
      for (const { entry: index, does, ms } of actions) {
        const entry = entries[index]!;
        if (does === 'wait') nowMs += ms;
        else if (does === 'own' || does === 'release') change(counts, entry, does === 'own' ? 'owned' : 'releasing');
        else if (does === 'use') {
          counts.use(entry, nowMs);
          used.set(entry, Math.floor(nowMs / 10_000));
        } else {
          const wasOwned = entry.state.at !== 'elsewhere';
          if (does === 'leave') change(counts, entry, 'elsewhere');
          else {
            counts.forget(entry);
            entries[index] = fresh(index);
          }
          if (wasOwned || does === 'forget') used.delete(entry);
        }
        const slice = Math.floor(nowMs / 10_000);
        assert.equal(counts.owned, entries.filter(({ state }) => state.at !== 'elsewhere').length);
        assert.equal(counts.active(nowMs), [...used.values()].filter((at) => at > slice - 6).length);
      }
    }),
  );
});
