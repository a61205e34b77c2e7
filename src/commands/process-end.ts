/**
 * How a process of `run` ends: what a failed start says, and with which exit code.
 *
 * Must not know what was started.
 */

import { HoldfastError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../config/config.ts';

/** What closing may take after everything was drained. */
export const closeBoundMs = 2000;

/** The longest time of a graceful end, before everything that is left is closed. */
export function drainBoundMs({ role, timeouts }: Config): number {
  return timeouts.drainMs + (role === 'gateway' ? timeouts.drainDelayMs : 0) + closeBoundMs;
}

/** Logs why it could not be started. @returns the exit code: 1 for what starting again would not mend, else 2. */
export function startFailed(error: unknown, log: Log): number {
  const shown = error instanceof Error ? error : new Error(String(error));
  log.error({ error: shown }, 'could not be started');
  const isConfiguration = error instanceof HoldfastError && error.kind === 'bad-configuration';
  return isConfiguration ? 1 : 2;
}
