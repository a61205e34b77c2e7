/**
 * What a single process (a gateway with one worker, a sidecar) takes over from a new configuration while it runs. The
 * list is short on purpose: everything here is read where it is used, each time, so that the next exchange goes by it.
 *
 * Must not know how a reload is asked for.
 */

import type { Limits, Timeouts } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { changedKeys } from '../config/changed-keys.ts';
import type { Config } from '../config/config.ts';
import type { Keys } from '../config/schema.ts';
import type { LoadedConfig } from '../config/load.ts';

const liveTimeouts = {
  headMs: 'timeouts.head',
  responseMs: 'timeouts.response',
  bodyIdleMs: 'timeouts.bodyIdle',
  keepAliveMs: 'timeouts.keepAlive',
  tunnelIdleMs: 'timeouts.tunnelIdle',
  drainMs: 'timeouts.drain',
  drainDelayMs: 'timeouts.drainDelay',
} as const satisfies Partial<Record<keyof Timeouts, string>>;

const liveLimits = {
  connections: 'limits.connections',
  bodyBytes: 'limits.bodyBytes',
} as const satisfies Partial<Record<keyof Limits, string>>;

/** The keys that a reload of a single process changes at once. */
export const liveKeys: readonly string[] = [
  'log.level',
  'log.access',
  'log.query',
  ...Object.values(liveTimeouts),
  ...Object.values(liveLimits),
];

/**
 * Changes what can be changed in the running configuration, which all parts share.
 * @returns the other keys that differ from those of the start.
 */
export function applyLive(
  loaded: LoadedConfig,
  running: { readonly config: Config; readonly keysAtStart: Keys; readonly log: Log },
): readonly string[] {
  const { config, keysAtStart, log } = running;
  take(config.timeouts, loaded.config.timeouts, Object.keys(liveTimeouts) as (keyof Timeouts)[]);
  take(config.limits, loaded.config.limits, Object.keys(liveLimits) as (keyof Limits)[]);
  log.configure(loaded.config.log);
  return changedKeys(keysAtStart, loaded.keys).filter((path) => !liveKeys.includes(path));
}

/** The one place where a setting changes under those who read it; for them it stays read-only. */
function take<T extends object>(running: T, next: T, names: readonly (keyof T)[]): void {
  Object.assign(running, Object.fromEntries(names.map((name) => [name, next[name]])));
}
