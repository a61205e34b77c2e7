/**
 * What a single process (a gateway with one worker, a sidecar) takes over from a new configuration while it runs. The
 * list is short on purpose (config/live-keys.ts): everything in it is read where it is used, each time, or held in a ring
 * of keys, so that the next exchange goes by it and those under way end as they began.
 *
 * Must not know how a reload is asked for.
 */

import { HoldfastError } from '../base/errors.ts';
import type { Limits, Timeouts } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { changedKeys } from '../config/changed-keys.ts';
import type { Config } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { liveLimits, liveTimeouts, needsRestart } from '../config/live-keys.ts';
import type { Keys } from '../config/schema.ts';
import type { RunningRole } from './running-role.ts';

/** What a running process is made of, as far as a reload changes it. */
export interface Running {
  readonly config: Config;
  readonly log: Log;
  readonly role: Pick<RunningRole, 'takeOver'>;
}

/**
 * Changes what can be changed in the running configuration, which all parts share, and the role's keys.
 * @returns the other keys that differ from those of the start.
 * @throws HoldfastError 'bad-configuration'; then nothing has changed.
 */
export function applyLive(loaded: LoadedConfig, running: Running & { readonly keysAtStart: Keys }): readonly string[] {
  const { config, keysAtStart } = running;
  const next = loaded.config;
  if (next.role !== config.role) throw new HoldfastError('bad-configuration', 'role: needs a restart');
  checkOverlap(config, next);
  const left = leftKeys({ config, keys: keysAtStart }, loaded);
  takeLive(next, running);
  return left;
}

/** Changes what can be changed. @throws HoldfastError 'bad-configuration'; then nothing has changed. */
export function takeLive(next: Config, { config, log, role }: Running): void {
  role.takeOver(next);
  take(config.session, next.session, ['keys']);
  // There is no ring where there was no key, and one that is there stays.
  if (config.store.keys !== undefined && next.store.keys !== undefined) take(config.store, next.store, ['keys']);
  if (config.role === 'gateway' && next.role === 'gateway') {
    if (config.affinity.pinKeys !== undefined) take(config.affinity, next.affinity, ['pinKeys']);
    if (isListed(config, next)) take(config.pods, next.pods, ['place']);
  }
  take(config.timeouts, next.timeouts, Object.keys(liveTimeouts) as (keyof Timeouts)[]);
  take(config.limits, next.limits, Object.keys(liveLimits) as (keyof Limits)[]);
  log.configure(next.log);
}

type Settings = Pick<LoadedConfig, 'config' | 'keys'>;

/** The keys that differ, and that takeLive() leaves as they are. */
export function leftKeys(before: Settings, after: Settings): readonly string[] {
  return changedKeys(before.keys, after.keys).filter((path) => isLeft(path, before.config, after.config));
}

/**
 * Nobody could open what is there, nor believe anybody else, nor know its sessions and pins: a typing error, or a rotation
 * that left out a step.
 * @throws HoldfastError 'bad-configuration', where a list of keys has none of those in use.
 */
export function checkOverlap(config: Config, next: Config): void {
  mustOverlap('store.key', config.store.keys, next.store.keys);
  mustOverlap('session.keys', config.session.keys, next.session.keys);
  if (config.role !== 'gateway' || next.role !== 'gateway') return;
  const isDerived = config.affinity.pinKeys === config.store.keys;
  const named = isDerived ? 'affinity.pinKey (until now store.key)' : 'affinity.pinKey';
  mustOverlap(named, config.affinity.pinKeys, next.affinity.pinKeys);
}

type KeyList = readonly Buffer[] | undefined;

function mustOverlap(path: string, before: KeyList = [], after: KeyList = []): void {
  if (before.length === 0 || after.length === 0) return;
  if (after.some((key) => before.some((known) => known.equals(key)))) return;
  const words = 'has none of the keys in use; append the new one first, and drop the old one last (docs/operations.md)';
  throw new HoldfastError('bad-configuration', `${path}: ${words}`);
}

function isLeft(path: string, config: Config, next: Config): boolean {
  const before = config.store;
  const after = next.store;
  // It may be written down for the first time, for a rotation, and be what it has been by default.
  if (path === 'store.nameKey' && before.nameKey !== undefined && after.nameKey !== undefined) {
    return !before.nameKey.equals(after.nameKey);
  }
  if (path === 'pods.static') return !isListed(config, next);
  if (path === 'store.key') return before.keys === undefined || after.keys === undefined;
  return needsRestart(path);
}

/** A list takes the place of a list; another source of pods needs another start. */
function isListed(config: Config, next: Config): boolean {
  if (config.role !== 'gateway' || next.role !== 'gateway') return false;
  return config.pods.place.kind === 'static' && next.pods.place.kind === 'static';
}

/** The one place where a setting changes under those who read it; for them it stays read-only. */
function take<T extends object>(running: T, next: T, names: readonly (keyof T)[]): void {
  Object.assign(running, Object.fromEntries(names.map((name) => [name, next[name]])));
}
