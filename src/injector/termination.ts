/**
 * What a pod needs so that it ends well (docs/rules.md 35): the application goes on serving until everybody knows that
 * the pod ends, and there is time for the sidecar's drain. Pure.
 */

import type { Settings } from './annotations.ts';
import type { Container, PodSpec } from './pod.ts';

/** Gateways and kube-proxy have heard of the end by then. */
const sleepSeconds = 5;
const marginSeconds = 5;
/** `timeouts.drain` where nothing is said. */
const drainSeconds = 20;
/** Kubernetes' own, where a pod says nothing. */
const standardGraceSeconds = 30;
const unitSeconds: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** The drain's seconds, rounded up. */
export function drainSecondsOf({ drain }: Settings): number {
  const match = /^(\d+)(ms|s|m|h|d)?$/.exec(drain ?? '');
  return match === null ? drainSeconds : Math.ceil(Number(match[1]) * (unitSeconds[match[2] ?? 's'] ?? 1));
}

/** The container with a `preStop` that sleeps; one that has a hook of its own keeps it, and `warnings` gets a word. */
export function withSleep(container: Container, warnings: string[]): Container {
  const preStop = container.lifecycle?.preStop;
  if (preStop !== undefined && preStop !== null) {
    if (preStop.sleep === undefined || preStop.sleep === null) {
      warnings.push(
        `container ${container.name} has a preStop of its own: it should go on serving for ${sleepSeconds} s`,
      );
    }
    return container;
  }
  return { ...container, lifecycle: { ...container.lifecycle, preStop: { sleep: { seconds: sleepSeconds } } } };
}

/** The grace period that is needed, where it is more than the pod's; undefined: it is long enough. */
export function graceSeconds(spec: PodSpec, containers: readonly Container[], drain: number): number | undefined {
  const sleeps = containers.map(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0);
  const wanted = Math.max(sleepSeconds, ...sleeps) + drain + marginSeconds;
  return wanted > (spec.terminationGracePeriodSeconds ?? standardGraceSeconds) ? wanted : undefined;
}
