/**
 * Which keys a running process takes over from a changed configuration. docs/configuration.md says it of each.
 *
 * A process that is everything itself (a gateway with one worker, a sidecar) takes what is read where it is used, each
 * time, and keys that are held in rings (base/keyring.ts). A gateway with several workers replaces them, so that it takes
 * all but what its parent has.
 *
 * Must not know how they are taken over (commands/live-settings.ts).
 */

import type { Limits, Timeouts } from '../base/limits.ts';

export const liveTimeouts = {
  headMs: 'timeouts.head',
  responseMs: 'timeouts.response',
  bodyIdleMs: 'timeouts.bodyIdle',
  keepAliveMs: 'timeouts.keepAlive',
  tunnelIdleMs: 'timeouts.tunnelIdle',
  drainMs: 'timeouts.drain',
  drainDelayMs: 'timeouts.drainDelay',
} as const satisfies Partial<Record<keyof Timeouts, string>>;

export const liveLimits = {
  connections: 'limits.connections',
  bodyBytes: 'limits.bodyBytes',
} as const satisfies Partial<Record<keyof Limits, string>>;

/** Taken over by every process. */
const liveKeys: ReadonlySet<string> = new Set([
  'session.keys',
  'store.key',
  'affinity.pinKey',
  'pods.static',
  'log.level',
  'log.access',
  'log.query',
  ...Object.values(liveTimeouts),
  ...Object.values(liveLimits),
]);

/** What only the parent of several workers has. `workers` itself may rise. */
const parentKeys: ReadonlySet<string> = new Set(['role', 'admin', 'adminToken', 'probes']);

/** A change of this key needs another start of a process that is everything itself. */
export function needsRestart(path: string): boolean {
  return !liveKeys.has(path);
}

/** A change of this key needs another start even of a gateway with several workers. */
export function needsRestartOfAll(path: string): boolean {
  return parentKeys.has(path);
}
