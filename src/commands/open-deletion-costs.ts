/**
 * The deletion costs of a gateway's pods, where they are configured (`pods.kubernetes.deletionCost`), and their numbers.
 *
 * Must not know how they are written (kubernetes/deletion-costs.ts).
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { PodsPlace } from '../config/config.ts';
import type { DeletionCosts, PodCost } from '../kubernetes/deletion-costs.ts';
import type { PodWatch } from '../upstream/pod-watch.ts';

export interface RunningCosts {
  start(): Promise<void>;
  stop(): void;
}

/** Undefined: nobody asked for them. */
export function openDeletionCosts(
  place: PodsPlace,
  parts: { readonly watch: PodWatch; readonly clock: Clock; readonly log: Log; readonly metrics: Metrics },
): RunningCosts | undefined {
  if (place.kind !== 'kubernetes' || !place.deletionCost) return undefined;
  const { watch, clock, log, metrics } = parts;
  let costs: DeletionCosts | undefined;
  let stopped = false;
  const written = 'Pods that were annotated with their deletion cost (pods.kubernetes.deletionCost).';
  metrics.countRead({ name: 'deletion_cost_writes_total', help: written }, () => costs?.counters.written ?? 0);
  const failed = 'Rounds in which the API server did not take a deletion cost.';
  metrics.countRead({ name: 'deletion_cost_failures_total', help: failed }, () => costs?.counters.failed ?? 0);
  return {
    async start() {
      const { DeletionCosts } = await import('../kubernetes/deletion-costs.ts');
      if (stopped) return;
      const pods = (): readonly PodCost[] => costsOf(watch);
      costs = new DeletionCosts({ namespace: place.namespace, pods, env: process.env, clock, log });
      costs.start();
    },
    stop() {
      stopped = true;
      costs?.stop();
    },
  };
}

/** A pod that drains is on its way out already, and one that has said nothing yet has no number. */
function costsOf(watch: PodWatch): readonly PodCost[] {
  return watch.set.ready.flatMap(({ name, listedUid }) => {
    const sessions = watch.saidBy(name)?.owned;
    return sessions === undefined ? [] : [{ name, uid: listedUid, sessions }];
  });
}
