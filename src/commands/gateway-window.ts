/**
 * What a gateway shows of itself: conditions for the kubelet, the pods, where a session is, and its numbers.
 *
 * Must not know how the gateway is put together, nor how the window is served (admin/).
 */

import type { PinTable, TableEntry } from '../affinity/pin-table.ts';
import type { SessionId } from '../affinity/session-codec.ts';
import type { SessionView, Window } from '../admin/window.ts';
import type { Limits } from '../base/limits.ts';
import type { Metrics } from '../base/metrics.ts';
import type { PodSource } from '../pods/pod-source.ts';
import type { GatewayRole } from '../proxy/gateway-role.ts';
import { lookupsMax } from '../proxy/owner-lookup.ts';
import type { Proxy } from '../proxy/proxy.ts';
import type { StoreRecord } from '../store/contract.ts';
import type { OpenedStore } from '../store/open-store.ts';
import type { UpstreamPool } from '../upstream/pool.ts';
import { countLimits, countRetries } from './limit-metrics.ts';
import { countPods, podViews, type PodViewParts } from './pod-views.ts';

export interface GatewayWindowParts extends PodViewParts {
  readonly role: GatewayRole;
  readonly table: PinTable;
  readonly limits: Limits;
  readonly proxy: Proxy;
  readonly pool: UpstreamPool;
  /** Undefined where none is shared. */
  readonly opened: OpenedStore | undefined;
  /** Whether the start is over, well or not (rules 33). */
  readonly isStarted: () => boolean;
  /** How our keys differ from those of the store or of a sidecar; undefined: not at all, as far as is known. */
  readonly wrongKeys: () => string | undefined;
  /** Where the pods come from; undefined: it is not open yet. */
  readonly source: () => PodSource | undefined;
  readonly readSession: (given: string) => SessionId | undefined;
  readonly digestOf: (session: SessionId) => string;
}

export function gatewayWindow(parts: GatewayWindowParts): Window {
  const { role, table, proxy, opened, isStarted, readSession } = parts;
  /** No pods were listed since the start: others, who have a list, do better than we. */
  const listless = (): string | undefined => {
    const view = parts.source()?.view;
    if (view?.isSeen === true) return undefined;
    return `no pods were listed yet: ${view?.problem ?? 'their source is being asked'}`;
  };
  return {
    title: 'gateway',
    started: () =>
      isStarted()
        ? { ok: true, reason: 'started' }
        : { ok: false, reason: listless() ?? 'the pods are being asked for the first time' },
    // Never the pods' number or health, never the store: a gateway without pods says so better than nobody.
    ready() {
      if (role.closing) return { ok: false, reason: 'draining' };
      const why = listless();
      if (why !== undefined) return { ok: false, reason: why };
      if (!isStarted()) return { ok: false, reason: 'starting' };
      const degraded = parts.wrongKeys() ?? parts.source()?.view.problem;
      if (degraded !== undefined) return { ok: true, reason: `degraded: ${degraded}` };
      const isStoreAway = opened !== undefined && opened.health.state !== 'up';
      return { ok: true, reason: isStoreAway ? 'degraded: the store is down' : 'ready' };
    },
    pods: () => podViews(parts),
    source() {
      const source = parts.source();
      if (source === undefined) return undefined;
      const { problem, heardAtMs, changedAtMs } = source.view;
      const iso = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
      return { name: source.what, problem: problem ?? null, heardAt: iso(heardAtMs), changedAt: iso(changedAtMs) };
    },
    async session(given) {
      const session = readSession(given);
      if (session === undefined) return undefined;
      const record = await opened?.store.ownerOf(opened.names.of(session)).catch(() => undefined);
      return whereIs(parts.digestOf(session), table.get(session), record);
    },
    // By hand, to take it out of service: readiness says no, and everything is still answered.
    drain() {
      role.closing = true;
      return Promise.resolve();
    },
    figures: () => [
      ['Connections', String(proxy.connections)],
      ['Exchanges in flight', String(proxy.inFlight)],
      ['Sessions in the pin table', String(table.size)],
      ['Store', opened === undefined ? 'none' : opened.health.state],
      ['Pods come from', sourceWords(parts.source())],
    ],
  };
}

function sourceWords(source: PodSource | undefined): string {
  if (source === undefined) return 'nowhere yet';
  const { problem } = source.view;
  return problem === undefined ? source.what : `${source.what}: ${problem}`;
}

/** The store's word, unless the table knows a newer term. */
function whereIs(
  session: string,
  entry: TableEntry | undefined,
  record: StoreRecord | undefined,
): SessionView | undefined {
  const stored =
    record === undefined
      ? { version: null, storedAt: null }
      : { version: record.version, storedAt: new Date(record.storedAtMs).toISOString() };
  if (record !== undefined && (entry === undefined || record.epoch >= entry.epoch)) {
    const reason = record.tombstone ? 'logged out' : record.owner === undefined ? 'free' : 'owner in the store';
    return { session, pod: record.owner?.name ?? null, reason, epoch: record.epoch, ...stored };
  }
  if (entry === undefined) return undefined;
  return { session, pod: entry.pod.name, reason: 'pin table', epoch: entry.epoch, ...stored };
}

/** The sizes of what the gateway holds, for /metrics. */
export function countGateway(metrics: Metrics, parts: GatewayWindowParts): void {
  const { table, pool, proxy } = parts;
  // Workers look at the pods each by itself: while they differ, the page shows fractions.
  countPods(metrics, parts);
  const { limits, role } = parts;
  const { lookup, perSession, rebalance } = role.options;
  countLimits(metrics, () => [
    { limit: 'connections', use: proxy.connections, max: limits.connections },
    { limit: 'perSession', use: perSession.largest, max: limits.perSession },
    { limit: 'retries', use: proxy.retries.retries, max: proxy.retries.max(proxy.inFlight) },
    { limit: 'lookups', use: lookup?.inFlight ?? 0, max: lookupsMax },
  ]);
  countRetries(metrics, () => proxy.retries.refused);
  const skipped = 'Sessions whose owner was not asked for in the store: too many questions were under way.';
  metrics.countRead({ name: 'lookups_skipped_total', help: skipped }, () => lookup?.counters.skipped ?? 0);
  const late = 'Questions to the store, who owns a session, that were not answered within timeouts.lookup.';
  metrics.countRead({ name: 'lookups_late_total', help: late }, () => lookup?.counters.late ?? 0);
  const moved = 'Sessions moved to a pod with fewer active ones (sessions.rebalance).';
  metrics.countRead({ name: 'rebalance_moved_total', help: moved }, () => rebalance?.counters.moved ?? 0);
  const kept = 'Sessions that were to move there, and that their pod kept: another request of them was under way.';
  metrics.countRead({ name: 'rebalance_kept_total', help: kept }, () => rebalance?.counters.kept ?? 0);
  metrics.gauge({ name: 'pin_table_sessions', help: 'Sessions in the pin table.' }, () => table.size);
  metrics.gauge({ name: 'client_connections', help: 'Open client connections.' }, () => proxy.connections);
  metrics.gauge({ name: 'exchanges', help: 'Exchanges in flight.' }, () => proxy.inFlight);
  metrics.gauge({ name: 'upstream_connections', help: 'Open connections to pods.' }, () => pool.openCount);
}
