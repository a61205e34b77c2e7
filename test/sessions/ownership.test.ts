/** The session's states as pure steps: every pair of state and event, and what holds over all sequences. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fc } from '../support/properties.ts';

import {
  counts,
  elsewhere,
  epochOf,
  type Ownership,
  type OwnershipEvent,
  type OwnershipStep,
  step,
} from '../../src/sessions/ownership.ts';

const content = { what: 'content', digest: 'd', mtimeMs: 1, stamp: undefined } as const;
const held = { since: 1, epoch: 10, version: 3, acknowledged: content } as const;

const states: readonly Ownership[] = [
  elsewhere,
  { at: 'asking', since: undefined, version: 0 },
  { at: 'asking', since: 1, version: 0 },
  { at: 'restoring', epoch: 10, version: 3 },
  { at: 'unrecorded', since: 1, version: 0 },
  { at: 'unconfirmed', since: 1, version: 0 },
  { at: 'owned', ...held },
  { at: 'releasing', ...held },
];

const stamp = { inode: 1n, size: 1n, mtimeNs: 1n, ctimeNs: 1n, settled: true };

const events: readonly OwnershipEvent[] = [
  { on: 'ask' },
  { on: 'no-record', tick: 9 },
  { on: 'issued', tick: 9 },
  { on: 'unreachable', tick: 9 },
  { on: 'not-taken' },
  { on: 'taken', epoch: 20, version: 4 },
  { on: 'kept', epoch: 20, version: 4, acknowledged: { what: 'nothing' }, tick: 9, storeTimeMs: 5 },
  { on: 'restored', acknowledged: content, tick: 9, storeTimeMs: 5 },
  { on: 'numbered' },
  { on: 'created', epoch: 20, acknowledged: content, storeTimeMs: 5 },
  { on: 'stored', epoch: 10, acknowledged: { ...content, digest: 'e' } },
  { on: 'seen', epoch: 10, stamp },
  { on: 'touched', epoch: 10, storeTimeMs: 5 },
  { on: 'record-lost', epoch: 10 },
  { on: 'refused', epoch: 10 },
  { on: 'refused', epoch: undefined },
  { on: 'buried', epoch: 10 },
  { on: 'buried-locally' },
  { on: 'damaged' },
  { on: 'release' },
  { on: 'release-failed' },
  { on: 'released', epoch: 10 },
  { on: 'expired' },
];

/** Which states an event may meet; where it is not listed, in any. In the others it must throw. */
const allowed: Readonly<Partial<Record<OwnershipEvent['on'], readonly Ownership['at'][]>>> = {
  ask: ['elsewhere', 'unrecorded', 'unconfirmed'],
  'no-record': ['asking'],
  issued: ['elsewhere'],
  unreachable: ['asking'],
  'not-taken': ['asking', 'restoring'],
  taken: ['asking'],
  kept: ['asking'],
  restored: ['restoring'],
  numbered: ['asking', 'restoring', 'unrecorded', 'unconfirmed', 'owned', 'releasing'],
  created: ['unrecorded'],
  release: ['owned'],
  expired: ['owned'],
};

test('every event is either a step or an error of ours, in every state', () => {
  for (const state of states) {
    for (const event of events) {
      const may = allowed[event.on]?.includes(state.at) ?? true;
      if (may) assert.doesNotThrow(() => step(state, event), `${event.on} in ${state.at}`);
      else assert.throws(() => step(state, event), TypeError, `${event.on} in ${state.at}`);
    }
  }
});

test('a reply about a term that is over changes nothing', () => {
  const now: Ownership = { at: 'owned', ...held, epoch: 11 };
  for (const event of events) {
    if (!('epoch' in event) || event.epoch !== 10) continue;
    assert.deepEqual(step(now, event), { state: now, effects: [] }, event.on);
  }
});

test('losing a term forgets first, then the note goes, then the file', () => {
  for (const on of ['refused', 'released'] as const) {
    const { state, effects } = step({ at: 'owned', ...held }, { on, epoch: 10 });
    assert.deepEqual(state, elsewhere);
    assert.deepEqual(
      effects.map((effect) => effect.do),
      ['remove-note', 'remove-file'],
    );
  }
});

test('only an answer of the store may remove a file', () => {
  const answers = new Set(['refused', 'released']);
  for (const { event, effects } of everyStep()) {
    if (effects.some((effect) => effect.do === 'remove-file')) assert.ok(answers.has(event.on), event.on);
  }
});

test('a term that begins over the stored copy lets no earlier exchange count', () => {
  const taken = step({ at: 'asking', since: 1, version: 0 }, { on: 'taken', epoch: 20, version: 4 }).state;
  assert.equal(counts(taken, 1), false);
  const restored = step(taken, { on: 'restored', acknowledged: content, tick: 9, storeTimeMs: 5 }).state;
  assert.equal(counts(restored, 8), false);
  assert.equal(counts(restored, 9), true);
});

test('exchanges of a session without a record join the term that is created', () => {
  const none = step({ at: 'asking', since: undefined, version: 0 }, { on: 'no-record', tick: 5 }).state;
  const created = step(none, { on: 'created', epoch: 20, acknowledged: content, storeTimeMs: 5 }).state;
  assert.equal(counts(created, 5), true);
  assert.equal(counts(created, 4), false);
});

test('in any sequence a term that is held was noted, and a note is gone before its file is', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events), { maxLength: 30 }), (sequence) => {
      let state: Ownership = elsewhere;
      let noted: number | undefined;
      for (const event of sequence) {
        const next = tryStep(state, event);
        if (next === undefined) continue;
        state = next.state;
        for (const effect of next.effects) {
          if (effect.do === 'write-note') noted = effect.epoch;
          if (effect.do === 'remove-note') noted = undefined;
          if (effect.do === 'remove-file') assert.equal(noted, undefined);
        }
        if (state.at === 'owned' || state.at === 'releasing') assert.equal(noted, epochOf(state));
        if (state.at === 'restoring') assert.equal(noted, undefined);
      }
    }),
  );
});

test('versions rise within a term and are never given out twice', () => {
  let state: Ownership = { at: 'owned', ...held };
  const given = new Set<number>();
  for (let index = 0; index < 5; index++) {
    state = step(state, { on: 'numbered' }).state;
    assert.ok(state.at === 'owned');
    assert.ok(!given.has(state.version));
    given.add(state.version);
  }
});

function* everyStep(): Generator<{ readonly event: OwnershipEvent } & OwnershipStep> {
  for (const state of states) {
    for (const event of events) {
      const made = tryStep(state, event);
      if (made !== undefined) yield { event, ...made };
    }
  }
}

function tryStep(state: Ownership, event: OwnershipEvent): OwnershipStep | undefined {
  try {
    return step(state, event);
  } catch (error) {
    assert.ok(error instanceof TypeError);
    return undefined;
  }
}
