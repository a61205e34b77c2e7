/**
 * Looking at the file and storing it, and the end of an exchange: the model's mirror of capture.ts, confirm.ts and settle.ts.
 * A look and its store call are one step: what a keeper does between them touches nothing that others see.
 */

import { type CaptureCause, emptyContent } from '../../src/sessions/capture-plan.ts';
import type { FileStamp, FileState } from '../../src/sessions/file-state.ts';
import { type Acknowledged, epochOf, versionOf } from '../../src/sessions/ownership.ts';
import { apply, blame, bury, bytesOf, callStore, confirm, removeFile, type Scene, tick, write } from './scene.ts';
import { bit, emptied, podNames, type Pod, type Request, type World } from './world.ts';
import { startReclaim } from './adopting.ts';

type CaptureEnd =
  | { readonly kind: 'safe'; readonly epoch: number; readonly stored: boolean }
  | { readonly kind: 'none' | 'buried' | 'refused' | 'locked' }
  | { readonly kind: 'unsynced'; readonly burial: number | undefined };

const stamp: FileStamp = { inode: 0n, size: 0n, mtimeNs: 0n, ctimeNs: 0n, settled: false };

export function fileOf(pod: Pod, reader: number): FileState {
  if (pod.lock >= 0 && pod.lock !== reader) return { kind: 'locked' };
  if (pod.file === 0) return { kind: 'absent' };
  if (pod.file === emptied) return { kind: 'empty', mtimeMs: 0, stamp };
  return { kind: 'content', bytes: bytesOf(pod.file), mtimeMs: 0, digest: String(pod.file), stamp };
}

/** Capture.#carryOut. */
export function capture(scene: Scene, index: number, cause: CaptureCause & { readonly isLate?: boolean }): CaptureEnd {
  const { world, setting } = scene;
  const pod = world.pods[index]!;
  const facts = {
    issued: cause.issued,
    died: cause.died,
    zeroBytesIsASession: setting.locked,
    room: () => 'enough' as const,
  };
  const plan = setting.rules.planCapture(pod.state, fileOf(pod, -1), facts);
  switch (plan.do) {
    case 'nothing':
      return { kind: 'none' };
    case 'keep':
      return { kind: 'safe', epoch: epochOf(pod.state)!, stored: false };
    case 'put':
    case 'create': {
      // Zero bytes that are a session hold nothing that the model tells apart; no configuration makes them.
      if (plan.content === emptyContent) blame(world, 'an emptied file was stored as a session');
      return store(scene, index, plan.do);
    }
    case 'bury':
      return burySession(scene, index, cause.isLate === true);
    case 'repair':
      apply(scene, index, { on: 'damaged' });
      return { kind: 'refused' };
    case 'too-large':
    case 'refuse':
      return { kind: pod.lock >= 0 ? 'locked' : 'refused' };
  }
}

/** Capture.#put and #create. */
function store(scene: Scene, index: number, how: 'put' | 'create'): CaptureEnd {
  const pod = scene.world.pods[index]!;
  const stored = pod.file;
  const epoch = how === 'put' ? epochOf(pod.state)! : undefined;
  apply(scene, index, { on: 'numbered' });
  const version = versionOf(pod.state);
  const sentTick = tick(pod);
  const late = { kind: how, pod: index, epoch: epoch ?? 0, version, write: stored };
  const reply = callStore(scene, late, index, () => write(scene, index, { epoch, version, write: stored }));
  if (reply === undefined) return { kind: 'unsynced', burial: undefined };
  if (reply.kind === 'refused') {
    apply(scene, index, { on: 'refused', epoch });
    return { kind: 'refused' };
  }
  const acknowledged: Acknowledged = { what: 'content', digest: String(stored), mtimeMs: 0, stamp: undefined };
  if (epoch !== undefined) apply(scene, index, { on: 'stored', epoch, acknowledged });
  else apply(scene, index, { on: 'created', epoch: reply.epoch, acknowledged, storeTimeMs: 0 });
  pod.confirmed = Math.max(pod.confirmed, sentTick);
  return { kind: 'safe', epoch: reply.epoch, stored: true };
}

/** Capture.#bury. */
function burySession(scene: Scene, index: number, isLate: boolean): CaptureEnd {
  const pod = scene.world.pods[index]!;
  const epoch = epochOf(pod.state)!;
  const late = { kind: 'bury', pod: index, epoch, write: pod.absence } as const;
  const reply = callStore(scene, late, index, () => bury(scene, index, late));
  if (reply === undefined) return { kind: 'unsynced', burial: epoch };
  if (reply === 'refused') {
    apply(scene, index, { on: 'refused', epoch });
    return { kind: 'refused' };
  }
  if (!isLate) pod.buried = tick(pod);
  apply(scene, index, { on: 'buried', epoch });
  return { kind: 'buried' };
}

/** Confirm.send; what it answered is in the pod's state afterwards. */
export function confirmTerm(scene: Scene, index: number): 'holds' | 'refused' | 'lost' | 'unknown' {
  const pod = scene.world.pods[index]!;
  const epoch = epochOf(pod.state)!;
  const sentTick = tick(pod);
  switch (callStore(scene, undefined, index, () => confirm(scene, index, epoch))) {
    case 'stored':
      pod.confirmed = Math.max(pod.confirmed, sentTick);
      return 'holds';
    case 'refused':
      apply(scene, index, { on: 'refused', epoch });
      return 'refused';
    case 'absent':
      apply(scene, index, { on: 'record-lost', epoch });
      return 'lost';
    case undefined:
      return 'unknown';
  }
}

/** Whether Settle.#untilItCounts goes on waiting, and no other step of this exchange can do anything. */
export function mustWait(world: World, number: number): boolean {
  const request = world.requests[number]!;
  const pod = world.pods[request.pod]!;
  if (pod.buried > request.admitted) return false;
  if (pod.state.at === 'asking')
    return 'since' in pod.state && pod.state.since !== undefined && pod.state.since <= request.admitted;
  return pod.state.at === 'unconfirmed' && !pod.cut && pod.adopting !== undefined;
}

/** Settle.run: what becomes of a complete answer. Of an exchange that died nobody waits for the answer. */
export function settle(scene: Scene, number: number): void {
  const { world, setting, choices } = scene;
  const request = world.requests[number]!;
  const index = request.pod;
  const pod = world.pods[index]!;
  if (setting.rules.fences(pod.buried, request.admitted)) {
    fence(scene, request);
    return;
  }
  if (!setting.rules.counts(pod.state, request.admitted)) {
    turnAway(scene, request);
    return;
  }
  if (pod.state.at === 'unconfirmed') {
    if (pod.cut) {
      withoutStore(scene, request, undefined);
      return;
    }
    choices.say(() => `${podNames[index]} takes up again what it served without the store`);
    startReclaim(world, index);
    return;
  }
  if (pod.state.at === 'restoring') {
    turnAway(scene, request);
    return;
  }
  // Capture asks whether the application lives before it stores zero bytes; here the answer is always right.
  const end = capture(scene, index, { issued: false, died: request.died || pod.file === emptied });
  switch (end.kind) {
    case 'locked': {
      refuse(scene, request);
      return;
    }
    case 'none':
    case 'buried': {
      leave(scene, request);
      return;
    }
    case 'refused': {
      if (setting.rules.fences(pod.buried, request.admitted)) fence(scene, request);
      else refuse(scene, request);
      return;
    }
    case 'unsynced': {
      if (pod.cut) withoutStore(scene, request, end.burial);
      return;
    }
    case 'safe': {
      if (end.stored || pod.confirmed > request.arrived) {
        leave(scene, request);
        return;
      }
      if (!setting.rules.unchangedNeedsConfirm()) {
        leave(scene, request);
        return;
      }
      const confirmed = confirmTerm(scene, index);
      if (confirmed === 'holds') {
        leave(scene, request);
        return;
      }
      if (confirmed === 'refused') {
        refuse(scene, request);
        return;
      }
      if (pod.cut) withoutStore(scene, request, undefined);
      return;
    }
  }
}

/** Settle.#fence (rules 16). */
function fence(scene: Scene, request: Request): void {
  const pod = scene.world.pods[request.pod]!;
  if (scene.setting.rules.fenceRemovesFile(pod.state)) removeFile(scene.world, pod);
  scene.choices.say(() => `  the logout beside it fences it: its answer leaves without its session`);
  request.made = 0;
  request.phase = request.died ? 'failed' : 'answered';
}

/** Settle.#turnAway (rule 8). */
function turnAway(scene: Scene, request: Request): void {
  const pod = scene.world.pods[request.pod]!;
  if (pod.state.at === 'elsewhere' && pod.note === undefined) removeFile(scene.world, pod);
  refuse(scene, request);
}

function refuse({ choices }: Scene, request: Request): void {
  choices.say(() => '  the client gets no complete answer (503 or a cut)');
  request.phase = 'failed';
}

/** Settle.#withoutStore and #noteBurial (rules 17, 26, 27). */
function withoutStore(scene: Scene, request: Request, burial: number | undefined): void {
  const { world, setting } = scene;
  const pod = world.pods[request.pod]!;
  pod.unsynced = true;
  // Rule 28: an owner that is cut off can't know that its session was taken meanwhile.
  if ((pod.state.at === 'owned' || pod.state.at === 'releasing') && world.record?.owner?.uid !== podNames[request.pod])
    request.unchecked = true;
  if (setting.onStoreDown === 'refuse') {
    refuse(scene, request);
    return;
  }
  const isUnconfirmed = pod.state.at === 'unconfirmed';
  const isNoted = isUnconfirmed && pod.note?.buried === true;
  if (isNoted) pod.note = { ...pod.note!, begunAnew: pod.file !== 0 };
  const epoch = isNoted ? undefined : (burial ?? (isUnconfirmed && pod.file === 0 ? pod.note?.epoch : undefined));
  if (epoch !== undefined && (burial === undefined || epochOf(pod.state) === burial)) {
    pod.note = { epoch, confirmedAtMs: pod.note?.confirmedAtMs ?? 0, buried: true };
    pod.buried = tick(pod);
    apply(scene, request.pod, { on: 'buried-locally' });
  }
  if (!request.unchecked) world.unsynced |= bit(request.made) | bit(request.saw);
  leave(scene, request);
}

/** The client gets its complete answer. Invariants: it saw all it may expect; what it got now, nobody may miss later. */
function leave({ world, choices }: Scene, request: Request): void {
  if (request.died) {
    request.phase = 'failed';
    return;
  }
  choices.say(
    () =>
      `  the client gets its answer: saw ${shown(request.saw)}${request.made === 0 ? '' : `, made ${request.made}`}`,
  );
  request.phase = 'answered';
  if (request.unchecked) return;
  const missing = missed(world, request);
  if (missing !== 0) {
    const isLogout = world.writes.some((one, at) => one.isDeletion && (missing & (1 << at)) !== 0);
    blame(
      world,
      `${isLogout ? 'an acknowledged logout was undone' : 'a client read a state older than an answer it had'}: it saw ` +
        `${shown(request.saw)}, and ${bitsOf(missing)} had been answered before it asked`,
    );
  }
  world.answered |= bit(request.made) | bit(request.saw);
}

function missed(world: World, request: Request): number {
  const saw = world.writes[request.saw - 1];
  const covers = saw?.covers ?? 0;
  let missing = request.floor & ~covers;
  world.writes.forEach((one, at) => {
    if (!one.isDeletion) return;
    // Without a file a deletion, answered or not, explains the absence of all that it was built on.
    if (request.saw === 0) missing &= ~(one.covers | (1 << at));
    else if ((request.floor & world.tombstones & (1 << at)) !== 0 && ((saw?.ancestors ?? 0) & (1 << at)) === 0)
      missing |= 1 << at;
  });
  return missing;
}

function shown(write: number): string {
  return write === 0 ? 'no session' : `content ${write}`;
}

function bitsOf(mask: number): string {
  const writes = [1, 2, 3, 4, 5, 6, 7].filter((write) => (mask & bit(write)) !== 0);
  return writes.join(' and ');
}

/** Unsynced.#store: what the store missed is stored when it is back. */
export function flush(scene: Scene, index: number): void {
  const { world, choices } = scene;
  const pod = world.pods[index]!;
  choices.say(() => `${podNames[index]} stores what the store missed`);
  if (pod.state.at === 'unconfirmed' || pod.state.at === 'elsewhere') {
    startReclaim(world, index);
    return;
  }
  const end = capture(scene, index, { issued: pod.state.at === 'unrecorded', died: false, isLate: true });
  if (end.kind !== 'unsynced' && end.kind !== 'locked') pod.unsynced = false;
}
