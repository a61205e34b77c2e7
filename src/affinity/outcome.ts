/**
 * The affinity outcome of an exchange: one word, the same in the access log, the metric and `holdfast where`.
 */

export const affinityOutcomes = [
  /** No session came with the request, one was made. */
  'new',
  /** Served where the session lives. */
  'hit',
  'moved-gone',
  'moved-draining',
  'moved-unhealthy',
  /** A pin that does not verify, or belongs to another session. */
  'invalid',
  /** A well-formed session id that nobody knows any more. */
  'expired',
  /** The serving pod fetched the session's content before it served. */
  'restored',
  'restore-failed',
  /** No session in the request, none in the answer. */
  'none',
] as const;

export type AffinityOutcome = (typeof affinityOutcomes)[number];
