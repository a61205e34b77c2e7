/**
 * The model's own test: each rule that the protocol page shows a trace for, switched off by putting another function in the
 * place of the one that keeps it, with a configuration in which that must be found.
 */

import * as record from '../../src/store/record-rules.ts';
import type { SessionRecord } from '../../src/store/record-rules.ts';
import { step } from '../../src/sessions/ownership.ts';
import type { Configuration } from './configurations.ts';
import type { Rules } from './modelled-rules.ts';

export interface Mutation {
  /** As in docs/ownership.md. */
  readonly rule: string;
  readonly without: string;
  readonly changed: Partial<Rules>;
  readonly configuration: Omit<Configuration, 'name' | 'short'>;
  /** How the violation that must be found begins. */
  readonly finds: string;
}

const stale = 'a client read a state older';

/** A call made as if the store's clock stood still: epochs rise by one, from what the record says. */
const stopped = { nowUs: 0 };
const lifeMs = 1e9;

export const mutations: readonly Mutation[] = [
  {
    rule: '1',
    without: 'epochs only count up from the record',
    changed: {
      take: (found, call) => record.take(found, { ...call, ...stopped, ttlMs: lifeMs }),
      force: (found, call) => record.force(found, { ...call, ...stopped, ttlMs: lifeMs }),
      create: (found, call) => record.create(found, { ...call, ...stopped, ttlMs: lifeMs }),
      epochsAreOrderOnly: () => false,
    },
    configuration: { pods: 2, requests: ['add', 'add'], faults: { storeLoses: 1 } },
    finds: 'two owners in one epoch',
  },
  {
    rule: '2',
    without: 'a put of the same term is stored whatever its version',
    changed: {
      put: (found, call) => record.put(found && { ...found, version: -1 }, call),
    },
    configuration: { pods: 2, requests: ['add', 'add', 'read'], faults: { slowCall: 1, peerCut: 1 } },
    finds: stale,
  },
  {
    rule: '4',
    without: 'a create stores over any record',
    changed: {
      create: (_found, call) => record.create(undefined, call),
    },
    configuration: { pods: 2, requests: ['add', 'add', 'read'], faults: {}, isNew: true },
    finds: 'an old owner',
  },
  {
    rule: '6',
    without: 'an unchanged answer leaves on memory alone',
    changed: { unchangedNeedsConfirm: () => false },
    configuration: { pods: 2, requests: ['add', 'read'], faults: { peerCut: 1 } },
    finds: stale,
  },
  {
    rule: '10',
    without: 'the wait for the lock of a file has no bound',
    changed: { lockWaitHasBound: () => false },
    configuration: { pods: 2, requests: ['add', 'stream'], faults: {}, locked: true },
    finds: 'a request waits for ever',
  },
  {
    rule: '11, 12',
    without: "the store's copy always wins",
    changed: { isOurs: () => false },
    configuration: { pods: 2, requests: ['add', 'read'], faults: { outage: 1, keeperDies: 1 } },
    finds: stale,
  },
  {
    rule: '13',
    without: 'an adopt does not wait for exchanges of an earlier term',
    changed: { waitsForEarlierTerms: () => false },
    configuration: { pods: 2, requests: ['add', 'add', 'read'], faults: { deadline: 1 } },
    finds: 'an old owner',
  },
  {
    rule: '14',
    without: 'note and file stay after a release or a refusal',
    changed: {
      step: (state, event) =>
        event.on === 'released' || event.on === 'refused' ? { ...step(state, event), effects: [] } : step(state, event),
    },
    configuration: { pods: 2, requests: ['add', 'read'], faults: { outage: 1 } },
    finds: stale,
  },
  {
    rule: '20',
    without: 'an owner that can not reach the store says "not mine"',
    changed: { ownerWithoutStore: () => 'not-mine' },
    configuration: { pods: 2, requests: ['add', 'read'], faults: { cutFromStore: 1 } },
    finds: stale,
  },
  {
    rule: '22',
    without: 'a release waits as long as something runs',
    changed: { releaseHasDeadline: () => false },
    configuration: { pods: 2, requests: ['stream', 'read'], faults: {}, elsewhere: 'adopt' },
    finds: 'a request waits for ever',
  },
  {
    rule: '24',
    without: 'a tombstone does not end the term',
    changed: {
      bury: (found, call) => {
        const { reply, record: buried } = record.bury(found, call);
        const stays: Partial<SessionRecord> = { epoch: found?.epoch ?? 0, owner: found?.owner };
        return { reply, record: buried && reply.kind === 'stored' ? { ...buried, ...stays } : buried };
      },
      step: (state, event) =>
        event.on === 'buried' && state.at === 'owned'
          ? { state: { ...state, acknowledged: { what: 'absent' } }, effects: [] }
          : step(state, event),
      fenceRemovesFile: () => false,
      fences: () => false,
    },
    configuration: { pods: 2, requests: ['add', 'logout', 'read'], faults: {} },
    finds: 'an acknowledged logout was undone',
  },
  {
    rule: '26',
    without: 'a release frees a record whose logout only the notes know of',
    changed: { releaseSparesNotedLogout: () => false },
    configuration: { pods: 2, requests: ['logout', 'add', 'read'], faults: { outage: 1 } },
    finds: 'an acknowledged logout was undone',
  },
];
