/**
 * May this exchange be tried again, and where? A pure function of what happened, and a budget that keeps retries
 * from multiplying an overload (rules 3, 19 to 21).
 *
 * Must not know sockets, pods or how a retry is made.
 */

/**
 * How an attempt failed.
 * 'refused': no connection came about. 'connect-timeout': nor within its time. 'lost': the connection ended with
 * no complete response head read; 'unwritten': likewise, before our kernel took a byte of the request. 'unsent': the pod's own sidecar says that nothing reached the application;
 * 'overloaded': likewise, because it has too much to do.
 */
export type AttemptLoss = 'refused' | 'connect-timeout' | 'lost' | 'unwritten' | 'unsent' | 'overloaded';

export interface AttemptFacts {
  readonly loss: AttemptLoss;
  readonly method: string;
  /** The connection had served another exchange before. */
  readonly reusedConnection: boolean;
  /** Any byte of a response, 1xx included, has been read in this attempt. */
  readonly responseSeen: boolean;
  /** The whole request body sent so far is still at hand. */
  readonly bodyKept: boolean;
  /** Attempts of this exchange that timed out connecting, this one included. */
  readonly connectTimeouts: number;
  /** The exchange was sent before this attempt, on a connection that then ended; how that was. */
  readonly replayed: 'no' | 'stillborn' | 'perhaps-executed';
  /** The first attempt began less than the response timeout ago: all attempts share that bound (rules 20, 21). */
  readonly inTime: boolean;
}

/**
 * 'next-candidate': ask the role for another. 'replay': the same candidate on a new connection.
 * `budgeted`: only if the retry budget has room.
 */
export type RetryDecision =
  | { readonly kind: 'next-candidate'; readonly budgeted: boolean }
  | { readonly kind: 'replay'; readonly budgeted: true }
  | { readonly kind: 'give-up' };

/** Refused connections cost nothing; one that times out costs the client a second. */
const connectTimeoutsMax = 3;

/**
 * A connection that ends this soon after the request was written to it was dead before: the other kernel's RST was on its
 * way. No application has executed the request, and no keeper stored what it did, in that time.
 */
const stillbornMs = 1;

const giveUp: RetryDecision = { kind: 'give-up' };

export function decideRetry(facts: AttemptFacts): RetryDecision {
  // It was sent before this attempt, and perhaps executed: sent once more it could be executed twice.
  if (!facts.bodyKept || !facts.inTime || facts.replayed === 'perhaps-executed') return giveUp;
  switch (facts.loss) {
    case 'refused':
    case 'unsent':
      return { kind: 'next-candidate', budgeted: false };
    case 'overloaded':
      return { kind: 'next-candidate', budgeted: true };
    case 'connect-timeout':
      return facts.connectTimeouts < connectTimeoutsMax ? { kind: 'next-candidate', budgeted: false } : giveUp;
    case 'unwritten':
      // The pod closed a connection it thought idle. It may be well, and the session is there: it is asked again first.
      return facts.reusedConnection ? { kind: 'replay', budgeted: true } : { kind: 'next-candidate', budgeted: false };
    case 'lost': {
      // The pod closed a connection it thought idle while the request was on its way (RFC 9110 section 9.2.2).
      const stale = facts.reusedConnection && !facts.responseSeen && facts.replayed === 'no';
      return stale && isReplayable(facts.method) ? { kind: 'replay', budgeted: true } : giveUp;
    }
  }
}

/** Methods whose second execution does no harm and that are common enough to matter (rules 19). */
export function isReplayable(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

const shareOfInFlight = 0.2;
const retriesAlways = 10;

/** Retried exchanges in flight: at most a fifth of all in flight, or ten. */
export class RetryBudget {
  #retries = 0;
  /** Retries that were not made for want of room. */
  refused = 0;

  get retries(): number {
    return this.#retries;
  }

  /** How many there may be beside so many in flight. */
  max(inFlight: number): number {
    return Math.max(retriesAlways, inFlight * shareOfInFlight);
  }

  /** @returns false where there is no room; else leave() must be called when the exchange ends. */
  enter(inFlight: number): boolean {
    if (this.#retries >= this.max(inFlight)) {
      this.refused++;
      return false;
    }
    this.#retries++;
    return true;
  }

  leave(): void {
    this.#retries--;
  }
}

/** What one exchange has tried so far. Made at its first loss: most exchanges have none. */
export class RetryTrail {
  readonly #budget: RetryBudget;
  readonly #startedMs: number;
  #connectTimeouts = 0;
  #replayed: AttemptFacts['replayed'] = 'no';
  #inBudget = false;

  constructor(budget: RetryBudget, startedMs: number) {
    this.#budget = budget;
    this.#startedMs = startedMs;
  }

  /** The request was sent a second time: what it did the first time is not known. */
  get replayed(): boolean {
    return this.#replayed !== 'no';
  }

  /** What to do about a loss. `boundMs`: how long after its start an exchange may still be tried again. */
  next(
    facts: Omit<AttemptFacts, 'connectTimeouts' | 'replayed' | 'inTime'> & {
      /** From the request's writing to a reused connection to that connection's end. */
      readonly lostAfterMs: number;
      readonly nowMs: number;
      readonly boundMs: number;
      readonly inFlight: number;
    },
  ): RetryDecision['kind'] {
    if (facts.loss === 'connect-timeout') this.#connectTimeouts++;
    const decision = decideRetry({
      ...facts,
      connectTimeouts: this.#connectTimeouts,
      replayed: this.#replayed,
      inTime: facts.nowMs - this.#startedMs < facts.boundMs,
    });
    if (decision.kind === 'give-up') return decision.kind;
    if (decision.budgeted && !this.#inBudget) {
      this.#inBudget = this.#budget.enter(facts.inFlight);
      if (!this.#inBudget) return 'give-up';
    }
    if (decision.kind === 'replay' && facts.loss === 'lost')
      this.#replayed = facts.lostAfterMs < stillbornMs ? 'stillborn' : 'perhaps-executed';
    return decision.kind;
  }

  /** The exchange is over. */
  end(): void {
    if (this.#inBudget) this.#budget.leave();
    this.#inBudget = false;
  }
}
