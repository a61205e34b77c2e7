/**
 * The Services of a namespace, for the question whether one goes past a sidecar. Asked for when a pod is to be injected:
 * an answer that was on its way before may not have the Service that was applied with the pod. Pods that are created
 * together wait for one answer.
 */

import type { Log } from '../base/log.ts';
import { apiProblem, type ApiServer } from '../kubernetes/api-server.ts';
import { valueAt } from '../kubernetes/object-fields.ts';
import { readService, type Service } from './services.ts';

export interface ServiceLookupOptions {
  readonly api: Pick<ApiServer, 'call'>;
  readonly log: Log;
}

/** The API server waits for us meanwhile, and somebody for it. */
const timeoutMs = 1_500;
const pageItems = 500;
const pagesMax = 10;

type Answer = Promise<readonly Service[] | undefined>;

/** Of one namespace: what is on its way, and what begins behind it, for all who came meanwhile. */
interface Asked {
  readonly running: Answer;
  next?: Answer;
}

export class ServiceLookup {
  readonly #options: ServiceLookupOptions;
  readonly #asked = new Map<string, Asked>();
  #told = '';

  constructor(options: ServiceLookupOptions) {
    this.#options = options;
  }

  /** As they are after this call. Undefined: they can't be read now. Never rejects. */
  of(namespace: string): Answer {
    const asked = this.#asked.get(namespace);
    if (asked === undefined) return this.#ask(namespace);
    return (asked.next ??= asked.running.then(() => this.#ask(namespace)));
  }

  #ask(namespace: string): Answer {
    const running = this.#list(namespace).catch((error: unknown) => {
      this.#tell(error instanceof Error ? error.message : String(error));
      return undefined;
    });
    const asked: Asked = { running };
    this.#asked.set(namespace, asked);
    return running.finally(() => {
      if (asked.next === undefined) this.#asked.delete(namespace);
    });
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
