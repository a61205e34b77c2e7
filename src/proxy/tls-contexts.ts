/**
 * What a TLS listener shows to whom: one context for each certificate, chosen by the name that a client asks for, kept
 * in step with the files. A pair that can't be used changes nothing; the one before it goes on.
 *
 * Files are read again every few seconds rather than watched: mounted Secrets change by a swapped symbolic link above
 * the file, and a poll sees that as it sees everything else. Must not know connections.
 */

import { createHash, constants, hkdfSync, randomBytes } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';

import type { Clock, Timer } from '../base/clock.ts';
import { deriveKey } from '../base/keyring.ts';
import type { TlsSettings } from './listen-place.ts';
import { type CertificatePair, readAuthority, readPair, readPem, readPemLater } from './tls-certificate.ts';

/** What a listener tells of its certificates. None of it may throw. */
export interface CertificateObserver {
  /** One is served from now on: at the start, and when its files have changed. `certificate`: its place in the list. */
  served(certificate: number, pair: Pick<CertificatePair, 'names' | 'expiresMs'>, again: boolean): void;
  /** Its files have changed and can't be used; told once for each content. */
  refused(certificate: number, error: unknown): void;
}

export interface TlsContextsOptions {
  readonly settings: TlsSettings;
  readonly clock: Clock;
  readonly observer: CertificateObserver;
  /** What clients without a name, and all new ones' tickets, are served by has changed. */
  readonly changed: (options: SecureContextOptions) => void;
}

/** The kubelet takes up to a minute or two to bring a changed Secret, so this hardly adds to it. */
const reloadEveryMs = 5000;
/** Tickets of the term before are not taken any more: such a client shakes hands in full once. */
const ticketTermMs = 12 * 3_600_000;
const sessionSeconds = 7200;

/** Forward secrecy and AEAD only; TLS 1.3's come first and are all there are with minVersion 1.3. */
const ciphers = [
  ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
].join(':');

interface Served {
  pair: CertificatePair;
  context: SecureContext;
  /** The content of the files as it was looked at last, usable or not. */
  seen: string;
}

export class TlsContexts {
  readonly #options: TlsContextsOptions;
  readonly #ticketSecret: Buffer;
  readonly #served: Served[];
  #authority: string | undefined;
  #authoritySeen: string;
  #byName = new Map<string, SecureContext>();
  #term: number;
  #timer: Timer | undefined;

  /** @throws HoldfastError 'certificate-unusable' */
  constructor(options: TlsContextsOptions) {
    const { settings, clock } = options;
    this.#options = options;
    this.#ticketSecret = settings.ticketKey ?? randomBytes(32);
    this.#term = Math.floor(clock.nowMs() / ticketTermMs);
    this.#authoritySeen = settings.clientCa === undefined ? '' : readPem(settings.clientCa);
    this.#authority = settings.clientCa === undefined ? undefined : readAuthority(this.#authoritySeen);
    this.#served = settings.certificates.map((files) => {
      const [certificate, key] = [readPem(files.certificate), readPem(files.key)];
      const pair = readPair(certificate, key);
      return { pair, context: this.#context(pair), seen: certificate + key };
    });
    this.#served.forEach(({ pair }, index) => options.observer.served(index, pair, false));
    this.#nameAll();
  }

  /** What clients are served by that name no host, or one that no certificate is for. */
  get standard(): SecureContextOptions {
    return this.#contextOptions(this.#served[0]!.pair);
  }

  /** Undefined: the standard one. */
  find(name: string): SecureContext | undefined {
    const lower = name.toLowerCase();
    return this.#byName.get(lower) ?? this.#byName.get(lower.replace(/^[^.]+/, '*'));
  }

  /** Looks at the files from now on. */
  watch(): void {
    this.#timer = this.#options.clock.after(reloadEveryMs, () => {
      void this.#look().then(() => {
        if (this.#timer !== undefined) this.watch();
      });
    });
  }

  unwatch(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    let changed = await this.#lookAtAuthority();
    for (const [index, served] of this.#served.entries()) {
      if (await this.#lookAt(index, served)) changed = true;
    }
    const term = Math.floor(this.#options.clock.nowMs() / ticketTermMs);
    if (!changed && term === this.#term) return;
    this.#term = term;
    for (const served of this.#served) served.context = this.#context(served.pair);
    this.#nameAll();
    this.#options.changed(this.standard);
  }

  async #lookAt(index: number, served: Served): Promise<boolean> {
    const { settings, observer } = this.#options;
    const files = settings.certificates[index]!;
    let seen = 'unreadable';
    try {
      const [certificate, key] = [await readPemLater(files.certificate), await readPemLater(files.key)];
      seen = certificate + key;
      if (seen === served.seen) return false;
      const pair = readPair(certificate, key);
      this.#context(pair);
      served.pair = pair;
      observer.served(index, pair, true);
      return true;
    } catch (error) {
      if (seen !== served.seen) observer.refused(index, error);
      return false;
    } finally {
      served.seen = seen;
    }
  }

  async #lookAtAuthority(): Promise<boolean> {
    const { settings, observer } = this.#options;
    if (settings.clientCa === undefined) return false;
    let seen = 'unreadable';
    try {
      seen = await readPemLater(settings.clientCa);
      if (seen === this.#authoritySeen) return false;
      this.#authority = readAuthority(seen);
      return true;
    } catch (error) {
      if (seen !== this.#authoritySeen) observer.refused(0, error);
      return false;
    } finally {
      this.#authoritySeen = seen;
    }
  }

  /** The first of several certificates for one name counts. */
  #nameAll(): void {
    const byName = new Map<string, SecureContext>();
    for (const { pair, context } of this.#served) {
      for (const name of pair.names) if (!byName.has(name)) byName.set(name, context);
    }
    this.#byName = byName;
  }

  #context(pair: CertificatePair): SecureContext {
    return createSecureContext(this.#contextOptions(pair));
  }

  #contextOptions({ certificate, key }: CertificatePair): SecureContextOptions {
    const { minVersion } = this.#options.settings;
    return {
      cert: certificate,
      key,
      ...(this.#authority === undefined ? {} : { ca: this.#authority }),
      minVersion: minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      ciphers,
      honorCipherOrder: false,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      sessionTimeout: sessionSeconds,
      sessionIdContext: this.#sessionsOf(),
      ticketKeys: this.#ticketKeys(),
    };
  }

  /** Who was let in under other rules about client certificates is not let in again by a ticket. */
  #sessionsOf(): string {
    const rules = [this.#options.settings.clientCertificate, this.#authority ?? ''].join('\n');
    return createHash('sha256').update(rules).digest('hex').slice(0, 32);
  }

  /** Follow from the secret and the time, so that processes with the same secret change them together. */
  #ticketKeys(): Buffer {
    const secret = deriveKey(this.#ticketSecret, 'ticket');
    return Buffer.from(hkdfSync('sha256', secret, 'holdfast', `holdfast/v1/ticket/${this.#term}`, 48));
  }
}
