/**
 * The webhook's certificate, kept by the injector itself: in a Secret that all replicas share, its authority in the
 * webhook configuration, rotated without a moment in which somebody is shown what he can't trust
 * (certificate-rotation.ts). Each replica does the same round every few seconds; who writes second reads again.
 *
 * The order of a round is what makes it safe: an authority is trusted before anything that it signed is shown.
 */

import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { HoldfastError } from '../base/errors.ts';
import { apiProblem, type ApiServer } from '../kubernetes/api-server.ts';
import { valueAt } from '../kubernetes/object-fields.ts';
import { type CertificateMaterial, makeCertificate } from './certificate-maker.ts';
import {
  type CertificateState,
  readSecretData,
  rotate,
  secretData,
  settleMs,
  trusted,
} from './certificate-rotation.ts';
import { withValueAt } from './workload.ts';

export interface OwnCertificateOptions {
  readonly api: Pick<ApiServer, 'call'>;
  /** Ours; Secret and Service are there. */
  readonly namespace: string;
  readonly secret: string;
  readonly service: string;
  /** The MutatingWebhookConfiguration. */
  readonly webhook: string;
  /** At least lifetimeMinMs (certificate-rotation.ts). */
  readonly lifetimeMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Shows this one from now on. */
  readonly serve: (material: CertificateMaterial) => void;
}

const roundMs = 15_000;
/** After a failure, and while nothing is shown yet. */
const soonMs = 1_000;
/** Replicas that all begin at once; each loses to each other at most once. */
const conflictsMax = 8;
/** Of one round: a rotation has three, and what comes before its turn is one more. */
const changesMax = 8;
const registrations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

export class OwnCertificate {
  readonly #options: OwnCertificateOptions;
  #served: string | undefined;
  #problem = 'no certificate yet';
  #toldProblem = '';
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: OwnCertificateOptions) {
    this.#options = options;
  }

  /** Undefined: it is shown, and the API server trusts it. Later failures change nothing: the certificate is good for weeks. */
  get missing(): string | undefined {
    return this.#served === undefined ? this.#problem : undefined;
  }

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Never rejects. */
  async #round(): Promise<void> {
    let failed = false;
    try {
      const state = await this.#agreed();
      await this.#trust(trusted(state));
      this.#show(state);
      this.#toldProblem = '';
    } catch (error) {
      failed = true;
      this.#problem = error instanceof Error ? error.message : String(error);
      if (this.#toldProblem !== this.#problem)
        this.#options.log.error({ error }, 'the certificate could not be looked after');
      this.#toldProblem = this.#problem;
    }
    if (this.#stopped) return;
    const everyMs = Math.max(soonMs, Math.min(roundMs, settleMs(this.#options.lifetimeMs) / 2));
    this.#timer = this.#options.clock.after(failed ? soonMs : everyMs, () => void this.#round());
  }

  /** The state that the Secret has once nothing is to be done to it. */
  async #agreed(): Promise<CertificateState> {
    const { namespace, secret, service, lifetimeMs, clock, log } = this.#options;
    const names = [`${service}.${namespace}.svc`, `${service}.${namespace}.svc.cluster.local`];
    const make = (): Promise<CertificateMaterial> => makeCertificate({ names, nowMs: clock.nowMs(), lifetimeMs });
    for (let conflicts = 0, changes = 0; conflicts < conflictsMax;) {
      if (changes === changesMax) throw unusable(`it is not good after ${changes} changes: do the clocks agree?`);
      const { object, data } = await this.#readSecret();
      const state = readSecretData(data);
      const wanted = await rotate(state, clock.nowMs(), { names, lifetimeMs, make });
      if (wanted === state) return state;
      if (await this.#writeSecret(object, secretData(wanted))) {
        changes++;
        log.info({ object: `${namespace}/${secret}` }, 'the certificate was rotated');
      } else conflicts++;
    }
    throw unusable('other replicas write the Secret all the time');
  }

  async #readSecret(): Promise<{ object: unknown; data: Readonly<Record<string, unknown>> }> {
    const answer = await this.#options.api.call({ method: 'GET', path: this.#secretPath });
    if (answer.status === 404) return { object: undefined, data: {} };
    if (answer.status !== 200) throw unusable(`Secret ${this.#options.secret}: ${apiProblem(answer)}`);
    const data = valueAt(answer.body, ['data']);
    return { object: answer.body, data: typeof data === 'object' && data !== null ? { ...data } : {} };
  }

  /** @returns false where somebody else was faster. */
  async #writeSecret(object: unknown, data: Readonly<Record<string, string>>): Promise<boolean> {
    const { api, namespace, secret } = this.#options;
    const answer =
      object === undefined
        ? await api.call({
            method: 'POST',
            path: `/api/v1/namespaces/${namespace}/secrets`,
            body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret, namespace }, type: 'Opaque', data },
          })
        : // With its resourceVersion: refused if it has changed since.
          await api.call({ method: 'PUT', path: this.#secretPath, body: withValueAt(object, ['data'], data) });
    if (answer.status === 409) return false;
    if (answer.status !== 200 && answer.status !== 201) throw unusable(`Secret ${secret}: ${apiProblem(answer)}`);
    return true;
  }

  /** Has the API server trust these authorities, in every webhook that leads to our Service. */
  async #trust(authorities: string): Promise<void> {
    const { api, webhook, log } = this.#options;
    const path = `${registrations}/${webhook}`;
    const bundle = Buffer.from(authorities, 'utf8').toString('base64');
    for (let conflicts = 0; conflicts < conflictsMax; conflicts++) {
      const answer = await api.call({ method: 'GET', path });
      if (answer.status !== 200) throw unusable(`MutatingWebhookConfiguration ${webhook}: ${apiProblem(answer)}`);
      const before = valueAt(answer.body, ['webhooks']);
      const hooks = Array.isArray(before) ? (before as readonly unknown[]) : [];
      const after = hooks.map((hook) => (this.#isOurs(hook) ? withBundle(hook, bundle) : hook));
      if (!hooks.some((hook) => this.#isOurs(hook)))
        throw unusable(`${webhook} does not lead to Service ${this.#options.service}`);
      if (after.every((hook, index) => hook === hooks[index])) return;
      const put = await api.call({ method: 'PUT', path, body: withValueAt(answer.body, ['webhooks'], after) });
      if (put.status === 200) {
        log.info({ object: webhook }, 'the webhook configuration has the authorities');
        return;
      }
      if (put.status !== 409) throw unusable(`MutatingWebhookConfiguration ${webhook}: ${apiProblem(put)}`);
    }
    throw unusable('others write the webhook configuration all the time');
  }

  #isOurs(hook: unknown): boolean {
    const { service, namespace } = this.#options;
    const named = (field: string): unknown => valueAt(hook, ['clientConfig', 'service', field]);
    return named('name') === service && named('namespace') === namespace;
  }

  #show({ current }: CertificateState): void {
    if (current === undefined || current.certificate === this.#served) return;
    this.#options.serve(current);
    this.#served = current.certificate;
  }

  get #secretPath(): string {
    return `/api/v1/namespaces/${this.#options.namespace}/secrets/${this.#options.secret}`;
  }
}

function withBundle(hook: unknown, bundle: string): unknown {
  return valueAt(hook, ['clientConfig', 'caBundle']) === bundle
    ? hook
    : withValueAt(hook, ['clientConfig', 'caBundle'], bundle);
}

function unusable(words: string): HoldfastError {
  return new HoldfastError('certificate-unusable', words);
}
