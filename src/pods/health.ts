/**
 * What is known about one pod's health, and the state that follows: active probes, refused connections, its own
 * word that it drains. A pure state machine: events in, a new value out; time is an argument.
 *
 * Refusals eject a pod at once (it is probably dead, and the next probe may be seconds away), for a time that
 * doubles from one ejection to the next. After it the pod is tried again; one more refusal ejects it for longer, a
 * connection or a passed probe forgets everything.
 *
 * Only what no client can cause counts: connections that were refused or not made in time. A connection that ends
 * under a request does not, nor does any status: one request that kills the worker which serves it, sent to each pod
 * in turn, would eject them all (rules 3). A process that is really gone refuses the next connection.
 *
 * Must not know how pods are asked, nor what sessions they have.
 */

import type { PodVerdict } from './pod.ts';

export interface HealthRules {
  /** Failed probes in a row that make a pod unhealthy; refused connections in a row that eject it. */
  readonly fails: number;
  /** Passed probes in a row that make it healthy again. */
  readonly passes: number;
}

export interface PodHealth {
  readonly probes: 'passing' | 'failing';
  /** Probes in a row that spoke against `probes`. */
  readonly doubts: number;
  /** What the last failed probe said. */
  readonly probeWhy: string;
  /** Probes in a row to which nobody said a word. */
  readonly silences: number;
  readonly refusals: number;
  readonly ejections: number;
  /** Monotonic; 0: not ejected. */
  readonly ejectedUntilMs: number;
  /** The pod's own word that it is going away; undefined: it has not said so. */
  readonly drainingWhy: string | undefined;
}

export type HealthEvent =
  | { readonly kind: 'probe-passed' }
  /** `silent`: not even the pod's sidecar answered, nor did a kernel refuse. */
  | { readonly kind: 'probe-failed'; readonly why: string; readonly silent?: boolean }
  | { readonly kind: 'connected' }
  /** A connection was refused or not made in time. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'draining'; readonly why: string }
  | { readonly kind: 'not-draining' };

const ejectionMs = 1000;
const ejectionMaxMs = 30_000;

export const newHealth: PodHealth = {
  probes: 'passing',
  doubts: 0,
  probeWhy: '',
  silences: 0,
  refusals: 0,
  ejections: 0,
  ejectedUntilMs: 0,
  drainingWhy: undefined,
};

/** The health after an event; the same value where nothing changed. `nowMs`: monotonic. */
export function afterEvent(
  health: PodHealth,
  event: HealthEvent,
  { rules, nowMs }: { readonly rules: HealthRules; readonly nowMs: number },
): PodHealth {
  switch (event.kind) {
    case 'probe-passed':
      return passed(connected(health), rules);
    case 'probe-failed':
      return failed(health, event, rules);
    case 'connected':
      return connected(health);
    case 'refused':
      return refused(health, rules, nowMs);
    case 'draining':
      return health.drainingWhy === event.why ? health : { ...health, drainingWhy: event.why };
    case 'not-draining':
      return health.drainingWhy === undefined ? health : { ...health, drainingWhy: undefined };
  }
}

/** Frozen or cut off, and not only slow: as many probes in a row as make it unhealthy brought no word of its sidecar. */
export function isSilent({ silences }: PodHealth, { fails }: HealthRules): boolean {
  return silences >= fails;
}

/** The state that follows. A draining pod is draining, healthy or not: its sessions leave it either way. */
export function verdictOf(health: PodHealth, nowMs: number): PodVerdict {
  if (health.drainingWhy !== undefined) return { state: 'draining', why: health.drainingWhy };
  if (health.probes === 'failing') return { state: 'unhealthy', why: `probe failed: ${health.probeWhy}` };
  if (health.ejectedUntilMs > nowMs) {
    return { state: 'unhealthy', why: `${health.refusals} connections were refused or not made in time` };
  }
  if (health.ejections > 0) return { state: 'ready', why: 'tried again after it refused connections' };
  return { state: 'ready', why: 'healthy' };
}

function passed(health: PodHealth, { passes }: HealthRules): PodHealth {
  if (health.probes === 'passing') return health.doubts === 0 ? health : { ...health, doubts: 0, silences: 0 };
  const doubts = health.doubts + 1;
  const heard = { ...health, silences: 0 };
  return doubts >= passes ? { ...heard, probes: 'passing', doubts: 0, probeWhy: '' } : { ...heard, doubts };
}

function failed(
  health: PodHealth,
  { why, silent }: Extract<HealthEvent, { kind: 'probe-failed' }>,
  { fails }: HealthRules,
): PodHealth {
  const asked = { ...health, probeWhy: why, silences: silent === true ? health.silences + 1 : 0 };
  if (health.probes === 'failing') return { ...asked, doubts: 0 };
  const doubts = health.doubts + 1;
  return doubts >= fails ? { ...asked, probes: 'failing', doubts: 0 } : { ...asked, doubts };
}

function connected(health: PodHealth): PodHealth {
  if (health.refusals === 0 && health.ejections === 0) return health;
  return { ...health, refusals: 0, ejections: 0, ejectedUntilMs: 0 };
}

function refused(health: PodHealth, { fails }: HealthRules, nowMs: number): PodHealth {
  // Connections that were under way when it was ejected say nothing new.
  if (health.ejectedUntilMs > nowMs) return health;
  const refusals = health.refusals + 1;
  if (refusals < fails && health.ejections === 0) return { ...health, refusals };
  const forMs = Math.min(ejectionMs * 2 ** Math.min(health.ejections, 10), ejectionMaxMs);
  return { ...health, refusals, ejections: health.ejections + 1, ejectedUntilMs: nowMs + forMs };
}
