/**
 * The application and its users: what requests do to the session's file, and how clicks come.
 */

import type { Setting } from './scene.ts';
import { removeFile, type Scene } from './scene.ts';
import { bit, emptied, podNames, type Pod, type Request, type World, type Write } from './world.ts';

/** A request can go on in the application: with locked sessions only one at a time has the file. */
export function applicationWaits(world: World, number: number, { locked }: Setting): boolean {
  const request = world.requests[number]!;
  const { lock } = world.pods[request.pod]!;
  return locked && lock >= 0 && lock !== number;
}

/** session_start(), or Laravel's read. */
export function readSession(scene: Scene, number: number): void {
  const { world, setting, choices } = scene;
  const request = world.requests[number]!;
  const pod = world.pods[request.pod]!;
  request.saw = pod.file === emptied ? 0 : pod.file === 0 ? pod.absence : pod.file;
  const what = pod.file === 0 ? 'no session' : `content ${pod.file}`;
  choices.say(() => `request ${number + 1} reads the file at ${podNames[request.pod]}: ${what}`);
  if (request.does === 'logout') {
    logOut(scene, number);
    return;
  }
  if (request.does === 'read') {
    request.phase = 'settling';
    return;
  }
  request.phase = 'read';
  // session_start() makes the file where there is none, and locks it.
  if (setting.locked) pod.lock = number;
}

/** The session's file is written, and the answer is complete. */
export function writeSession(scene: Scene, number: number): void {
  const { world, choices } = scene;
  const request = world.requests[number]!;
  const pod = world.pods[request.pod]!;
  request.made = makeWrite(scene, request, false);
  choices.say(() => `request ${number + 1} writes content ${request.made} at ${podNames[request.pod]}, and answers`);
  if (pod.lock === number) pod.lock = -1;
  if (!request.deadInode) pod.file = request.made;
  request.phase = 'settling';
}

function logOut(scene: Scene, number: number): void {
  const { world, choices } = scene;
  const request = world.requests[number]!;
  const pod = world.pods[request.pod]!;
  request.phase = 'settling';
  if (pod.file === 0) return;
  request.made = makeWrite(scene, request, true);
  removeFile(world, pod);
  pod.absence = request.made;
  choices.say(
    () => `request ${number + 1} logs out at ${podNames[request.pod]}: the file is removed (${request.made})`,
  );
}

/** Ghost: what the write is built on, and what it may overwrite because it ran beside it. */
function makeWrite({ world, setting }: Scene, request: Request, isDeletion: boolean): number {
  const own = world.writes.length + 1;
  const base = baseOf(world, request);
  const beside = setting.locked ? 0 : allWrites(world) & ~request.floor;
  world.writes.push({
    isDeletion,
    ancestors: base.ancestors | bit(own),
    covers: base.covers | beside | bit(own),
    turn: request.turn,
    pod: request.pod,
  });
  return own;
}

function baseOf(world: World, request: Request): Pick<Write, 'ancestors' | 'covers'> {
  const saw = world.writes[request.saw - 1];
  if (saw !== undefined) return saw;
  // A session begun anew after a logout stands on it.
  let covers = 0;
  world.writes.forEach((one, at) => {
    if (one.isDeletion && (request.floor & (1 << at)) !== 0) covers |= one.covers | (1 << at);
  });
  return { ancestors: covers, covers };
}

function allWrites(world: World): number {
  return (1 << world.writes.length) - 1;
}

/** A job writes the file of a session that this pod owns; nobody was answered. */
export function writeOutside({ world, choices }: Scene, index: number): void {
  const pod = world.pods[index]!;
  const saw = world.writes[pod.file - 1]!;
  const own = world.writes.length + 1;
  world.writes.push({
    ...saw,
    ancestors: saw.ancestors | bit(own),
    covers: saw.covers | bit(own),
    turn: world.turn,
    pod: index,
  });
  pod.file = own;
  choices.say(() => `a job at ${podNames[index]} writes content ${own}`);
}

/** The application's garbage collection removes a left-over file. */
export function collectGarbage({ world, choices }: Scene, pod: Pod): void {
  removeFile(world, pod);
  choices.say(() => 'garbage collection removes a file that nobody owns');
}
