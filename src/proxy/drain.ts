/**
 * The graceful end of a proxy (rules 36): goes on accepting for a while, since those who send requests here hear late
 * that they should not; then takes no more connections, waits for what is in flight, and closes the rest.
 *
 * Must not know sockets or why the process stops.
 */

import { type Clock, delay } from '../base/clock.ts';

export interface DrainSteps {
  /** Answers bear `Connection: close` from now on. */
  readonly announce: () => void;
  /** No connection is taken any more. */
  readonly closeListeners: () => void;
  /** Closes connections that are between requests. */
  readonly closeIdle: () => void;
  /** No exchange and no tunnel is left. */
  readonly isOver: () => boolean;
  /** No connection is left. */
  readonly isEmpty: () => boolean;
  /** Closes what is left, tunnels too. */
  readonly closeAll: () => void;
}

export interface DrainOptions {
  readonly clock: Clock;
  /** How long connections are still accepted. */
  readonly delayMs: number;
  /**
   * How long connections between requests may stay after that, since the client of one may be sending at this moment;
   * with its next answer it hears `Connection: close`. Part of `boundMs`.
   */
  readonly idleMs: number;
  /** How long exchanges in flight may take after that. */
  readonly boundMs: number;
  readonly steps: DrainSteps;
}

/** How often it is looked whether everything is over. */
const lookMs = 20;

/** Resolves when everything is over, after `delayMs + boundMs` at the latest. Never rejects. */
export async function drain(options: DrainOptions): Promise<void> {
  const { clock, delayMs, idleMs, boundMs, steps } = options;
  steps.announce();
  if (delayMs > 0) await delay(clock, delayMs);
  steps.closeListeners();
  const closedMs = clock.monotonicMs();
  const endMs = closedMs + boundMs;
  for (;;) {
    const nowMs = clock.monotonicMs();
    const waitsForIdle = nowMs < closedMs + idleMs && !steps.isEmpty();
    // Again and again: an exchange that ends now may leave its connection idle.
    if (!waitsForIdle) steps.closeIdle();
    if ((steps.isOver() && !waitsForIdle) || nowMs >= endMs) break;
    await delay(clock, lookMs);
  }
  steps.closeAll();
}
