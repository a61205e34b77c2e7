/**
 * What one round of chaos does, as a pure function of its seed: which application, behind what, and which faults one
 * after another.
 *
 * Must not know how anything of it is done.
 */

import { below, seeded, weighted } from '../support/seeded.ts';
import type { Chance } from '../support/seeded.ts';
import type { ApplicationName } from '../support/applications.ts';
import { faultKind, faultNames } from './faults.ts';
import type { FaultName } from './faults.ts';

export const podCount = 3;
export const gatewayCount = 2;

export interface Step {
  readonly fault: FaultName;
  readonly pod: number;
  readonly gateway: number;
  /** At the same time, at another pod. */
  readonly and?: { readonly fault: FaultName; readonly pod: number };
  /** Time without a fault before it. */
  readonly pauseMs: number;
  readonly forMs: number;
}

export interface Round {
  readonly seed: number;
  readonly application: ApplicationName;
  /** gateways: two of them. service: none, each request goes to the next pod. */
  readonly front: 'gateways' | 'service';
  readonly elsewhere: 'forward' | 'adopt';
  readonly onStoreDown: 'serve' | 'refuse';
  /** Clocks of the pods, ahead of the machine's. */
  readonly skewsMs: readonly number[];
  /** nothing: no acknowledged write may be lost. counted: some may, none may be somebody else's. */
  readonly mayLose: 'nothing' | 'counted';
  readonly steps: readonly Step[];
}

export interface RoundOptions {
  readonly steps: number;
  /** Only these; all by default. */
  readonly faults?: readonly FaultName[];
  /** Instead of what the seed says. */
  readonly application?: ApplicationName;
  readonly front?: Round['front'];
  readonly onStoreDown?: Round['onStoreDown'];
}

/** Between pods; twice as much would be the lifetime after which the applications themselves end a session. */
const hourMs = 3_600_000;
/** Faults last from a moment to longer than two lost probes and a hand-off. */
const forMs = { min: 200, max: 4000 } as const;
const pauseMs = { min: 100, max: 900 } as const;
/** Of the steps without order, so many are two faults at once. */
const doubleShare = 0.2;
/** Of the rounds with `serve`, so many give up the promise and count. */
const countedShare = 0.3;

/** @throws Error where none of the faults fits this round. */
export function planRound(seed: number, options: RoundOptions): Round {
  const chance = seeded(seed);
  const drawn = {
    application: pick(chance, ['plain-php', 'laravel', 'express'] as const),
    front: chance() < 0.7 ? ('gateways' as const) : ('service' as const),
    elsewhere: pick(chance, ['forward', 'forward', 'adopt'] as const),
    onStoreDown: pick(chance, ['serve', 'refuse'] as const),
    isSkewed: chance() < 0.3,
    isCounted: chance() < countedShare,
  };
  const front = options.front ?? drawn.front;
  // A plain Service sends a session's requests to every pod; with `serve` those that do not have it would let them
  // through without it while the store is away, as the documentation says.
  const onStoreDown = front === 'service' ? 'refuse' : (options.onStoreDown ?? drawn.onStoreDown);
  const mayLose = onStoreDown === 'serve' && drawn.isCounted ? 'counted' : 'nothing';
  const application = options.application ?? drawn.application;
  const fitting = (options.faults ?? faultNames).filter((name) => {
    const kind = faultKind(name);
    if (kind.exceptFor === application) return false;
    if (kind.needsGateway === true && front === 'service') return false;
    return onStoreDown === 'refuse' || mayLose === 'counted' || kind.cutsOnePod !== true;
  });
  const isStrictServe = onStoreDown === 'serve' && mayLose === 'nothing';
  return {
    seed,
    application,
    front,
    elsewhere: drawn.elsewhere,
    onStoreDown,
    skewsMs: drawn.isSkewed ? [seed % 2 === 0 ? hourMs : -hourMs, 0, 0] : [0, 0, 0],
    mayLose,
    steps: Array.from({ length: options.steps }, () => planStep(chance, fitting, isStrictServe)),
  };
}

function planStep(chance: Chance, fitting: readonly FaultName[], isStrictServe: boolean): Step {
  // Half of all faults are deaths: they are what happens most.
  const { name: fault } = weighted(
    chance,
    fitting.map((name) => ({ name, weight: 1 + 4 * Math.min(2, faultKind(name).kills) })),
  );
  const step = {
    fault,
    pod: below(chance, podCount),
    gateway: below(chance, gatewayCount),
    pauseMs: between(chance, pauseMs),
    forMs: between(chance, forMs),
  };
  const second = pick(chance, fitting);
  const isDouble = chance() < doubleShare && canBeTwo(fault, second, isStrictServe);
  return isDouble
    ? { ...step, and: { fault: second, pod: (step.pod + 1 + below(chance, podCount - 1)) % podCount } }
    : step;
}

function canBeTwo(first: FaultName, second: FaultName, isStrictServe: boolean): boolean {
  const kinds = [faultKind(first), faultKind(second)];
  if (first === second || kinds.some(({ isOrderly }) => isOrderly === true)) return false;
  const stops = kinds.filter(({ stopsStore }) => stopsStore === true).length;
  // The same store can't be stopped twice; with `serve` a death while it is away loses what is nowhere else.
  return stops < 2 && !(isStrictServe && stops > 0);
}

/** The schedule as lines for people. */
export function describeRound(round: Round): readonly string[] {
  const { seed, application, front, elsewhere, onStoreDown, skewsMs, mayLose } = round;
  const clocks = skewsMs.some((ms) => ms !== 0) ? `, clocks ${skewsMs.map((ms) => `${ms / hourMs} h`).join(' ')}` : '';
  return [
    `seed ${seed}: ${application} behind ${front}, elsewhere ${elsewhere}, onStoreDown ${onStoreDown}${clocks}; may lose ${mayLose}`,
    ...round.steps.map((step, index) => `  ${describeStep(index, step)}`),
  ];
}

export function describeStep(index: number, step: Step): string {
  const and = step.and === undefined ? '' : ` and ${step.and.fault} ${podName(step.and.pod)}`;
  const at = step.fault.endsWith('gateway') ? `gateway-${step.gateway + 1}` : podName(step.pod);
  return `#${index + 1} after ${step.pauseMs} ms: ${step.fault} ${at}${and}, for ${step.forMs} ms`;
}

function podName(index: number): string {
  return `pod-${'abc'[index]!}`;
}

function pick<T>(chance: Chance, from: readonly T[]): T {
  const picked = from[below(chance, from.length)];
  if (picked === undefined) throw new Error('none of these faults fits this round');
  return picked;
}

function between(chance: Chance, range: { readonly min: number; readonly max: number }): number {
  // More short ones than long ones.
  return Math.round(range.min + (range.max - range.min) * chance() ** 2);
}
