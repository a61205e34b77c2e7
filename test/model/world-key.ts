/**
 * A world as a short string: two worlds with the same key behave alike for ever. Epochs and ticks become their ranks,
 * because only their order counts; what only tells the past (who was answered when) is left out.
 */

import type { SessionRecord } from '../../src/store/record-rules.ts';
import type { Acknowledged, Ownership } from '../../src/sessions/ownership.ts';
import type { Phase, Pod, World } from './world.ts';

const phases: readonly Phase[] = [
  'unsent',
  'admitting',
  'running',
  'read',
  'settling',
  'answered',
  'failed',
  'looked-after',
];
const states = ['elsewhere', 'asking', 'restoring', 'unrecorded', 'unconfirmed', 'owned', 'releasing'] as const;
const stages = ['begin', 'ask-owner', 'owner-releases', 'force', 'restore', 'keep', 'store-again'] as const;
const calls = ['put', 'create', 'take', 'bury', 'release'] as const;
const none = 250;

/** `exact`: epochs as they are, for rules that count with them rather than compare them. */
export function worldKey(world: World, exact: boolean): string {
  const codes: number[] = [];
  const ranks = exact ? undefined : epochRanks(world);
  const epoch = (value: number | undefined): number =>
    value === undefined ? none : value === 0 ? 0 : ranks === undefined ? value : ranks.indexOf(value) + 1;
  addRecord(codes, world.record, epoch);
  codes.push(world.stored);
  addRecord(codes, world.older.record, epoch);
  codes.push(world.older.stored, world.answered, world.unsynced, world.tombstones, world.lastOwner + 1, ...world.left);
  if (exact) codes.push(world.clock);
  for (const write of world.writes) {
    codes.push(write.ancestors, write.covers, flags(write.isDeletion, write.turn === world.turn), write.pod + 1);
  }
  codes.push(none);
  for (const call of world.late) {
    codes.push(calls.indexOf(call.kind), call.pod);
    if (call.kind !== 'take') codes.push(epoch(call.epoch), call.write, 'version' in call ? call.version : 0);
  }
  codes.push(none);
  for (let index = 0; index < world.pods.length; index++) addPod(codes, world, { index, epoch });
  return String.fromCharCode(...codes);
}

function addPod(
  codes: number[],
  world: World,
  of: { index: number; epoch: (value: number | undefined) => number },
): void {
  const pod = world.pods[of.index]!;
  const { epoch } = of;
  const ticks = tickRanks(world, of.index);
  const tick = (value: number): number => ticks.indexOf(value);
  codes.push(flags(pod.gone, pod.cut, pod.draining, pod.plannedRelease, pod.lapsed, pod.unsynced));
  addState(codes, pod.state, { epoch, tick });
  codes.push(
    epoch(pod.note?.epoch),
    flags((pod.note?.confirmedAtMs ?? 0) < 0, pod.note?.buried === true, pod.note?.begunAnew === true),
  );
  codes.push(epoch(pod.releasing), pod.file, pod.absence, pod.lock + 1, tick(pod.confirmed), tick(pod.buried));
  const { adopting } = pod;
  if (adopting === undefined) codes.push(none);
  else {
    codes.push(adopting.by, stages.indexOf(adopting.stage), epoch(adopting.seen?.epoch));
    codes.push(adopting.seen?.uid.charCodeAt(0) ?? 0, flags(adopting.reclaimed, adopting.silent, adopting.tombstone));
    codes.push(epoch(adopting.epoch), adopting.blob, tick(adopting.sentTick));
  }
  for (let number = 0; number < world.requests.length; number++) {
    const request = world.requests[number]!;
    if (request.pod !== of.index) continue;
    codes.push(number, phases.indexOf(request.phase));
    if (request.phase === 'answered' || request.phase === 'failed') continue;
    codes.push(flags(request.hopped, request.moved, request.deadInode, request.unchecked, request.died));
    codes.push(epoch(request.failedEpoch), tick(request.arrived), tick(request.admitted), request.floor);
    codes.push(request.turn === world.turn ? 1 : 0, request.saw, request.made);
  }
  codes.push(none);
}

function addState(
  codes: number[],
  state: Ownership,
  to: { epoch: (value: number | undefined) => number; tick: (value: number) => number },
): void {
  codes.push(states.indexOf(state.at));
  if ('epoch' in state) codes.push(to.epoch(state.epoch));
  if ('version' in state) codes.push(state.version);
  if ('since' in state) codes.push(state.since === undefined ? none : to.tick(state.since));
  if ('acknowledged' in state) codes.push(acknowledgedCode(state.acknowledged));
}

function acknowledgedCode(acknowledged: Acknowledged): number {
  if (acknowledged.what === 'content') return 10 + Number(acknowledged.digest);
  return acknowledged.what === 'absent' ? 1 : 2;
}

function addRecord(
  codes: number[],
  record: SessionRecord | undefined,
  epoch: (value: number | undefined) => number,
): void {
  if (record === undefined) {
    codes.push(none);
    return;
  }
  codes.push(epoch(record.epoch), record.owner?.uid.charCodeAt(0) ?? 0, record.version, flags(record.tombstone));
  codes.push(record.content?.bytes[0] ?? 0, record.createdEpoch === record.epoch ? 1 : 0);
  codes.push(epoch(record.sinceEpoch), epoch(record.buriedBy?.epoch), record.buriedBy?.uid.charCodeAt(0) ?? 0);
}

function epochRanks(world: World): number[] {
  const values = new Set<number>();
  const add = (value: number | undefined): void => {
    if (value !== undefined && value > 0) values.add(value);
  };
  for (const record of [world.record, world.older.record]) {
    add(record?.epoch);
    add(record?.sinceEpoch);
    add(record?.buriedBy?.epoch);
  }
  for (const call of world.late) if (call.kind !== 'take') add(call.epoch);
  for (const pod of world.pods) {
    if ('epoch' in pod.state) add(pod.state.epoch);
    add(pod.note?.epoch);
    add(pod.releasing);
    add(pod.adopting?.seen?.epoch);
    add(pod.adopting?.epoch);
  }
  for (const request of world.requests) add(request.failedEpoch);
  return [...values].sort((a, b) => a - b);
}

function tickRanks(world: World, index: number): number[] {
  const pod: Pod = world.pods[index]!;
  const values = new Set<number>([0, pod.confirmed, pod.buried]);
  if ('since' in pod.state && pod.state.since !== undefined) values.add(pod.state.since);
  if (pod.adopting !== undefined) values.add(pod.adopting.sentTick);
  for (const request of world.requests) {
    if (request.pod === index && request.phase !== 'answered' && request.phase !== 'failed') {
      values.add(request.arrived).add(request.admitted);
    }
  }
  return [...values].sort((a, b) => a - b);
}

function flags(...values: readonly boolean[]): number {
  let code = 0;
  for (const value of values) code = code * 2 + (value ? 1 : 0);
  return code;
}
