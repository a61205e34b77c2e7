/**
 * An Event at the owner of a pod that got no sidecar: the warnings of an admission review go to whoever creates the pod,
 * which is a controller that shows them to nobody.
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { apiProblem, type ApiServer } from '../kubernetes/api-server.ts';
import { valueAt } from '../kubernetes/object-fields.ts';
import type { SkipReason } from './skip-reasons.ts';

export interface SkipEventsOptions {
  readonly api: Pick<ApiServer, 'call'>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SkippedPod {
  readonly namespace: string;
  readonly pod: unknown;
  readonly reason: SkipReason;
  readonly detail: string;
}

/** A controller that makes many pods, or the same one again and again, is told once in that time. */
const againMs = 10 * 60_000;
const rememberedMax = 1_000;
const inFlightMax = 16;

export class SkipEvents {
  readonly #options: SkipEventsOptions;
  readonly #told = new Map<string, number>();
  #inFlight = 0;

  constructor(options: SkipEventsOptions) {
    this.#options = options;
  }

  /** Never throws, and nobody waits for it. */
  tell(skipped: SkippedPod): void {
    const owners = valueAt(skipped.pod, ['metadata', 'ownerReferences']);
    const owner: unknown = Array.isArray(owners)
      ? owners.find((one) => valueAt(one, ['controller']) === true)
      : undefined;
    // A pod by itself does not exist yet: whoever creates it sees the warning.
    if (owner === undefined || this.#inFlight >= inFlightMax) return;
    const key = `${String(valueAt(owner, ['uid']))} ${skipped.reason}`;
    const nowMs = this.#options.clock.monotonicMs();
    const before = this.#told.get(key);
    if (before !== undefined && nowMs - before < againMs) return;
    if (this.#told.size >= rememberedMax) this.#told.clear();
    this.#told.set(key, nowMs);
    void this.#post(owner, skipped);
  }

  async #post(owner: unknown, { namespace, reason, detail }: SkippedPod): Promise<void> {
    const { api, clock, log } = this.#options;
    const field = (name: string): unknown => valueAt(owner, [name]);
    const now = new Date(clock.nowMs()).toISOString().replace(/\.\d+/, '');
    this.#inFlight++;
    try {
      const answer = await api.call({
        method: 'POST',
        path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`,
        body: {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { generateName: 'holdfast-', namespace },
          involvedObject: {
            apiVersion: field('apiVersion'),
            kind: field('kind'),
            name: field('name'),
            uid: field('uid'),
            namespace,
          },
          type: 'Warning',
          reason: 'NoSidecar',
          message: `${reason}: ${detail}`,
          source: { component: 'holdfast-injector' },
          firstTimestamp: now,
          lastTimestamp: now,
          count: 1,
        },
      });
      if (answer.status >= 300) log.warn({ why: apiProblem(answer) }, 'an Event could not be written');
    } catch (error) {
      log.warn({ error }, 'an Event could not be written');
    } finally {
      this.#inFlight--;
    }
  }
}
