/**
 * Where a Kubernetes object has its pods: which kinds have a template, and which of those serve requests. Pure.
 */

import { valueAt } from '../kubernetes/object-fields.ts';

export interface PodPlace {
  /** From the object to what has `metadata` and `spec` of a pod. */
  readonly path: readonly string[];
  /** Pods that end by themselves: they serve no sessions. */
  readonly ends: boolean;
}

const template: PodPlace = { path: ['spec', 'template'], ends: false };

const places: Readonly<Record<string, PodPlace>> = {
  'v1 Pod': { path: [], ends: false },
  'v1 ReplicationController': template,
  'apps/v1 Deployment': template,
  'apps/v1 StatefulSet': template,
  'apps/v1 DaemonSet': template,
  'apps/v1 ReplicaSet': template,
  'batch/v1 Job': { path: ['spec', 'template'], ends: true },
  'batch/v1 CronJob': { path: ['spec', 'jobTemplate', 'spec', 'template'], ends: true },
};

/** @returns undefined for an object without pods, or of a kind that is not known. */
export function podPlace(object: unknown): PodPlace | undefined {
  const [version, kind] = [valueAt(object, ['apiVersion']), valueAt(object, ['kind'])];
  return places[`${String(version)} ${String(kind)}`];
}

/** The volumes that a StatefulSet makes for each of its pods. */
export function claimTemplates(object: unknown): readonly string[] {
  const templates = valueAt(object, ['spec', 'volumeClaimTemplates']);
  if (!Array.isArray(templates)) return [];
  return templates.flatMap((one) => {
    const name = valueAt(one, ['metadata', 'name']);
    return typeof name === 'string' ? [name] : [];
  });
}

/** `Deployment shop`, for people. */
export function nameOf(object: unknown): string {
  const name = valueAt(object, ['metadata', 'name']) ?? valueAt(object, ['metadata', 'generateName']);
  return `${String(valueAt(object, ['kind']))} ${typeof name === 'string' ? name : '(without a name)'}`;
}

/** A copy with another value at the path. */
export function withValueAt(object: unknown, path: readonly string[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  return { ...(object as object), [step]: withValueAt((object as Record<string, unknown>)[step], rest, value) };
}
