/**
 * Every step that can be taken in a world: users, applications, keepers, the store's late calls, and faults.
 */

import { admissionWaits, admit, adopt, adoptWaits, giveUp } from './adopting.ts';
import { applicationWaits, readSession, writeSession } from './application.ts';
import { arrive, ask, canBeAsked } from './claiming.ts';
import { confirmTerm, flush, mustWait, settle } from './capturing.ts';
import { faultMoves, type Move } from './faults.ts';
import { finishRelease, isIdle } from './handing-off.ts';
import { apply, arriveLate, type Scene, type Setting } from './scene.ts';
import { isUnderWay, type Operation, podNames, type World } from './world.ts';

/** Requests under way at a time. */
const atOnceMax = 2;

export function movesOf(world: World, setting: Setting): Move[] {
  const moves: Move[] = [];
  const add = (run: (scene: Scene) => void): void => void moves.push({ isFault: false, run });
  clickMoves(world, add);
  world.requests.forEach((_, number) => requestMoves(world, setting, { number, add }));
  world.pods.forEach((pod, index) => {
    if (!pod.gone) podMoves(world, setting, { index, add });
  });
  for (let at = 0; at < world.late.length; at++) {
    add((scene) => {
      const [call] = scene.world.late.splice(at, 1);
      scene.choices.say(() => `the slow call of ${podNames[call!.pod]} arrives`);
      arriveLate(scene, call!);
    });
  }
  moves.push(...faultMoves(world));
  return moves;
}

/** All is done: no request waits, nothing is left to be stored. */
export function isAtRest(world: World): boolean {
  return world.requests.every((request) => {
    if (!isUnderWay(request) || request.does === 'stream') return true;
    // It waits in the application for a stream's lock, as it would without a keeper.
    const lock = world.pods[request.pod]!.lock;
    return request.phase === 'running' && lock >= 0 && world.requests[lock]!.does === 'stream';
  });
}

function clickMoves(world: World, add: (run: (scene: Scene) => void) => void): void {
  const number = world.requests.findIndex(({ phase }) => phase === 'unsent');
  if (number === -1 || world.requests.filter(isUnderWay).length >= atOnceMax) return;
  world.pods.forEach((pod, index) => {
    if (pod.gone) return;
    add((scene) => click(scene, number, index));
  });
}

const words: Readonly<Record<Operation, string>> = {
  read: 'reads',
  add: 'adds',
  logout: 'logs out',
  stream: 'opens a stream',
};

function click({ world, choices }: Scene, number: number, index: number): void {
  const request = world.requests[number]!;
  // A gateway that moves the session says so (rules 1); without one, or without a reason, it does not.
  request.moved = choices.pick(2) === 1;
  request.floor = world.answered;
  arrive(world, request, index);
  choices.say(
    () => `request ${number + 1} (${words[request.does]}) comes to ${podNames[index]}${request.moved ? ', moved' : ''}`,
  );
}

function requestMoves(
  world: World,
  setting: Setting,
  { number, add }: { number: number; add: (run: (scene: Scene) => void) => void },
): void {
  const request = world.requests[number]!;
  const pod = world.pods[request.pod];
  switch (request.phase) {
    case 'admitting':
      if (!admissionWaits(world, number)) add((scene) => admit(scene, number));
      break;
    case 'running':
    case 'read': {
      const { state } = pod!;
      const mayAsk = state.at === 'owned' && !pod!.cut && pod!.confirmed < request.arrived;
      // Keeper.#here: the confirm is sent while the application works.
      if (mayAsk && pod!.confirmed < request.admitted) {
        add((scene) => {
          scene.choices.say(() => `${podNames[request.pod]} asks the store while request ${number + 1} runs`);
          confirmTerm(scene, request.pod);
        });
      }
      if ((request.does === 'stream' && request.phase === 'read') || applicationWaits(world, number, setting)) break;
      add((scene) => (request.phase === 'running' ? readSession(scene, number) : writeSession(scene, number)));
      break;
    }
    case 'settling':
    case 'looked-after':
      settleMoves(world, setting, { number, add });
      break;
    case 'unsent':
    case 'answered':
    case 'failed':
  }
}

function settleMoves(
  world: World,
  setting: Setting,
  { number, add }: { number: number; add: (run: (scene: Scene) => void) => void },
): void {
  const request = world.requests[number]!;
  const { lock } = world.pods[request.pod]!;
  if (mustWait(world, number)) return;
  const isLocked = lock >= 0 && lock !== number;
  if (isLocked && !(world.requests[lock]!.does === 'stream' && setting.rules.lockWaitHasBound())) return;
  add((scene) => {
    scene.choices.say(() => `request ${number + 1} is complete at ${podNames[request.pod]}`);
    settle(scene, number);
  });
}

function podMoves(
  world: World,
  setting: Setting,
  { index, add }: { index: number; add: (run: (scene: Scene) => void) => void },
): void {
  const pod = world.pods[index]!;
  const { adopting, state } = pod;
  const streams = world.requests.some(
    (request) => request.pod === index && request.does === 'stream' && isUnderWay(request),
  );
  if (adopting?.stage === 'ask-owner') {
    if (canBeAsked(world, index)) add((scene) => ask(scene, index));
  } else if (adopting !== undefined) {
    if (!adoptWaits(world, index, setting)) {
      add((scene) => {
        scene.choices.say(() => `${podNames[index]} goes on to take the session (${adopting.stage})`);
        adopt(scene, index);
      });
    } else if (streams && adopting.stage !== 'owner-releases') add((scene) => giveUp(scene, index));
  }
  if (
    pod.releasing > 0 &&
    (isIdle(world, index) || (streams && setting.rules.releaseHasDeadline()) || pod.plannedRelease)
  ) {
    add((scene) => finishRelease(scene, index));
  }
  if (pod.cut) add((scene) => mend(scene, index));
  if (pod.unsynced && !pod.cut && adopting === undefined && pod.releasing === 0) add((scene) => flush(scene, index));
  if (pod.draining && state.at === 'owned' && isIdle(world, index) && pod.releasing === 0 && adopting === undefined) {
    add((scene) => startRelease(scene, index));
  }
}

/** Keeper.#left and Departure: an idle session of a pod that goes away is given up. */
function startRelease(scene: Scene, index: number): void {
  const pod = scene.world.pods[index]!;
  if (pod.state.at !== 'owned') return;
  pod.releasing = pod.state.epoch;
  pod.plannedRelease = true;
  apply(scene, index, { on: 'release' });
}

/** The pod reaches the store again: of an outage all at once. */
function mend({ world, choices }: Scene, index: number): void {
  const all = world.pods.every((pod) => pod.cut || pod.gone);
  choices.say(() => (all ? 'the store is back' : `${podNames[index]} reaches the store again`));
  for (const [at, pod] of world.pods.entries()) if (all || at === index) pod.cut = false;
}
