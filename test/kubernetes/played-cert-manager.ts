/**
 * cert-manager's part in manifests/components/cert-manager, played: a Secret as it writes it, the authority where the
 * annotation asks for it, and renewals. cert-manager itself is not here.
 *
 * Must not know what the injector does with them.
 */

import type { TestContext } from 'node:test';
import { Authority, type Certified } from '../support/certificates.ts';
import type { KubernetesObject, Namespace } from './cluster.ts';

/** What cert-manager does for the injector of this namespace: a Secret, its authority at the webhooks, and renewals. */
export class PlayedCertManager {
  readonly #own: Namespace;
  readonly #authority: Authority;

  /** Use PlayedCertManager.start(). */
  constructor(own: Namespace, authority: Authority) {
    this.#own = own;
    this.#authority = authority;
  }

  static async start(t: TestContext, own: Namespace): Promise<PlayedCertManager> {
    const authority = await Authority.create('an issuer of the cluster');
    t.after(() => authority.remove());
    return new PlayedCertManager(own, authority);
  }

  /** The Secret gets a new certificate of the same authority. @returns it */
  async issue(): Promise<Certified> {
    const issued = await this.#authority.issue(`holdfast-injector.${this.#own.name}.svc`);
    const stringData = { 'ca.crt': this.#authority.certificate, 'tls.crt': issued.certificate, 'tls.key': issued.key };
    const metadata = { name: 'holdfast-injector-tls' };
    await this.#own.apply([{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, stringData }]);
    return issued;
  }

  /** As the annotation `cert-manager.io/inject-ca-from` asks for. */
  async injectAuthority(webhook: string): Promise<void> {
    const object = await this.#own.get<KubernetesObject & { readonly webhooks: readonly unknown[] }>(
      'mutatingwebhookconfiguration',
      webhook,
    );
    const annotations = object.metadata['annotations'] as Readonly<Record<string, string>> | undefined;
    if (annotations?.['cert-manager.io/inject-ca-from'] === undefined)
      throw new Error(`${webhook} does not ask for it`);
    const value = Buffer.from(this.#authority.certificate).toString('base64');
    const patch = object.webhooks.map((_, index) => ({
      op: 'add',
      path: `/webhooks/${index}/clientConfig/caBundle`,
      value,
    }));
    await this.#own.kubectl([
      'patch',
      'mutatingwebhookconfiguration',
      webhook,
      '--type=json',
      '-p',
      JSON.stringify(patch),
    ]);
  }
}
