/**
 * Giving a session up: the model's mirror of hand-off.ts, from the moment the state is 'releasing', and of a drain.
 */

import { capture } from './capturing.ts';
import { hear } from './claiming.ts';
import { apply, callStore, release, type Scene } from './scene.ts';
import { inFlight, podNames, type World } from './world.ts';

/** Whether the release can go on: nothing runs here any more. */
export function isIdle(world: World, index: number): boolean {
  return inFlight(world, index) === 0;
}

/** HandOff.#run: the last capture, then the release; without waiting any longer for what runs here. */
export function finishRelease(scene: Scene, index: number): void {
  const { world, choices, setting } = scene;
  const pod = world.pods[index]!;
  const idle = isIdle(world, index);
  choices.say(() => `${podNames[index]} gives the session up${idle ? '' : ', though an exchange is still under way'}`);
  if (!idle && pod.plannedRelease) {
    finish(scene, index, 'busy');
    return;
  }
  const epoch = pod.releasing;
  // Refused meanwhile, it has nothing to store, and the release says what the store knows.
  const captured = capture(scene, index, { issued: false, died: false });
  if (captured.kind === 'unsynced') {
    finish(scene, index, 'kept');
    return;
  }
  if (pod.note?.buried === true && setting.rules.releaseSparesNotedLogout()) {
    finish(scene, index, 'kept');
    return;
  }
  const late = { kind: 'release', pod: index, epoch, write: 0 } as const;
  const reply = callStore(scene, late, index, () => release(scene, index, epoch));
  if (reply === undefined) {
    finish(scene, index, 'kept');
    return;
  }
  apply(scene, index, reply === 'stored' ? { on: 'released', epoch } : { on: 'refused', epoch });
  finish(scene, index, 'released');
}

function finish(scene: Scene, index: number, how: 'released' | 'kept' | 'busy'): void {
  const { world } = scene;
  const pod = world.pods[index]!;
  pod.releasing = 0;
  pod.plannedRelease = false;
  if (how !== 'released') apply(scene, index, { on: 'release-failed' });
  tellAskers(scene, index, how);
}

/** Who waits for this release hears its end. */
export function tellAskers(scene: Scene, index: number, how: 'released' | 'kept' | 'busy' | 'silent'): void {
  scene.world.pods.forEach((asker, at) => {
    const { adopting } = asker;
    if (adopting?.stage === 'owner-releases' && adopting.seen?.uid === podNames[index]) hear(scene, at, how);
  });
}
