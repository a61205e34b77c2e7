/**
 * The webhook's certificate from files that somebody else keeps, such as cert-manager: read again every few seconds, since
 * mounted Secrets change by a swapped link. A pair that can't be used changes nothing.
 */

import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { readPair, readPemLater } from '../proxy/tls-certificate.ts';

export interface FileCertificateOptions {
  /** Paths. */
  readonly certificate: string;
  readonly key: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly serve: (pair: { readonly certificate: string; readonly key: string }) => void;
}

const everyMs = 5_000;

export class FileCertificate {
  readonly #options: FileCertificateOptions;
  #seen = '';
  #served = false;
  #problem = 'its files were not read yet';
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: FileCertificateOptions) {
    this.#options = options;
  }

  /** Undefined: one is shown. */
  get missing(): string | undefined {
    return this.#served ? undefined : this.#problem;
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { clock, log, serve } = this.#options;
    try {
      const certificate = await readPemLater({ kind: 'file', path: this.#options.certificate });
      const key = await readPemLater({ kind: 'file', path: this.#options.key });
      if (certificate + key !== this.#seen) {
        this.#seen = certificate + key;
        const { names, expiresMs } = readPair(certificate, key);
        serve({ certificate, key });
        this.#served = true;
        log.info({ names: [...names], expires: new Date(expiresMs).toISOString() }, 'a certificate is shown');
      }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (problem !== this.#problem) log.error({ error }, 'the certificate can not be used');
      this.#problem = problem;
    }
    if (!this.#stopped) this.#timer = clock.after(everyMs, () => void this.#look());
  }
}
