/**
 * What the webhook answers: for a pod its sidecar as a patch, for a Deployment and its like only words, since their pods
 * come by themselves later, and warnings about those reach nobody.
 *
 * Must not know TLS, HTTP or how Services are found.
 */

import type { Log } from '../base/log.ts';
import type { CountFamily, Metrics } from '../base/metrics.ts';
import { valueAt } from '../kubernetes/object-fields.ts';
import { type Injection, injectPod, type InjectOptions } from './inject-pod.ts';
import { jsonPatch } from './json-patch.ts';
import { reviewAnswer, type ReviewRequest } from './review.ts';
import type { Service } from './services.ts';
import type { SkippedPod } from './skip-events.ts';
import { asksForSidecar } from './annotations.ts';
import { claimTemplates, nameOf, podPlace } from './workload.ts';

export interface WebhookOptions extends Pick<InjectOptions, 'defaults' | 'judge'> {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Of a namespace; undefined: they can't be read. Must not reject. */
  readonly servicesOf: (namespace: string) => Promise<readonly Service[] | undefined>;
  readonly tellSkipped: (skipped: SkippedPod) => void;
}

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #reviews: CountFamily;
  readonly #skips: CountFamily;

  constructor(options: WebhookOptions) {
    const { metrics } = options;
    this.#options = options;
    this.#reviews = metrics.counter({
      name: 'injector_pods_total',
      help: 'Pods that were looked at, by what became of them.',
      labels: ['result'],
    });
    this.#skips = metrics.counter({
      name: 'injector_skips_total',
      help: 'Pods that asked for a sidecar and got none.',
      labels: ['reason'],
    });
    for (const result of ['injected', 'unchanged', 'skipped']) this.#reviews.child(result);
  }

  /** So that the first review does not pay for compiling everything: the API server waits for it, and not for long. */
  warmUp(): void {
    const { defaults, judge } = this.#options;
    for (let round = 0; round < warmRounds; round++) {
      const injection = injectPod(samplePod, { defaults, judge, services: [] });
      if (injection.kind === 'injected') jsonPatch(samplePod, injection.pod);
    }
  }

  /** The answer to the review of a pod that is created. */
  async pod({ uid, namespace, object, dryRun }: ReviewRequest): Promise<string> {
    const injection = await this.#look(object, namespace, []);
    const name = nameOf(object);
    this.#reviews.child(injection.kind).value++;
    if (injection.kind === 'unchanged') return reviewAnswer(uid, [], []);
    if (injection.kind === 'skipped') {
      const { reason, detail } = injection;
      this.#skips.child(reason).value++;
      this.#options.log.warn({ pod: name, namespace, reason, detail }, 'a pod gets no sidecar');
      if (!dryRun) this.#options.tellSkipped({ namespace, pod: object, reason, detail });
      return reviewAnswer(uid, [], [noSidecar(injection)]);
    }
    this.#options.log.info({ pod: name, namespace, dryRun }, 'a pod gets its sidecar');
    return reviewAnswer(uid, jsonPatch(object, injection.pod), injection.warnings);
  }

  /** The answer to the review of an object with a template: what its pods will meet. */
  async workload({ uid, namespace, object }: ReviewRequest): Promise<string> {
    const place = podPlace(object);
    if (place === undefined || place.ends) return reviewAnswer(uid, [], []);
    const injection = await this.#look(valueAt(object, place.path), namespace, claimTemplates(object));
    if (injection.kind === 'unchanged') return reviewAnswer(uid, [], []);
    return reviewAnswer(uid, [], injection.kind === 'skipped' ? [noSidecar(injection)] : injection.warnings);
  }

  async #look(pod: unknown, namespace: string, templates: readonly string[]): Promise<Injection> {
    const { defaults, judge, servicesOf } = this.#options;
    const annotations = valueAt(pod, ['metadata', 'annotations']);
    const given =
      typeof annotations === 'object' && annotations !== null ? (annotations as Record<string, string>) : {};
    if (!asksForSidecar(given, defaults)) return { kind: 'unchanged' };
    const services = await servicesOf(namespace);
    return injectPod(pod, { defaults, judge, services, claimTemplates: templates });
  }
}

const warmRounds = 20;
const samplePod = {
  metadata: {
    annotations: { 'holdfast.dev/inject': 'true', 'holdfast.dev/preset': 'php', 'holdfast.dev/directory': '/sessions' },
  },
  spec: {
    securityContext: { runAsUser: 1 },
    containers: [{ name: 'application', ports: [{ name: 'http', containerPort: 1 }] }],
  },
};

function noSidecar({ reason, detail }: Extract<Injection, { readonly kind: 'skipped' }>): string {
  return `no sidecar (${reason}): ${detail}`;
}
