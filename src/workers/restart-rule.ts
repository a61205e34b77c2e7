/**
 * When a worker that died is started again: pure functions of how it lived.
 *
 * At once where it had served for a while; else later and later, but never much later, since the connections that the
 * kernel has given to its socket wait for its successor. One that dies again and again before it serves will not get
 * better by itself.
 */

/** The deaths of one worker's place that belong together. */
export interface Deaths {
  /** In a row, each after a short life. */
  readonly soon: number;
  /** In a row, each before it served. */
  readonly atStart: number;
}

export const noDeaths: Deaths = { soon: 0, atStart: 0 };

export type AfterDeath =
  | { readonly kind: 'restart'; readonly deaths: Deaths; readonly afterMs: number }
  | { readonly kind: 'give-up'; readonly times: number };

/** Who served for so long has not died of its start. */
const longLifeMs = 30_000;
const firstDelayMs = 100;
const delayMaxMs = 2000;
export const deathsAtStartMax = 5;

/** @param servedMs how long it served; undefined: it never did */
export function afterDeath(before: Deaths, servedMs: number | undefined): AfterDeath {
  const atStart = servedMs === undefined ? before.atStart + 1 : 0;
  if (atStart >= deathsAtStartMax) return { kind: 'give-up', times: atStart };
  const soon = servedMs !== undefined && servedMs >= longLifeMs ? 0 : before.soon + 1;
  const afterMs = soon === 0 ? 0 : Math.min(firstDelayMs * 2 ** (soon - 1), delayMaxMs);
  return { kind: 'restart', deaths: { soon, atStart }, afterMs };
}
