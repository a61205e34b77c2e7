/**
 * The Services of a namespace, for the question whether one goes past a sidecar. Asked for when a pod is to be injected;
 * pods that are created together share one answer.
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { apiProblem, type ApiServer } from '../kubernetes/api-server.ts';
import { readService, type Service } from './services.ts';
import { valueAt } from './workload.ts';

export interface ServiceLookupOptions {
  readonly api: Pick<ApiServer, 'call'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The API server waits for us meanwhile, and somebody for it. */
const timeoutMs = 1_500;
const keptMs = 1_000;
const pageItems = 500;
const pagesMax = 10;
/** Of pods that are created within keptMs. */
const namespacesMax = 256;

interface Kept {
  readonly sinceMs: number;
  readonly services: Promise<readonly Service[] | undefined>;
}

export class ServiceLookup {
  readonly #options: ServiceLookupOptions;
  readonly #kept = new Map<string, Kept>();
  #told = '';

  constructor(options: ServiceLookupOptions) {
    this.#options = options;
  }

  /** Undefined: they can't be read now. Never rejects. */
  of(namespace: string): Promise<readonly Service[] | undefined> {
    const nowMs = this.#options.clock.monotonicMs();
    const kept = this.#kept.get(namespace);
    if (kept !== undefined && nowMs - kept.sinceMs < keptMs) return kept.services;
    if (this.#kept.size >= namespacesMax) this.#kept.clear();
    const services = this.#list(namespace).catch((error: unknown) => {
      this.#tell(error instanceof Error ? error.message : String(error));
      return undefined;
    });
    this.#kept.set(namespace, { sinceMs: nowMs, services });
    return services;
  }

  async #list(namespace: string): Promise<readonly Service[] | undefined> {
    const services: Service[] = [];
    let next = '';
    for (let page = 0; page < pagesMax; page++) {
      const query = `limit=${pageItems}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`;
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/services?${query}`;
      const answer = await this.#options.api.call({ method: 'GET', path, timeoutMs });
      const items = valueAt(answer.body, ['items']);
      if (answer.status !== 200 || !Array.isArray(items)) {
        this.#tell(apiProblem(answer));
        return undefined;
      }
      services.push(...items.flatMap((item) => readService(item) ?? []));
      const more = valueAt(answer.body, ['metadata', 'continue']);
      if (typeof more !== 'string' || more === '') return services;
      next = more;
    }
    return services;
  }

  /** Once for each new reason. */
  #tell(why: string): void {
    if (why !== this.#told)
      this.#options.log.warn({ why }, 'Services can not be read; pods get their sidecars all the same');
    this.#told = why;
  }
}
