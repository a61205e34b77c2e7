/**
 * What a step of the model works with: its own copy of the world, the choices of fate, the rules; and the few things
 * that all steps do: change a session's state as the keeper does, call the store, blame.
 */

import type { Ownership, OwnershipEvent } from '../../src/sessions/ownership.ts';
import type { Choices } from './choices.ts';
import type { Rules } from './modelled-rules.ts';
import { bit, type Fault, faults, isRunning, owners, type LateCall, type Pod, podNames, type World } from './world.ts';
import type { PutContent } from '../../src/store/contract.ts';

export interface Setting {
  readonly rules: Rules;
  /** PHP's own sessions: the file is locked from the read to the write. Else (Laravel) only while it is written. */
  readonly locked: boolean;
  readonly elsewhere: 'forward' | 'adopt';
  readonly onStoreDown: 'serve' | 'refuse';
}

export interface Scene {
  readonly world: World;
  readonly choices: Choices;
  readonly setting: Setting;
}

/** Far beyond every clock of a model; lives end by the step that says so. */
export const ttlMs = 1e9;

const contents: readonly PutContent[] = Array.from({ length: 16 }, (_, write) => ({
  version: 0,
  bytes: Buffer.from([write]),
  mtimeMs: 0,
}));

export function bytesOf(write: number): Buffer {
  return contents[write]!.bytes;
}

/** KeeperContext.apply: the next state, and its effects on note and file. */
export function apply({ world, setting, choices }: Scene, index: number, event: OwnershipEvent): void {
  const pod = world.pods[index]!;
  const before: Ownership = pod.state;
  const { state, effects } = setting.rules.step(before, event);
  pod.state = state;
  for (const effect of effects) {
    choices.say(() => `${podNames[index]} ${effect.do.replaceAll('-', 's its ').replace('writes', 'writes')}`);
    switch (effect.do) {
      case 'write-note':
        pod.note = { epoch: effect.epoch, confirmedAtMs: 0 };
        break;
      case 'remove-note':
        pod.note = undefined;
        break;
      case 'remove-file':
        removeFile(world, pod);
    }
  }
}

/** The file is unlinked; whoever holds it open goes on with an inode that has no name any more. */
export function removeFile(world: World, pod: Pod): void {
  if (pod.lock >= 0) world.requests[pod.lock]!.deadInode = true;
  pod.lock = -1;
  pod.file = 0;
  pod.absence = 0;
}

export function tick(pod: Pod): number {
  return ++pod.tick;
}

export function may(world: World, fault: Fault): boolean {
  return world.left[faults.indexOf(fault)]! > 0;
}

export function use(world: World, fault: Fault): void {
  world.left[faults.indexOf(fault)]!--;
}

export function blame(world: World, what: string): void {
  world.violation ??= what;
}

/** A call's reply; undefined: none came, because the pod is cut off, the reply was lost, or the call is late. */
export function callStore<Reply>(
  scene: Scene,
  call: LateCall | undefined,
  index: number,
  run: () => Reply,
): Reply | undefined {
  const { world, choices } = scene;
  if (world.pods[index]!.cut) return undefined;
  const fates = ['answered'];
  if (may(world, 'lostReply')) fates.push('lost');
  if (call !== undefined && may(world, 'slowCall')) fates.push('slow');
  const fate = fates[choices.pick(fates.length)];
  if (fate === 'slow') {
    use(world, 'slowCall');
    world.late.push(call!);
    choices.say(() => '  (no reply; the call is still on its way)');
    return undefined;
  }
  const reply = run();
  if (fate === 'answered') return reply;
  use(world, 'lostReply');
  choices.say(() => '  (the reply is lost)');
  return undefined;
}

/** `take`; protocol rule 1. */
export function take(
  { world, setting, choices }: Scene,
  index: number,
): ReturnType<typeof setting.rules.take>['reply'] {
  const { reply, record } = setting.rules.take(world.record, { me: owners[index]!, ttlMs, nowUs: world.clock + 1 });
  world.record = record;
  choices.say(
    () => `  store: take by ${podNames[index]}: ${reply.kind}${'epoch' in reply ? `, epoch ${reply.epoch}` : ''}`,
  );
  if (reply.kind === 'taken') newTerm(world, index, reply.epoch);
  return reply;
}

export function force(
  { world, setting, choices }: Scene,
  index: number,
  seen: { epoch: number; uid: string },
): ReturnType<typeof setting.rules.force>['reply'] {
  const { reply, record } = setting.rules.force(world.record, {
    me: owners[index]!,
    seen,
    ttlMs,
    nowUs: world.clock + 1,
  });
  world.record = record;
  choices.say(() => `  store: force by ${podNames[index]} from ${seen.uid}, epoch ${seen.epoch}: ${reply.kind}`);
  if (reply.kind === 'taken') newTerm(world, index, reply.epoch);
  return reply;
}

export function write(
  { world, setting, choices }: Scene,
  index: number,
  call: { readonly epoch: number | undefined; readonly version: number; readonly write: number },
): { readonly kind: 'stored' | 'created' | 'refused'; readonly epoch: number } {
  const { epoch, version } = call;
  const content = { ...contents[call.write]!, version };
  const by = { me: owners[index]!, content, ttlMs, nowUs: world.clock + 1 };
  const before = world.record;
  const { reply, record } =
    epoch === undefined ? setting.rules.create(before, by) : setting.rules.put(before, { ...by, epoch });
  world.record = record;
  const what = epoch === undefined ? 'create' : `put, epoch ${epoch}`;
  choices.say(() => `  store: ${what}, version ${version}, content ${call.write} by ${podNames[index]}: ${reply.kind}`);
  const now = reply.kind === 'created' ? reply.epoch : (epoch ?? 0);
  const isNew = record?.content !== before?.content || record?.epoch !== before?.epoch;
  if (reply.kind === 'refused') return { kind: 'refused', epoch: now };
  if (isNew) contentStored(world, index, call.write);
  newTerm(world, index, now);
  return { kind: reply.kind, epoch: now };
}

/** Invariant: what an exchange wrote is stored only if no other pod owned the session since it was let in. */
function contentStored(world: World, index: number, stored: number): void {
  const ghost = world.writes[stored - 1];
  if (stored === world.stored) return;
  if (ghost !== undefined && ghost.pod !== -1 && (ghost.pod !== index || ghost.turn !== world.turn)) {
    blame(
      world,
      `an old owner's write won: content ${stored}, of a time before another pod owned the session, was stored`,
    );
  }
  world.stored = stored;
  if (ghost !== undefined) world.unsynced &= ~ghost.ancestors;
}

export function bury(
  { world, setting, choices }: Scene,
  index: number,
  by: { epoch: number; write: number },
): 'stored' | 'refused' {
  const term = { epoch: by.epoch, uid: podNames[index]! };
  const before = world.record;
  const { reply, record } = setting.rules.bury(before, { term, ttlMs, nowUs: world.clock + 1 });
  world.record = record;
  choices.say(() => `  store: bury by ${podNames[index]}, epoch ${by.epoch}: ${reply.kind}`);
  if (reply.kind === 'stored' && record !== before) {
    world.clock = Math.max(world.clock, record?.epoch ?? 0);
    world.stored = by.write;
    world.tombstones |= bit(by.write);
    const ghost = world.writes[by.write - 1];
    if (ghost !== undefined) world.unsynced &= ~ghost.ancestors;
  }
  return reply.kind;
}

export function release({ world, setting, choices }: Scene, index: number, epoch: number): 'stored' | 'refused' {
  const term = { epoch, uid: podNames[index]! };
  const { reply, record } = setting.rules.release(world.record, { term, nowUs: world.clock + 1 });
  world.record = record;
  choices.say(() => `  store: release by ${podNames[index]}, epoch ${epoch}: ${reply.kind}`);
  return reply.kind;
}

export function confirm(
  { world, setting, choices }: Scene,
  index: number,
  epoch: number,
): 'stored' | 'refused' | 'absent' {
  const term = { epoch, uid: podNames[index]! };
  const { reply, record } = setting.rules.confirm(world.record, { term, ttlMs: undefined, nowUs: world.clock + 1 });
  world.record = record;
  const answer = reply.kind === 'refused' && reply.absent === true ? 'absent' : reply.kind;
  choices.say(() => `  store: confirm by ${podNames[index]}, epoch ${epoch}: ${answer}`);
  return answer;
}

/** A call that was slow arrives after all; nobody waits for its reply any more. */
export function arriveLate(scene: Scene, call: LateCall): void {
  switch (call.kind) {
    case 'take':
      take(scene, call.pod);
      break;
    case 'put':
    case 'create':
      write(scene, call.pod, { ...call, epoch: call.kind === 'put' ? call.epoch : undefined });
      break;
    case 'bury':
      bury(scene, call.pod, call);
      break;
    case 'release':
      release(scene, call.pod, call.epoch);
  }
}

function newTerm(world: World, index: number, epoch: number): void {
  world.clock = Math.max(world.clock, epoch);
  if (world.lastOwner === index) return;
  // What was begun here before anyone had the session joins the term that it creates (rule 4).
  const joins = world.lastOwner === -1 ? world.turn : -1;
  world.turn++;
  world.lastOwner = index;
  if (joins === -1) return;
  for (const request of world.requests) {
    if (request.pod === index && request.turn === joins && isRunning(request)) request.turn = world.turn;
  }
  world.writes = world.writes.map((one) =>
    one.pod === index && one.turn === joins ? { ...one, turn: world.turn } : one,
  );
}
