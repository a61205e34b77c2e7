/**
 * Joins the data path to the log and the metrics: one access line and one count for each exchange. Connections beyond
 * the limit are counted like exchanges, but told in one line for many, since they come in floods.
 *
 * Must not know how exchanges work.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import { ExchangeMetrics } from '../base/exchange-metrics.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { helloTarget } from '../upstream/hello.ts';
import type { ExchangeLine, ExchangeObserver, NotTaken } from '../proxy/proxy-context.ts';

/** Between two lines about connections that were turned away, and between two of one reason not to take them. */
const turnedAwayEveryMs = 10_000;

export function observeExchanges(log: Log, metrics: Metrics): ExchangeObserver {
  const counted = new ExchangeMetrics(metrics);
  const bytes = metrics.counter({ name: 'answer_bytes_total', help: 'Bytes of answers written to clients.' }).child();
  const replayed = metrics
    .counter({ name: 'replayed_total', help: 'Requests sent again because an idle connection had gone stale.' })
    .child();
  const heldInVain = metrics
    .counter({
      name: 'held_in_vain_total',
      help: 'Answers to HTTP/1.0 clients that outgrew limits.holdBytes, so that a cut would not show.',
    })
    .child();
  const faults = metrics
    .counter({ name: 'faults_total', help: 'Faults of this program that an exchange met.' })
    .child();
  let turnedAway = { count: 0, nextMs: Number.NEGATIVE_INFINITY };
  const notTaken = new Map<CloseReason, { count: number; nextMs: number }>();
  return {
    ended(line: ExchangeLine): void {
      // A gateway's own question, many times a minute; it was answered here and reached no pod.
      if (line.target === helloTarget && line.tried.length === 0 && line.status === 200) return;
      counted.ended(line);
      bytes.value += line.bytes;
      if (line.replayed) replayed.value++;
      if (line.heldInVain) heldInVain.value++;
      if (log.writesAccess) log.access(line);
    },
    turnedAway(nowMs: number): void {
      counted.turnedAway();
      turnedAway.count++;
      if (nowMs < turnedAway.nextMs) return;
      log.warn({ connections: turnedAway.count }, 'limits.connections is reached: connections were answered 503');
      turnedAway = { count: 0, nextMs: nowMs + turnedAwayEveryMs };
    },
    notTaken({ reason, detail, client }: NotTaken, nowMs: number): void {
      counted.notTaken(reason);
      const told = notTaken.get(reason) ?? { count: 0, nextMs: Number.NEGATIVE_INFINITY };
      told.count++;
      if (nowMs >= told.nextMs) {
        const words = "connections were not taken; client and why are the last one's";
        log.warn({ reason, connections: told.count, client, why: detail }, words);
        told.count = 0;
        told.nextMs = nowMs + turnedAwayEveryMs;
      }
      notTaken.set(reason, told);
    },
    fault(error: unknown): void {
      faults.value++;
      log.error({ error: error instanceof Error ? error : String(error) }, 'a fault in an exchange; please report it');
    },
  };
}
