/**
 * The configured source of a gateway's pods, opened, and its numbers. With several workers each has one of its own: a
 * watch costs the API server little, and no worker depends on another process for its pods (docs/decisions/discovery.md).
 *
 * Must not know what becomes of the pods.
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { PodsPlace } from '../config/config.ts';
import type { PodCondition } from '../pods/pod.ts';
import type { PodSource, SourceView } from '../pods/pod-source.ts';
import { StaticSource } from '../pods/source-static.ts';

/** A source that is not needed is not even read. @throws HoldfastError 'bad-configuration' */
export async function openPodSource(
  place: PodsPlace,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<PodSource> {
  const random = Math.random;
  switch (place.kind) {
    case 'static':
      return new StaticSource(place.pods, clock);
    case 'dns': {
      const { DnsSource } = await import('../pods/source-dns.ts');
      return new DnsSource({ place, clock, log, random });
    }
    case 'kubernetes': {
      const { openKubernetesSource } = await import('../kubernetes/source-kubernetes.ts');
      return openKubernetesSource({ place, env: process.env, clock, log, random });
    }
  }
}

/** A list takes the place of a list; another kind of source needs another start. */
export function relist(source: PodSource | undefined, place: PodsPlace): void {
  if (source instanceof StaticSource && place.kind === 'static') source.replace(place.pods);
}

const conditions: readonly PodCondition[] = ['ready', 'not-ready', 'terminating', 'ending'];

/** Undefined: it is not open yet. Workers look each by itself: the page shows the one that is furthest behind. */
export function countSource(metrics: Metrics, viewOf: () => SourceView | undefined): void {
  const pods = 'Pods as their source lists them: ready, not-ready, terminating (and serves), ending (and does not).';
  metrics.gauge({ name: 'discovery_pods', help: pods, labels: ['state'], merge: 'average' }, () =>
    conditions.map((state) => [
      [state],
      viewOf()?.pods.filter(({ condition = 'ready' }) => condition === state).length ?? 0,
    ]),
  );
  const up = 'Whether the source of pods answers. While it does not, the pods that were known last stay.';
  metrics.gauge({ name: 'discovery_up', help: up, merge: 'min' }, () => {
    const view = viewOf();
    return view?.isSeen === true && !view.isFailing ? 1 : 0;
  });
  const seconds = (ms: number | undefined): number => Math.round((ms ?? 0) / 1000);
  const heard = 'When the source of pods last said anything, since 1970; 0: never.';
  metrics.gauge({ name: 'discovery_last_contact_timestamp_seconds', help: heard, merge: 'min' }, () =>
    seconds(viewOf()?.heardAtMs),
  );
  const changed = 'When the list of pods last changed, since 1970; 0: never.';
  metrics.gauge({ name: 'discovery_last_update_timestamp_seconds', help: changed, merge: 'min' }, () =>
    seconds(viewOf()?.changedAtMs),
  );
  const errors = 'Failures of the source of pods, by kind.';
  metrics.countReadBy({ name: 'discovery_errors_total', help: errors, labels: ['kind'] }, () =>
    [...(viewOf()?.errors ?? [])].map(([kind, count]) => [[kind], count]),
  );
  const skipped = 'Endpoints that are listed and can not be used, by reason.';
  metrics.gauge({ name: 'discovery_endpoints_skipped', help: skipped, labels: ['reason'], merge: 'average' }, () =>
    [...(viewOf()?.skipped ?? [])].map(([reason, count]) => [[reason], count]),
  );
}
