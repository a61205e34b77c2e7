/**
 * Every deadline and every maximum that can be configured, in base units: milliseconds and bytes.
 *
 * Must not know where the values come from. Names are those of the configuration with the unit added.
 */

export interface Timeouts {
  /** Whole request head, from its first byte (or the connection's start). */
  readonly headMs: number;
  readonly connectMs: number;
  /** Last request byte to response head; adopt, lock and store waits are not counted. */
  readonly responseMs: number;
  /** Longest silence inside a body, either direction. */
  readonly bodyIdleMs: number;
  /** Client connection idle between requests. */
  readonly keepAliveMs: number;
  /** Upstream connections idle for longer are not used again. */
  readonly upstreamIdleMs: number;
  readonly tunnelIdleMs: number;
  readonly drainMs: number;
  readonly drainDelayMs: number;
  /** One store command. */
  readonly storeMs: number;
  /** Longest hold of an answer for the store. */
  readonly syncMs: number;
  readonly handoffMs: number;
  /** Longest wait for a session file's lock. */
  readonly lockMs: number;
  /** Longest wait of a request for the ones of its session before it (`sessions.serialize`). */
  readonly turnMs: number;
  /** A gateway's owner look-up. */
  readonly lookupMs: number;
}

/** 0 means no limit. */
export interface Limits {
  readonly headBytes: number;
  readonly targetBytes: number;
  readonly fields: number;
  readonly bodyBytes: number;
  readonly connections: number;
  /** Exchanges of one session at a time. */
  readonly perSession: number;
  /** Body kept while a head is held. */
  readonly holdBytes: number;
  /** Request body kept for a retry. */
  readonly replayBytes: number;
  /** Adopts in flight. */
  readonly adopts: number;
  /** Sessions remembered while the store is down. */
  readonly unsynced: number;
}
