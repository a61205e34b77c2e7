/**
 * Becoming the owner: the model's mirror of keeper.ts (admission) and adopt.ts. Between two store calls of a flow other
 * steps may come; each stage is one step.
 */

import { isBegunAnew, isLeftByLogout, isOurRun } from '../../src/sessions/adoption-plan.ts';
import type { TakenRecord } from '../../src/store/contract.ts';
import { capture, fileOf } from './capturing.ts';
import { isTurnedAway, owned, takeByForce } from './claiming.ts';
import { apply, bury, callStore, release, removeFile, type Scene, take, tick } from './scene.ts';
import { type Adopting, inFlight, podNames, reclaim, type World } from './world.ts';

const lifetimeMs = 1;

function adoption(by: number): Adopting {
  return {
    by,
    stage: 'begin',
    seen: undefined,
    reclaimed: false,
    silent: false,
    epoch: 0,
    blob: 0,
    tombstone: false,
    sentTick: 0,
  };
}

/** Adopt.reclaim. */
export function startReclaim(world: World, index: number): void {
  const pod = world.pods[index]!;
  pod.adopting = adoption(reclaim);
}

/** Keeper.#isHere and what comes first in #admitLater: whether a request has to wait for something under way. */
export function admissionWaits(world: World, number: number): boolean {
  const { pod: index } = world.requests[number]!;
  const pod = world.pods[index]!;
  if (pod.adopting !== undefined || pod.releasing > 0) return true;
  return world.requests.some((other) => other.pod === index && other.phase === 'looked-after');
}

/** Keeper.admit. */
export function admit(scene: Scene, number: number): void {
  const { world } = scene;
  const request = world.requests[number]!;
  const pod = world.pods[request.pod]!;
  if (pod.state.at === 'owned' && pod.lapsed) apply(scene, request.pod, { on: 'expired' });
  if (pod.state.at === 'owned' || (pod.state.at === 'unconfirmed' && pod.cut)) {
    letIn(scene, number);
    return;
  }
  pod.adopting = adoption(number);
}

/** Keeper.#here: the request goes to the application. */
function letIn({ world, choices }: Scene, number: number): void {
  const request = world.requests[number]!;
  request.phase = 'running';
  request.admitted = tick(world.pods[request.pod]!);
  request.turn = world.turn;
  const { state, note } = world.pods[request.pod]!;
  // Rules 27 and 28: served without the store and without a note, it is let through without its session.
  if (state.at === 'unconfirmed' && note === undefined) request.unchecked = true;
  choices.say(() => `  request ${number + 1} goes to the application at ${podNames[request.pod]}`);
}

/** Rule 13: the flow can't go on yet. */
export function adoptWaits(world: World, index: number, setting: Scene['setting']): boolean {
  const pod = world.pods[index]!;
  const { stage } = pod.adopting!;
  const waitsForIdle =
    (stage === 'begin' && pod.state.at === 'elsewhere' && pod.adopting!.by !== reclaim) || stage === 'restore';
  if (waitsForIdle && setting.rules.waitsForEarlierTerms() && inFlight(world, index) > 0) return true;
  if (stage === 'restore') return pod.lock >= 0;
  return stage === 'owner-releases';
}

/** The next step of the flow of a pod that adopts. */
export function adopt(scene: Scene, index: number): void {
  const pod = scene.world.pods[index]!;
  switch (pod.adopting!.stage) {
    case 'begin': {
      begin(scene, index);
      return;
    }
    case 'force': {
      takeByForce(scene, index);
      return;
    }
    case 'restore': {
      restore(scene, index);
      return;
    }
    case 'keep': {
      keepOurs(scene, index);
      return;
    }
    case 'store-again': {
      storeAgain(scene, index);
      return;
    }
    case 'ask-owner':
    case 'owner-releases':
  }
}

/** Adopt.#round and #reclaim up to the take's answer. */
function begin(scene: Scene, index: number): void {
  const { world } = scene;
  const pod = world.pods[index]!;
  const adopting = pod.adopting!;
  if (pod.state.at === 'owned') {
    end(scene, index, 'here');
    return;
  }
  if (
    adopting.by === reclaim &&
    pod.state.at !== 'unconfirmed' &&
    pod.state.at !== 'elsewhere' &&
    pod.state.at !== 'asking'
  ) {
    end(scene, index, 'again');
    return;
  }
  if (pod.state.at !== 'asking') apply(scene, index, { on: 'ask' });
  if (adopting.by !== reclaim && isTurnedAway(scene, index, world.requests[adopting.by]!)) return;
  adopting.sentTick = tick(pod);
  const reply = callTake(scene, index);
  if (reply === undefined) {
    if (pod.cut) {
      withoutStore(scene, index);
      return;
    }
    return;
  }
  if (reply.kind === 'absent') {
    noRecord(scene, index);
    return;
  }
  if (reply.kind === 'taken') {
    const ours = reply.begunAnew || scene.setting.rules.isOurs(reply, pod.note, podNames[index]!);
    if (adopting.by === reclaim && !ours) {
      loseReclaim(scene, index, reply.epoch);
      return;
    }
    taken(scene, index, reply, ours);
    return;
  }
  if (adopting.by === reclaim) {
    loseReclaim(scene, index, undefined);
    return;
  }
  owned(scene, index, { epoch: reply.epoch, uid: reply.owner.uid });
}

/** Take.run with #buryNoted (rule 26). */
function callTake(scene: Scene, index: number): (ReturnType<typeof take> & { begunAnew: boolean }) | undefined {
  const pod = scene.world.pods[index]!;
  const burial = pod.note;
  const late = { kind: 'take', pod: index } as const;
  const uid = podNames[index]!;
  let hasBuried = false;
  if (burial?.buried === true) {
    const buried = callStore(scene, undefined, index, () =>
      bury(scene, index, { epoch: burial.epoch, write: pod.absence }),
    );
    if (buried === undefined) return undefined;
    hasBuried = buried === 'stored';
  }
  let reply = callStore(scene, late, index, () => take(scene, index));
  if (reply === undefined) return undefined;
  if (burial?.buried === true && reply.kind === 'taken' && !reply.tombstone && isOurRun(reply, burial, uid)) {
    const { epoch } = reply;
    const buried = callStore(scene, undefined, index, () => bury(scene, index, { epoch, write: pod.absence }));
    if (buried === undefined) return undefined;
    hasBuried ||= buried === 'stored';
    reply = callStore(scene, late, index, () => take(scene, index));
    if (reply === undefined) return undefined;
  }
  if (burial?.buried === true && burial.begunAnew !== true) pod.note = undefined;
  const { state, note } = pod;
  const isServed = state.at === 'asking' && state.since !== undefined;
  const begunAnew = reply.kind === 'taken' && isBegunAnew(reply, { note, uid, hasBuried, isServed });
  return { ...reply, begunAnew };
}

/** Adopt.#taken. */
export function taken(scene: Scene, index: number, record: TakenRecord, ours: boolean): void {
  const pod = scene.world.pods[index]!;
  const adopting = pod.adopting!;
  const file = ours ? fileOf(pod, -1) : ({ kind: 'absent' } as const);
  const { epoch, version } = record;
  const plan = scene.setting.rules.planTaken(record, ours, file);
  adopting.epoch = epoch;
  adopting.tombstone = record.tombstone;
  switch (plan) {
    case 'keep-file':
    case 'bury': {
      const isGone = file.kind === 'absent' && record.tombstone;
      const acknowledged = { what: isGone ? 'absent' : 'nothing' } as const;
      apply(scene, index, { on: 'kept', epoch, version, acknowledged, tick: tick(pod), storeTimeMs: 0 });
      hold(scene, index);
      if (isGone) end(scene, index, 'here');
      else adopting.stage = 'keep';
      return;
    }
    case 'restore':
    case 'remove-file':
      adopting.blob = record.blob?.bytes[0] ?? 0;
      adopting.stage = 'restore';
      apply(scene, index, { on: 'taken', epoch, version });
      return;
    case 'give-back':
  }
}

/** Adopt.#owned. */
function hold({ world }: Scene, index: number): void {
  const pod = world.pods[index]!;
  pod.confirmed = Math.max(pod.confirmed, pod.adopting!.sentTick);
  pod.lapsed = false;
}

/** Adopt.#restore: the stored copy goes over the file (rule 11). */
function restore(scene: Scene, index: number): void {
  const { world, choices } = scene;
  const pod = world.pods[index]!;
  const { blob } = pod.adopting!;
  removeFile(world, pod);
  pod.file = blob;
  if (blob === 0) pod.absence = world.writes[world.stored - 1]?.isDeletion === true ? world.stored : 0;
  choices.say(() => `${podNames[index]} ${blob === 0 ? 'removes its file' : `puts content ${blob} into its file`}`);
  const acknowledged =
    blob === 0
      ? ({ what: 'absent' } as const)
      : ({ what: 'content', digest: String(blob), mtimeMs: 0, stamp: undefined } as const);
  apply(scene, index, { on: 'restored', acknowledged, tick: tick(pod), storeTimeMs: 0 });
  hold(scene, index);
  end(scene, index, 'here');
}

/** Adopt.#keepOurs: our copy is stored first. */
function keepOurs(scene: Scene, index: number): void {
  const captured = capture(scene, index, { issued: false, died: false });
  if (captured.kind === 'buried' || captured.kind === 'refused') {
    end(scene, index, 'again');
    return;
  }
  end(scene, index, 'here');
}

/** Adopt.#noRecord (rule 15). */
function noRecord(scene: Scene, index: number): void {
  const { world, setting } = scene;
  const pod = world.pods[index]!;
  if (pod.note !== undefined) {
    const plan = setting.rules.planUnrecorded(pod.note, fileOf(pod, -1), { storeMs: 0, lifetimeMs });
    if (plan === 'store-again') {
      apply(scene, index, { on: 'no-record', tick: tick(pod) });
      pod.adopting!.stage = 'store-again';
      return;
    }
    if (plan === 'drop-copy') removeFile(world, pod);
    pod.note = undefined;
  }
  apply(scene, index, { on: 'no-record', tick: tick(pod) });
  end(scene, index, 'here');
}

function storeAgain(scene: Scene, index: number): void {
  const pod = scene.world.pods[index]!;
  const stored = capture(scene, index, { issued: false, died: false });
  if (stored.kind === 'none') pod.note = undefined;
  end(scene, index, stored.kind === 'safe' || stored.kind === 'none' ? 'here' : 'again');
}

/** Adopt.#withoutStore (rule 27); of a reclaim: served on without the store. */
function withoutStore(scene: Scene, index: number): void {
  const { world, setting } = scene;
  const pod = world.pods[index]!;
  const { by } = pod.adopting!;
  const isHere = pod.note !== undefined || (pod.state.at === 'asking' && pod.state.since !== undefined);
  if (by === reclaim) {
    apply(scene, index, { on: 'unreachable', tick: tick(pod) });
    end(scene, index, 'again');
    return;
  }
  const request = world.requests[by]!;
  if (!isHere && setting.onStoreDown === 'refuse') {
    end(scene, index, 'not-taken');
    request.phase = 'failed';
    return;
  }
  if (!isHere) {
    for (const other of world.requests) if (other.pod === index && other.phase === 'admitting') other.unchecked = true;
  }
  if (isLeftByLogout(pod.state, pod.note) && pod.file !== 0) {
    // What is absent then is absent by the logout.
    const { absence } = pod;
    removeFile(world, pod);
    pod.absence = absence;
  }
  apply(scene, index, { on: 'unreachable', tick: tick(pod) });
  end(scene, index, 'here');
}

/** Adopt.#reclaim: the stored copy is the newer one, ours goes. */
function loseReclaim(scene: Scene, index: number, epoch: number | undefined): void {
  const pod = scene.world.pods[index]!;
  if (epoch !== undefined) {
    callStore(scene, { kind: 'release', pod: index, epoch, write: 0 }, index, () => release(scene, index, epoch));
  }
  pod.unsynced = false;
  apply(scene, index, { on: 'refused', epoch: undefined });
  end(scene, index, 'again');
}

/** The flow's end; 'here' lets in who waits for it (rule 21). */
export function end(scene: Scene, index: number, how: 'here' | 'again' | 'not-taken'): void {
  const { world } = scene;
  const pod = world.pods[index]!;
  const by = pod.adopting!.by;
  pod.adopting = undefined;
  if (how === 'here' && by !== reclaim) {
    world.requests.forEach((request, number) => {
      if (request.pod === index && request.phase === 'admitting') letIn(scene, number);
    });
  }
  if (pod.state.at === 'asking' || pod.state.at === 'restoring') apply(scene, index, { on: 'not-taken' });
}

/** The time of one wait has passed: 503, and a term that came to nothing is given back. */
export function giveUp(scene: Scene, index: number): void {
  const { world } = scene;
  const pod = world.pods[index]!;
  const { by, epoch, stage } = pod.adopting!;
  if (stage === 'restore') {
    callStore(scene, { kind: 'release', pod: index, epoch, write: 0 }, index, () => release(scene, index, epoch));
  }
  end(scene, index, 'not-taken');
  if (by !== reclaim) world.requests[by]!.phase = 'failed';
}
