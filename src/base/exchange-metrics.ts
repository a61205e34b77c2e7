/**
 * What is counted for each exchange. One call, when the exchange has ended.
 *
 * Must not know what the words mean: affinity outcomes and close reasons come from their own tables.
 */

import type { CloseReason } from './close-reasons.ts';
import { closeReasons } from './close-reasons.ts';
import type { Count, CountFamily, DurationHistogram, Metrics } from './metrics.ts';

export interface EndedExchange {
  readonly method: string;
  /** What the client was answered; 0: nothing. */
  readonly status: number;
  readonly affinity: string;
  readonly reason: CloseReason | undefined;
  readonly ms: number;
}

const knownMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;
const statusMax = 599;

export class ExchangeMetrics {
  readonly #requests: CountFamily;
  readonly #ends: CountFamily;
  readonly #durations: DurationHistogram;
  /** Children by method, then affinity, then status: found without putting a key together. */
  readonly #byMethod = new Map<string, Map<string, (Count | undefined)[]>>();

  constructor(metrics: Metrics) {
    this.#requests = metrics.counter({
      name: 'requests_total',
      help: 'Exchanges that have ended, by method, status (0: no answer) and affinity outcome.',
      labels: ['method', 'status', 'affinity'],
    });
    this.#ends = metrics.counter({
      name: 'exchange_failures_total',
      help: 'Exchanges that did not end with a complete answer, and connections that were not taken, by reason and by whose doing it was.',
      labels: ['reason', 'side'],
    });
    this.#durations = metrics.histogram({
      name: 'request_duration_seconds',
      help: 'From the first byte of a request to the last byte of its answer.',
    });
    for (const method of [...knownMethods, 'OTHER']) this.#byMethod.set(method, new Map());
  }

  /** Counts an exchange. A method that is not a common one is counted as OTHER, since clients choose it. */
  ended(exchange: EndedExchange): void {
    this.#count(exchange).value++;
    this.#durations.observe(exchange.ms / 1000);
    if (exchange.reason !== undefined) {
      this.#ends.child(exchange.reason, closeReasons[exchange.reason].side).value++;
    }
  }

  /** Counts a connection that was answered 503 before a request was read. */
  turnedAway(): void {
    this.#count({ method: 'OTHER', status: 503, affinity: 'none' }).value++;
    this.notTaken('overloaded');
  }

  /** Counts a connection that was closed without an answer before a request was read. */
  notTaken(reason: CloseReason): void {
    this.#ends.child(reason, closeReasons[reason].side).value++;
  }

  #count(exchange: Pick<EndedExchange, 'method' | 'status' | 'affinity'>): Count {
    const method = this.#byMethod.has(exchange.method) ? exchange.method : 'OTHER';
    const byAffinity = this.#byMethod.get(method)!;
    let byStatus = byAffinity.get(exchange.affinity);
    if (byStatus === undefined) {
      byStatus = [];
      byAffinity.set(exchange.affinity, byStatus);
    }
    const status = exchange.status >= 0 && exchange.status <= statusMax ? exchange.status : statusMax;
    return (byStatus[status] ??= this.#requests.child(method, String(status), exchange.affinity));
  }
}
