/**
 * What is done about a session that another pod owns: the model's mirror of claim.ts, and of what the asked keeper answers
 * (hand-off.ts, #answer).
 */

import { end, startReclaim, taken } from './adopting.ts';
import { apply, callStore, force, type Scene, tick } from './scene.ts';
import { podNames, type Request, type World } from './world.ts';

/** Claim.mayTake (rules 2): a pod that goes away takes nothing as long as there is another way. */
export function isTurnedAway(scene: Scene, index: number, request: Request): boolean {
  const { world } = scene;
  const pod = world.pods[index]!;
  if (!pod.draining || pod.cut) return false;
  // A gateway that has no other pod says so: `none-left`.
  if (!request.hopped && otherThan(world, index) === -1) return false;
  const record = world.record;
  if (record?.owner?.uid === podNames[index] || (record === undefined && pod.note !== undefined)) return false;
  if (record?.owner !== undefined && !takesFromOthers(scene, request)) {
    elsewhere(scene, index, record.owner.uid, record.epoch);
    return true;
  }
  sendOn(scene, index, request);
  return true;
}

/** A pod that would have the request; -1: there is none. */
function otherThan(world: World, index: number): number {
  return world.pods.findIndex((pod, at) => at !== index && !pod.gone && !pod.draining);
}

/** Claim.takesFromOthers. */
function takesFromOthers({ setting }: Scene, request: Request): boolean {
  return request.moved || request.hopped || request.failedEpoch > 0 || setting.elsewhere === 'adopt';
}

/** `unsent; draining`: the gateway, or the first keeper, tries another pod. */
function sendOn(scene: Scene, index: number, request: Request): void {
  const { world, choices } = scene;
  end(scene, index, 'not-taken');
  const other = otherThan(world, index);
  if (other === -1) {
    request.phase = 'failed';
    return;
  }
  choices.say(() => `  the gateway sends it on to ${podNames[other]}`);
  arrive(world, request, other);
  request.moved = true;
  request.hopped = false;
}

export function arrive(world: World, request: Request, index: number): void {
  request.pod = index;
  request.phase = 'admitting';
  request.arrived = tick(world.pods[index]!);
}

/** Claim.from: what is done about a record that shows another owner. */
export function owned(scene: Scene, index: number, seen: { epoch: number; uid: string }): void {
  const { world, setting } = scene;
  const pod = world.pods[index]!;
  const adopting = pod.adopting!;
  const request = world.requests[adopting.by]!;
  const wants = pod.draining
    ? request.failedEpoch === seen.epoch
    : request.moved || request.hopped || setting.elsewhere === 'adopt' || request.failedEpoch === seen.epoch;
  if (wants) {
    adopting.stage = 'ask-owner';
    adopting.seen = seen;
    adopting.reclaimed = false;
    return;
  }
  if (request.hopped) {
    sendOn(scene, index, request);
    return;
  }
  elsewhere(scene, index, seen.uid, seen.epoch);
}

/** Admission 'elsewhere': one hop to the owner; where that can't be reached, asked again here. */
function elsewhere(scene: Scene, index: number, uid: string, epoch: number): void {
  const { world, choices } = scene;
  const request = world.requests[world.pods[index]!.adopting!.by]!;
  end(scene, index, 'not-taken');
  const owner = podNames.indexOf(uid);
  if (world.pods[owner]!.gone) {
    request.failedEpoch = epoch;
    return;
  }
  choices.say(() => `  ${podNames[index]} forwards it to ${uid}`);
  arrive(world, request, owner);
  request.hopped = true;
}

function mayForward(request: Request): boolean {
  return !request.hopped && request.failedEpoch === 0;
}

/** HandOff.#answer at the owner, as the asker hears it (rules 19, 20). */
export function ask(scene: Scene, index: number): void {
  const { world, setting, choices } = scene;
  const adopting = world.pods[index]!.adopting!;
  const seen = adopting.seen!;
  const from = podNames.indexOf(seen.uid);
  const owner = world.pods[from]!;
  choices.say(() => `${podNames[index]} asks ${seen.uid} to release epoch ${seen.epoch}`);
  if (owner.gone) {
    hear(scene, index, 'silent');
    return;
  }
  if (owner.releasing > 0) {
    adopting.stage = 'owner-releases';
    return;
  }
  if (owner.state.at === 'owned') {
    if (owner.state.epoch !== seen.epoch && !adopting.reclaimed) {
      hear(scene, index, 'not-mine');
      return;
    }
    if (owner.cut) {
      hear(scene, index, setting.rules.ownerWithoutStore());
      return;
    }
    owner.releasing = owner.state.epoch;
    apply(scene, from, { on: 'release' });
    owner.plannedRelease = world.requests[adopting.by]?.moved === true;
    adopting.stage = 'owner-releases';
    return;
  }
  if (owner.note === undefined || owner.note.epoch > seen.epoch) {
    hear(scene, index, adopting.reclaimed ? 'released' : 'not-mine');
    return;
  }
  if (owner.cut) {
    hear(scene, index, setting.rules.ownerWithoutStore());
    return;
  }
  adopting.reclaimed = true;
  startReclaim(world, from);
}

/** Whether the owner can answer now: HandOff.#answer waits for an adopt that is under way there. */
export function canBeAsked(world: World, index: number): boolean {
  const owner = world.pods[podNames.indexOf(world.pods[index]!.adopting!.seen!.uid)]!;
  return owner.gone || owner.adopting === undefined;
}

/** Claim.from: the answer. */
export function hear(scene: Scene, index: number, answer: 'released' | 'not-mine' | 'silent' | 'kept' | 'busy'): void {
  const { world, choices } = scene;
  const pod = world.pods[index]!;
  const adopting = pod.adopting!;
  const request = world.requests[adopting.by]!;
  const seen = adopting.seen!;
  choices.say(() => `  ${podNames[index]} hears from ${seen.uid}: ${answer}`);
  switch (answer) {
    case 'released':
      adopting.stage = 'begin';
      break;
    case 'not-mine':
    case 'silent':
      adopting.stage = 'force';
      adopting.silent = answer === 'silent';
      break;
    case 'kept':
    case 'busy':
      if (mayForward(request)) {
        elsewhere(scene, index, seen.uid, seen.epoch);
        return;
      }
      end(scene, index, 'not-taken');
      request.phase = 'failed';
  }
}

/** Claim.#force (rule 16). */
export function takeByForce(scene: Scene, index: number): void {
  const { world } = scene;
  const pod = world.pods[index]!;
  const adopting = pod.adopting!;
  const reply = callStore(scene, undefined, index, () => force(scene, index, adopting.seen!));
  if (reply === undefined || reply.kind === 'changed') {
    adopting.stage = 'begin';
    return;
  }
  // Rule 28: what a pod that nobody reaches served without the store is given up.
  if (adopting.silent) forgive(world, podNames.indexOf(adopting.seen!.uid));
  adopting.sentTick = tick(pod);
  taken(scene, index, reply, false);
}

/** What only this pod has is nobody's promise any more. */
export function forgive(world: World, index: number): void {
  let held = 0;
  world.writes.forEach((one, at) => {
    if (one.pod === index && (world.unsynced & (1 << at)) !== 0) held |= 1 << at;
  });
  world.answered &= ~held;
  world.unsynced &= ~held;
  for (const request of world.requests) request.floor &= ~held;
}
