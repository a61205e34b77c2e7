/**
 * What is explored: each configuration is a small system with a few requests and a few faults, and is explored to its end.
 * The names say what it is about. `short`: part of `make test`; all: `make model`.
 */

import { elsewhere } from '../../src/sessions/ownership.ts';
import type { Exploration } from './explore.ts';
import { explore } from './explore.ts';
import { rules, type Rules } from './modelled-rules.ts';
import { apply, type Setting } from './scene.ts';
import { Choices } from './choices.ts';
import { type Fault, faults, type Operation, owners, type Pod, type Request, type World } from './world.ts';

export interface Configuration {
  readonly name: string;
  readonly short: boolean;
  readonly pods: 1 | 2 | 3;
  readonly requests: readonly Operation[];
  readonly faults: Partial<Readonly<Record<Fault, number>>>;
  readonly locked?: boolean;
  readonly elsewhere?: 'forward' | 'adopt';
  readonly onStoreDown?: 'serve' | 'refuse';
  /** Nobody has the session yet. */
  readonly isNew?: boolean;
}

const statesMax = 5_000_000;

/** Explores one configuration, with the rules as they are or with one of them changed. */
export function run(configuration: Configuration, changed: Partial<Rules> = {}): Exploration {
  const setting: Setting = {
    rules: { ...rules, ...changed },
    locked: configuration.locked ?? false,
    elsewhere: configuration.elsewhere ?? 'forward',
    onStoreDown: configuration.onStoreDown ?? 'serve',
  };
  return explore({
    initial: initialWorld(configuration, setting),
    setting,
    statesMax,
  });
}

/** P owns the session in epoch 1 and has answered with content 1; or nobody knows it. */
function initialWorld(configuration: Configuration, setting: Setting): World {
  const world: World = {
    record: undefined,
    stored: 0,
    older: { record: undefined, stored: 0 },
    late: [],
    pods: Array.from({ length: configuration.pods }, newPod),
    requests: configuration.requests.map(newRequest),
    writes: [],
    answered: 0,
    unsynced: 0,
    tombstones: 0,
    turn: 0,
    lastOwner: -1,
    clock: 0,
    left: faults.map((fault) => configuration.faults[fault] ?? 0),
    violation: undefined,
  };
  if (configuration.isNew === true) return world;
  const first = world.pods[0]!;
  world.writes.push({ isDeletion: false, ancestors: 1, covers: 1, turn: 0, pod: 0 });
  const content = { version: 1, bytes: Buffer.from([1]), mtimeMs: 0 };
  world.record = setting.rules.create(undefined, { me: owners[0]!, content, ttlMs: 1e9, nowUs: 1 }).record;
  Object.assign(world, { stored: 1, answered: 1, lastOwner: 0, clock: 1 });
  // A store that loses its newest data remembers the session as it was released once.
  world.older = { record: world.record && { ...world.record, owner: undefined }, stored: 1 };
  first.file = 1;
  const scene = { world, setting, choices: new Choices() };
  apply(scene, 0, { on: 'ask' });
  apply(scene, 0, { on: 'no-record', tick: 0 });
  apply(scene, 0, { on: 'numbered' });
  const acknowledged = { what: 'content', digest: '1', mtimeMs: 0, stamp: undefined } as const;
  apply(scene, 0, { on: 'created', epoch: 1, acknowledged, storeTimeMs: 0 });
  return world;
}

function newPod(): Pod {
  return {
    gone: false,
    cut: false,
    draining: false,
    state: elsewhere,
    note: undefined,
    file: 0,
    absence: 0,
    lock: -1,
    adopting: undefined,
    releasing: 0,
    plannedRelease: false,
    tick: 0,
    confirmed: 0,
    buried: 0,
    lapsed: false,
    unsynced: false,
  };
}

function newRequest(does: Operation): Request {
  return {
    does,
    phase: 'unsent',
    pod: 0,
    hopped: false,
    moved: false,
    failedEpoch: 0,
    arrived: 0,
    admitted: 0,
    floor: 0,
    turn: 0,
    saw: 0,
    made: 0,
    deadInode: false,
    unchecked: false,
    died: false,
  };
}

const three: readonly Operation[] = ['add', 'add', 'read'];

export const configurations: readonly Configuration[] = [
  { name: 'no fault', short: true, pods: 2, requests: three, faults: {} },
  { name: 'no fault, locked', short: true, pods: 2, requests: three, faults: {}, locked: true },
  { name: 'no fault, three pods', short: false, pods: 3, requests: three, faults: {} },
  { name: 'no fault, a new session', short: true, pods: 2, requests: three, faults: {}, isNew: true },
  {
    name: 'a new session, lost and slow calls',
    short: true,
    pods: 2,
    requests: ['add', 'add'],
    faults: { lostReply: 1, slowCall: 1 },
    isNew: true,
  },
  { name: 'keepers cut from each other', short: true, pods: 2, requests: three, faults: { peerCut: 1 } },
  {
    name: 'keepers cut from each other, adopt',
    short: false,
    pods: 2,
    requests: three,
    faults: { peerCut: 2 },
    elsewhere: 'adopt',
  },
  {
    name: 'keepers cut from each other, locked, three pods',
    short: false,
    pods: 3,
    requests: three,
    faults: { peerCut: 2 },
    locked: true,
  },
  {
    name: 'slow calls and lost replies',
    short: false,
    pods: 2,
    requests: ['add', 'add', 'read'],
    faults: { slowCall: 1, lostReply: 1 },
  },
  {
    name: 'slow calls and cuts',
    short: false,
    pods: 2,
    requests: three,
    faults: { slowCall: 1, peerCut: 1 },
  },
  { name: 'a keeper dies', short: true, pods: 2, requests: three, faults: { keeperDies: 1, peerCut: 1 } },
  {
    name: 'a keeper dies, locked',
    short: false,
    pods: 2,
    requests: three,
    faults: { keeperDies: 2, lostReply: 1 },
    locked: true,
  },
  { name: 'a pod dies', short: true, pods: 2, requests: three, faults: { podDies: 1, lostReply: 1 } },
  { name: 'a pod dies, of three', short: false, pods: 3, requests: three, faults: { podDies: 1, peerCut: 1 } },
  { name: 'the application dies', short: true, pods: 2, requests: three, faults: { applicationDies: 1, peerCut: 1 } },
  {
    name: 'the application dies, locked',
    short: true,
    pods: 2,
    requests: three,
    faults: { applicationDies: 1, keeperDies: 1 },
    locked: true,
  },
  { name: 'waits that last too long', short: true, pods: 2, requests: ['add', 'add', 'add'], faults: { deadline: 1 } },
  {
    name: 'waits that last too long, locked',
    short: false,
    pods: 2,
    requests: ['add', 'add', 'add', 'read'],
    faults: { deadline: 2 },
    locked: true,
  },
  { name: 'an outage, served', short: true, pods: 2, requests: three, faults: { outage: 1 } },
  {
    name: 'an outage, refused',
    short: false,
    pods: 2,
    requests: three,
    faults: { outage: 1, keeperDies: 1 },
    onStoreDown: 'refuse',
  },
  { name: 'an outage with lost replies', short: false, pods: 2, requests: three, faults: { outage: 1, lostReply: 1 } },
  { name: 'one pod cut from the store', short: true, pods: 2, requests: three, faults: { cutFromStore: 1 } },
  {
    name: 'one pod cut from the store and from the others',
    short: false,
    pods: 2,
    requests: three,
    faults: { cutFromStore: 1, peerCut: 1 },
  },
  { name: 'the store loses data', short: true, pods: 2, requests: three, faults: { storeLoses: 1 } },
  { name: 'a lifetime passes', short: true, pods: 2, requests: three, faults: { lifetimePasses: 1, keeperDies: 1 } },
  {
    name: 'logout and login with the same id',
    short: true,
    pods: 2,
    requests: ['logout', 'add', 'read'],
    faults: { peerCut: 1 },
  },
  { name: 'logout beside a request', short: true, pods: 2, requests: ['add', 'logout', 'add', 'read'], faults: {} },
  {
    name: 'logout beside a request, locked',
    short: false,
    pods: 2,
    requests: ['add', 'logout', 'add', 'read'],
    faults: { lostReply: 1 },
    locked: true,
  },
  {
    name: 'logout while the store is down',
    short: true,
    pods: 2,
    requests: ['logout', 'add', 'read'],
    faults: { outage: 1 },
  },
  {
    // Alone: a pod that died, came back and can't ask the store may serve what another one has taken since (rule 28).
    name: 'logout and login while the store is down, and the keeper dies',
    short: false,
    pods: 1,
    requests: ['logout', 'add', 'read'],
    faults: { outage: 1, keeperDies: 2 },
  },
  {
    name: 'logout, then a lifetime',
    short: true,
    pods: 2,
    requests: ['add', 'logout', 'read'],
    faults: { lifetimePasses: 1, peerCut: 1 },
  },
  {
    name: 'logout with lost replies',
    short: false,
    pods: 2,
    requests: ['logout', 'add', 'read'],
    faults: { lostReply: 2 },
  },
  {
    name: 'writes outside requests and garbage collection',
    short: false,
    pods: 2,
    requests: three,
    faults: { outsideWrite: 1, garbage: 1, peerCut: 1 },
  },
  { name: 'a drain', short: true, pods: 2, requests: three, faults: { drain: 1 } },
  { name: 'a drain, and a pod dies', short: false, pods: 2, requests: three, faults: { drain: 1, podDies: 1 } },
  { name: 'a drain with cuts', short: false, pods: 3, requests: three, faults: { drain: 1, peerCut: 1 } },
  { name: 'an event stream', short: true, pods: 2, requests: ['stream', 'add', 'read'], faults: {} },
  {
    name: 'an event stream that holds the lock',
    short: true,
    pods: 2,
    requests: ['stream', 'add', 'read'],
    faults: {},
    locked: true,
  },
];
