/**
 * Explores every state that a configuration can reach, breadth first, so that the first way found to a violation is a
 * shortest one. States are known by their key; the way to one is told by walking it again.
 */

import { Choices } from './choices.ts';
import { isAtRest, movesOf } from './moves.ts';
import type { Setting } from './scene.ts';
import { worldKey } from './world-key.ts';
import { copyOf, podNames, type World } from './world.ts';

export interface Exploration {
  readonly states: number;
  readonly violation: string | undefined;
  /** Numbered steps for a person; empty without a violation. */
  readonly trace: readonly string[];
}

interface Steps {
  /** For each state but the first: from which one, by which move, with which answers. */
  readonly from: number[];
  readonly move: number[];
  readonly answers: (readonly number[])[];
}

export interface ExploreOptions {
  readonly initial: World;
  readonly setting: Setting;
  /** More states than this are a mistake in the configuration. */
  readonly statesMax: number;
}

export function explore({ initial, setting, statesMax }: ExploreOptions): Exploration {
  const exact = !setting.rules.epochsAreOrderOnly();
  const known = new Map<string, number>([[worldKey(initial, exact), 0]]);
  const steps: Steps = { from: [-1], move: [-1], answers: [[]] };
  const restless = new Progress();
  let frontier: [number, World][] = [[0, initial]];
  while (frontier.length > 0) {
    const next: [number, World][] = [];
    for (const [state, world] of frontier) {
      if (isAtRest(world)) restless.rests(state);
      const moves = movesOf(world, setting);
      for (const [number, move] of moves.entries()) {
        for (let answers: readonly number[] | undefined = []; answers !== undefined;) {
          const choices: Choices = new Choices(answers);
          const after = copyOf(world);
          move.run({ world: after, choices, setting });
          after.violation ??= oneOwner(after);
          const key = worldKey(after, exact);
          let found = known.get(key);
          if (found === undefined) {
            found = known.size;
            if (found >= statesMax) throw new Error(`more than ${statesMax} states`);
            known.set(key, found);
            steps.from.push(state);
            steps.move.push(number);
            steps.answers.push(answers);
            next.push([found, after]);
          }
          if (after.violation !== undefined) {
            const way: Step[] = [...wayTo(steps, state), { move: number, answers }];
            return { states: known.size, violation: after.violation, trace: tell(initial, setting, way) };
          }
          if (!move.isFault) restless.leads(state, found);
          answers = choices.next();
        }
      }
    }
    frontier = next;
  }
  const stuck = restless.firstStuck(known.size);
  if (stuck === undefined) return { states: known.size, violation: undefined, trace: [] };
  const violation = 'a request waits for ever: without another fault no way leads to its end';
  return { states: known.size, violation, trace: tell(initial, setting, wayTo(steps, stuck)) };
}

/** Invariant: nobody else holds the session in the same epoch. */
function oneOwner({ pods }: World): string | undefined {
  for (const [at, pod] of pods.entries()) {
    if (!('epoch' in pod.state)) continue;
    for (let other = at + 1; other < pods.length; other++) {
      const { state } = pods[other]!;
      if ('epoch' in state && state.epoch === pod.state.epoch)
        return `two owners in one epoch: ${podNames[at]} and ${podNames[other]} in ${state.epoch}`;
    }
  }
  return undefined;
}

/** Which states lead to rest without another fault. */
class Progress {
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  readonly #resting: number[] = [];

  rests(state: number): void {
    this.#resting.push(state);
  }

  leads(from: number, to: number): void {
    this.#from.push(from);
    this.#to.push(to);
  }

  /** The first state from which nothing leads to rest; undefined: there is none. */
  firstStuck(states: number): number | undefined {
    const first = new Int32Array(states + 1);
    for (const to of this.#to) first[to + 1]!++;
    for (let at = 1; at <= states; at++) first[at]! += first[at - 1]!;
    const sources = new Int32Array(this.#to.length);
    const filled = first.slice();
    this.#to.forEach((to, edge) => (sources[filled[to]!++] = this.#from[edge]!));
    const reaches = new Uint8Array(states);
    const queue = [...this.#resting];
    for (const state of queue) reaches[state] = 1;
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      for (let edge = first[at]!; edge < first[at + 1]!; edge++) {
        const source = sources[edge]!;
        if (reaches[source] === 1) continue;
        reaches[source] = 1;
        queue.push(source);
      }
    }
    const stuck = reaches.indexOf(0);
    return stuck === -1 ? undefined : stuck;
  }
}

interface Step {
  readonly move: number;
  readonly answers: readonly number[];
}

function wayTo(steps: Steps, state: number): Step[] {
  const way: Step[] = [];
  for (let at = state; at > 0; at = steps.from[at]!) way.push({ move: steps.move[at]!, answers: steps.answers[at]! });
  return way.reverse();
}

function tell(initial: World, setting: Setting, way: readonly Step[]): string[] {
  const lines = [`at first: ${shownRecord(initial)}`];
  let world = initial;
  way.forEach((step, at) => {
    const choices = new Choices(step.answers, true);
    const after = copyOf(world);
    movesOf(world, setting)[step.move]!.run({ world: after, choices, setting });
    const [what = 'a keeper starts to take the session for a request', ...then] = choices.said;
    lines.push(`${String(at + 1).padStart(2)}. ${what}`, ...then.map((line) => `    ${line.trim()}`));
    if (shownRecord(after) !== shownRecord(world)) lines.push(`    the record is now ${shownRecord(after)}`);
    world = after;
  });
  return lines;
}

function shownRecord({ record, stored }: World): string {
  if (record === undefined) return 'no record';
  const owner = record.owner === undefined ? 'free' : `owned by ${record.owner.uid}`;
  return `${record.tombstone ? 'a tombstone' : `content ${stored}`}, epoch ${record.epoch}, version ${record.version}, ${owner}`;
}
