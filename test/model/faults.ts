/**
 * What goes wrong, each as one step. A configuration says which, and how often at most.
 */

import type { Choices } from './choices.ts';
import { collectGarbage, writeOutside } from './application.ts';
import { giveUp } from './adopting.ts';
import { forgive, hear } from './claiming.ts';
import { finishRelease, isIdle, tellAskers } from './handing-off.ts';
import { may, removeFile, type Scene, use } from './scene.ts';
import { elsewhere } from '../../src/sessions/ownership.ts';
import { emptied, type Fault, isRunning, isUnderWay, type Pod, podNames, type World } from './world.ts';

export interface Move {
  /** Not a fault: with it the system has to come to rest. */
  readonly isFault: boolean;
  readonly run: (scene: Scene) => void;
}

export function faultMoves(world: World): Move[] {
  const moves: Move[] = [];
  const fault = (kind: Fault, run: (scene: Scene) => void): void => {
    moves.push({
      isFault: true,
      run: (scene) => {
        use(scene.world, kind);
        run(scene);
      },
    });
  };
  world.pods.forEach((pod, index) => {
    if (pod.gone) return;
    podFaults(world, { index, fault });
    const { adopting } = pod;
    if (
      adopting !== undefined &&
      may(world, 'peerCut') &&
      (adopting.stage === 'ask-owner' || adopting.stage === 'owner-releases')
    ) {
      fault('peerCut', (scene) => {
        say(scene.choices, `${podNames[index]} hears nothing from ${adopting.seen!.uid} (cut, or frozen)`);
        hear(scene, index, 'silent');
      });
    }
    if (may(world, 'deadline')) {
      if (adopting !== undefined && adopting.by < world.requests.length) {
        fault('deadline', (scene) => {
          say(scene.choices, `${podNames[index]} has waited long enough`);
          giveUp(scene, index);
        });
      }
      if (pod.releasing > 0 && !isIdle(world, index)) fault('deadline', (scene) => finishRelease(scene, index));
    }
  });
  storeFaults(world, fault);
  return moves;
}

function podFaults(
  world: World,
  { index, fault }: { index: number; fault: (kind: Fault, run: (scene: Scene) => void) => void },
): void {
  const pod = world.pods[index]!;
  const others = world.pods.some((other, at) => at !== index && !other.gone);
  if (may(world, 'keeperDies')) fault('keeperDies', (scene) => restartKeeper(scene, index));
  if (may(world, 'podDies') && others) fault('podDies', (scene) => losePod(scene, index));
  if (may(world, 'cutFromStore') && !pod.cut) {
    fault('cutFromStore', (scene) => {
      scene.world.pods[index]!.cut = true;
      say(scene.choices, `${podNames[index]} can't reach the store any more`);
    });
  }
  const running = world.requests.some(
    (request) => request.pod === index && (request.phase === 'running' || request.phase === 'read'),
  );
  if (may(world, 'applicationDies') && running) fault('applicationDies', (scene) => killApplication(scene, index));
  const { state } = pod;
  if (may(world, 'outsideWrite') && state.at === 'owned' && pod.file > 0 && pod.file !== emptied && pod.lock < 0) {
    fault('outsideWrite', (scene) => writeOutside(scene, index));
  }
  if (may(world, 'garbage') && pod.file > 0 && state.at === 'elsewhere' && !isCurrent(pod, world) && pod.lock < 0) {
    fault('garbage', (scene) => collectGarbage(scene, scene.world.pods[index]!));
  }
  if (may(world, 'drain') && others && !world.pods.some((other) => other.draining)) {
    fault('drain', (scene) => {
      scene.world.pods[index]!.draining = true;
      say(scene.choices, `${podNames[index]} starts to drain`);
    });
  }
}

function storeFaults(world: World, fault: (kind: Fault, run: (scene: Scene) => void) => void): void {
  if (may(world, 'outage') && world.pods.every((pod) => !pod.cut)) {
    fault('outage', (scene) => {
      for (const pod of scene.world.pods) pod.cut = true;
      say(scene.choices, 'the store is down');
    });
  }
  if (may(world, 'storeLoses')) {
    fault('storeLoses', (scene) => {
      const { world: after, choices } = scene;
      const goesBack = after.older.record !== undefined && choices.pick(2) === 1;
      after.record = goesBack ? after.older.record : undefined;
      after.stored = goesBack ? after.older.stored : 0;
      forget(after, 0);
      for (const request of after.requests) if (isUnderWay(request)) request.unchecked = true;
      say(choices, `the store restarts ${goesBack ? 'with older data' : 'without its data'}`);
    });
  }
  if (may(world, 'lifetimePasses') && !world.requests.some(isUnderWay) && world.late.length === 0) {
    fault('lifetimePasses', (scene) => passLifetime(scene));
  }
}

/** The sidecar ends and comes back: its memory is gone; what ran through it gets no answer and writes nothing. */
function restartKeeper(scene: Scene, index: number): void {
  const { world, choices } = scene;
  const pod = world.pods[index]!;
  say(choices, `the keeper of ${podNames[index]} dies and comes back`);
  endRequests(world, index);
  pod.state = elsewhere;
  pod.adopting = undefined;
  pod.releasing = 0;
  pod.plannedRelease = false;
  pod.lock = -1;
  pod.tick = 0;
  pod.confirmed = 0;
  pod.buried = 0;
  pod.lapsed = false;
  pod.unsynced = pod.note?.buried === true;
  tellAskers(scene, index, 'silent');
}

function losePod(scene: Scene, index: number): void {
  const { world, choices } = scene;
  restartKeeper(scene, index);
  say(choices, `and with it the pod and its files are gone`);
  const pod = world.pods[index]!;
  pod.gone = true;
  pod.note = undefined;
  pod.unsynced = false;
  removeFile(world, pod);
  forgive(world, index);
}

function endRequests(world: World, index: number): void {
  for (const request of world.requests) {
    if (request.pod === index && (request.phase === 'admitting' || isRunning(request))) request.phase = 'failed';
  }
}

/** Every request in the application ends without an answer; one that was writing may leave zero bytes (rule 17). */
function killApplication({ world, choices }: Scene, index: number): void {
  const pod = world.pods[index]!;
  say(choices, `the application of ${podNames[index]} is killed`);
  const writing = world.requests.some((request) => request.pod === index && request.phase === 'read');
  for (const request of world.requests) {
    if (request.pod !== index || (request.phase !== 'running' && request.phase !== 'read')) continue;
    request.phase = 'looked-after';
    request.died = true;
  }
  pod.lock = -1;
  if (!writing || pod.file === 0 || choices.pick(2) === 0) return;
  pod.file = emptied;
  say(choices, `  and leaves a file of zero bytes`);
}

/** Rules 5 and 15: records and tombstones end, notes are old, nothing was answered lately. */
function passLifetime({ world, choices }: Scene): void {
  say(choices, 'a lifetime passes without a request');
  world.record = undefined;
  world.stored = 0;
  world.older = { record: undefined, stored: 0 };
  for (const pod of world.pods) {
    if (pod.note !== undefined) pod.note = { ...pod.note, confirmedAtMs: -1000 };
    if (pod.state.at === 'owned') pod.lapsed = true;
    pod.unsynced = false;
  }
  let deletions = 0;
  world.writes.forEach((one, at) => (deletions |= one.isDeletion ? 1 << at : 0));
  forget(world, deletions);
}

/** Nobody expects any of this any more, but for `kept`. */
function forget(world: World, kept: number): void {
  world.lastOwner = -1;
  // No record tells any more who had the session.
  world.writes = world.writes.map((one) => ({ ...one, turn: world.turn, pod: -1 }));
  for (const request of world.requests) request.turn = world.turn;
  world.answered &= kept;
  world.tombstones &= kept;
  world.unsynced = 0;
  for (const request of world.requests) request.floor &= kept;
}

/** The pod's note is of the record's term, or of an earlier one of its owner's unbroken run: a missing file is a deletion. */
function isCurrent({ note }: Pod, { record }: World): boolean {
  if (note === undefined || record === undefined) return note === record;
  return note.epoch === record.epoch || (record.sinceEpoch <= note.epoch && note.epoch < record.epoch);
}

function say(choices: Choices, what: string): void {
  choices.say(() => what);
}
