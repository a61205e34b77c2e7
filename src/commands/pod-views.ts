/**
 * The gateway's pods as `/pods` and `/metrics` show them: each state with its reason, since when, and what follows
 * from it.
 *
 * Must not know how states come about (pods/health.ts), nor how they are served.
 */

import type { PodView } from '../admin/window.ts';
import { formatAddress } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import type { Metrics } from '../base/metrics.ts';
import { shareOf } from '../pods/pod.ts';
import type { PodWatch } from '../upstream/pod-watch.ts';

export interface PodViewParts {
  readonly watch: PodWatch;
  readonly clock: Clock;
  readonly slowStartMs: number;
}

/** Pods with series of their own in /metrics; the sums count all. */
const seriesMax = 1000;

/** The rows of `/pods`; those that are gone come last. Times as ISO 8601. */
export function podViews({ watch, clock, slowStartMs }: PodViewParts): readonly PodView[] {
  const nowMs = clock.monotonicMs();
  const wall = (atMs: number): string => new Date(clock.nowMs() - (nowMs - atMs)).toISOString();
  const { pods, gone, panic } = watch.set;
  return [...pods, ...gone].map((pod) => {
    const health = pod.state === 'gone' ? undefined : watch.healthOf(pod.name);
    const ejectedUntilMs = health?.ejectedUntilMs ?? 0;
    return {
      name: pod.name,
      state: pod.state,
      why: pod.why,
      since: wall(pod.sinceMs),
      inFlight: pod.load.inFlight,
      uid: pod.uid,
      address: formatAddress(pod.address),
      zone: pod.zone ?? null,
      // How its sidecar calls it, where its source has no names but addresses.
      says: watch.saidBy(pod.name)?.name ?? null,
      // Probes in a row that spoke against its state, and refused connections in a row.
      doubts: health?.doubts ?? 0,
      refusals: health?.refusals ?? 0,
      ejections: health?.ejections ?? 0,
      ejectedUntil: ejectedUntilMs > nowMs ? wall(ejectedUntilMs) : null,
      share: pod.state === 'ready' ? Number(shareOf(pod, { slowStartMs, nowMs }).toFixed(2)) : null,
      panic,
    };
  });
}

/** A series goes with its pod: only those that are there are shown. */
export function countPods(metrics: Metrics, { watch, clock, slowStartMs }: PodViewParts): void {
  const shown = (): PodWatch['set']['pods'] => watch.set.pods.slice(0, seriesMax);
  // Workers look at the pods each by itself: while they differ, the page shows fractions.
  metrics.gauge({ name: 'pods', help: 'Pods by state.', labels: ['state'], merge: 'average' }, () => {
    const { ready, draining, unhealthy, gone } = watch.set;
    return [
      [['ready'], ready.length],
      [['draining'], draining.length],
      [['unhealthy'], unhealthy.length],
      [['gone'], gone.length],
    ];
  });
  const state = "1 for each pod's present state.";
  metrics.gauge({ name: 'pod_state', help: state, labels: ['pod', 'state'], merge: 'max' }, () =>
    shown().map((pod) => [[pod.name, pod.state], 1]),
  );
  metrics.gauge({ name: 'pod_exchanges', help: 'Exchanges in flight at each pod.', labels: ['pod'] }, () =>
    shown().map((pod) => [[pod.name], pod.load.inFlight]),
  );
  const share = 'The part of a usual share of requests without a session that a ready pod gets (health.slowStart).';
  metrics.gauge({ name: 'pod_share_ratio', help: share, labels: ['pod'], merge: 'average' }, () => {
    const at = { slowStartMs, nowMs: clock.monotonicMs() };
    return watch.set.ready.slice(0, seriesMax).map((pod) => [[pod.name], shareOf(pod, at)]);
  });
  const panic = 'Whether more than half of the pods look unhealthy, so that those are used too, last.';
  metrics.gauge({ name: 'pods_panic', help: panic, merge: 'max' }, () => (watch.set.panic ? 1 : 0));
  const ejections = 'Pods ejected because connections were refused or not made in time.';
  metrics.countRead({ name: 'pod_ejections_total', help: ejections }, () => watch.ejections);
}
