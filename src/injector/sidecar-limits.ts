/**
 * Whether the sidecar has a limit of processor time where nobody says so: a ResourceQuota on `limits.cpu` refuses every
 * pod with a container that has none, so a pod that it took before has to be one that it takes with a sidecar.
 *
 * Its requests and its limit of memory it always has. Pure.
 */

import { valueAt } from '../kubernetes/object-fields.ts';
import type { Settings } from './annotations.ts';
import { allContainers, type Container, type Pod } from './pod.ts';

const limitByDefault = '500m';
const noLimit = 'none';
/**
 * What the API server's LimitRanger has written into a pod before webhooks see it, and will write into the sidecar too:
 * `cpu, memory limit for container app; cpu request for init container prepare`.
 */
const limitRanger = 'kubernetes.io/limit-ranger';
const cpuLimitWritten = /(?:^|[:;]\s*)(?:[\w./-]+,\s*)*cpu(?:,\s*[\w./-]+)* limit for /;

/**
 * The same settings, with a limit where all containers of the pod have one by themselves; what a LimitRange gives them it
 * gives the sidecar, within its own bounds.
 */
export function withCpuLimit(settings: Settings, pod: Pod): Settings {
  const given = settings['cpu-limit'];
  if (given === noLimit) {
    const unlimited: { -readonly [Name in keyof Settings]: Settings[Name] } = { ...settings };
    delete unlimited['cpu-limit'];
    return unlimited;
  }
  if (given !== undefined || !allContainers(pod.spec).every(hasCpuLimit)) return settings;
  if (cpuLimitWritten.test(pod.metadata?.annotations?.[limitRanger] ?? '')) return settings;
  return { ...settings, 'cpu-limit': limitByDefault };
}

function hasCpuLimit(container: Container): boolean {
  const limit = valueAt(container, ['resources', 'limits', 'cpu']);
  return limit !== undefined && limit !== null;
}
