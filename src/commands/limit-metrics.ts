/**
 * How full each population is that has a maximum: one gauge of its use and one of the maximum, by the limit's name. What
 * a full one refused is counted where it is refused.
 *
 * Must not know who keeps to the limits.
 */

import type { Metrics } from '../base/metrics.ts';

export interface LimitUse {
  /** The key in the configuration, or a name of its own where it has none. */
  readonly limit: string;
  readonly use: number;
  /** 0: none. */
  readonly max: number;
}

/** `read` is called when the page is asked for; it must not throw. */
export function countLimits(metrics: Metrics, read: () => readonly LimitUse[]): void {
  const use = 'How much of a limit is used now (perSession: by the session that uses most).';
  // Each worker keeps to this one by itself.
  const largest = ['perSession'];
  metrics.gauge({ name: 'limit_use', help: use, labels: ['limit'], largest }, () =>
    read().map((each) => [[each.limit], each.use]),
  );
  metrics.gauge({ name: 'limit_maximum', help: 'The limit; 0: none.', labels: ['limit'], largest }, () =>
    read().map((each) => [[each.limit], each.max]),
  );
}

/** @param refused retries that were not made because the budget had no room (proxy/retry.ts). */
export function countRetries(metrics: Metrics, refused: () => number): void {
  metrics.countRead({ name: 'retries_refused_total', help: 'Retries not made: too many are under way.' }, refused);
}
