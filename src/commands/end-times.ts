/**
 * How a sidecar that got SIGTERM divides its last time (rules 34): what is in flight may end, then the sessions that were busy
 * until now are stored and given back.
 *
 * The first word that the pod ends (the preStop hook, or a gateway's) came when the application was still there, and the pod's
 * grace period is at least `timeouts.drain` longer than the application's own hook: so much is left from then on, unless the
 * application has used it up, whose 2 s more are all that one may count on.
 *
 * Pure. Must not know what is waited for.
 */

/** At the very end, for the sessions; all of the time where the application has used up the rest. */
export const stopBoundMs = 1500;

export interface EndTimes {
  /** For what is in flight. */
  readonly servedMs: number;
  /** Of that, for giving back what is idle: after a word before it is given back already, or the store is away. */
  readonly idleMs: number;
  /** Of that, how long connections are still accepted. */
  readonly acceptedMs: number;
  /** After it, for the sessions that were busy until then. */
  readonly stopMs: number;
}

/** @param heardMs when the last word that the pod ends came, undefined: none did. Monotonic, as `nowMs`. */
export function endTimes(options: {
  readonly heardMs: number | undefined;
  readonly nowMs: number;
  readonly drainMs: number;
  /** Until those that send requests here know that they should not. */
  readonly learnMs: number;
}): EndTimes {
  const { heardMs, nowMs, drainMs, learnMs } = options;
  const wholeMs = heardMs === undefined ? drainMs : Math.max(stopBoundMs, heardMs + drainMs - nowMs);
  const stopMs = Math.min(stopBoundMs, wholeMs / 2);
  const servedMs = wholeMs - stopMs;
  if (heardMs === undefined) return { servedMs, idleMs: servedMs, acceptedMs: Math.min(learnMs, servedMs), stopMs };
  return { servedMs, idleMs: Math.min(servedMs, stopBoundMs / 2), acceptedMs: 0, stopMs };
}
