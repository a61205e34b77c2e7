/**
 * The TLS of one listener: takes TCP connections one by one and gives them back secured.
 *
 * Must not know HTTP or what came before the handshake.
 */

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';

import type { Clock } from '../base/clock.ts';
import { setCarrier } from '../base/reset-socket.ts';
import type { TlsSettings } from './listen-place.ts';
import { type CertificateObserver, TlsContexts } from './tls-contexts.ts';

export interface TlsObserver extends CertificateObserver {
  /** A handshake is done. `version`: as Node spells it. */
  secured(version: string, resumed: boolean): void;
}

export interface TlsEdgeOptions {
  readonly settings: TlsSettings;
  readonly clock: Clock;
  readonly observer: TlsObserver;
}

/** How one handshake goes on. */
export interface Handshake {
  /** It is done; the socket is paused, and nothing has been read from it. */
  readonly secured: (socket: TLSSocket) => void;
  /** Why it will fail: a name of Node's or OpenSSL's. The socket closes after that. */
  readonly failed: (code: string) => void;
  /** The client showed no certificate, or none that is trusted. */
  readonly refused: (code: string) => void;
}

/** Longer than any deadline of ours, which ends handshakes before. */
const neverMs = 2 ** 31 - 1;

export class TlsEdge {
  readonly #settings: TlsSettings;
  readonly #observer: TlsObserver;
  readonly #contexts: TlsContexts;
  readonly #server: Server;
  /** By both ends' addresses. */
  readonly #shaking = new Map<string, { readonly handshake: Handshake; readonly carrier: Socket }>();

  /** @throws HoldfastError 'certificate-unusable' */
  constructor({ settings, clock, observer }: TlsEdgeOptions) {
    this.#settings = settings;
    this.#observer = observer;
    this.#contexts = new TlsContexts({
      settings,
      clock,
      observer,
      changed: (options) => this.#server.setSecureContext(options),
    });
    this.#server = createServer({
      ...this.#contexts.standard,
      ALPNProtocols: ['http/1.1'],
      SNICallback: (name, found) => found(null, this.#contexts.find(name)),
      requestCert: settings.clientCertificate !== 'off',
      // Looked at below: a resumed session without a certificate counts as authorized in Node.
      rejectUnauthorized: false,
      handshakeTimeout: neverMs,
      pauseOnConnect: true,
    });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    this.#server.on('tlsClientError', (error, socket) =>
      this.#shaking.get(endsOf(socket))?.handshake.failed(codeOf(error)),
    );
  }

  start(): void {
    this.#contexts.watch();
  }

  stop(): void {
    this.#contexts.unwatch();
  }

  /** Begins a handshake on a connection; what was read of it already stands in its buffer. */
  secure(carrier: Socket, handshake: Handshake): void {
    const ends = endsOf(carrier);
    this.#shaking.set(ends, { handshake, carrier });
    carrier.once('close', () => this.#shaking.delete(ends));
    this.#server.emit('connection', carrier);
  }

  #secured(socket: TLSSocket): void {
    const ends = endsOf(socket);
    const shaken = this.#shaking.get(ends);
    socket.on('error', ignored);
    // The client has gone: there is no telling who it was.
    if (shaken === undefined) {
      socket.destroy();
      return;
    }
    this.#shaking.delete(ends);
    const { handshake, carrier } = shaken;
    const refusal = this.#refusal(socket);
    if (refusal !== undefined) {
      handshake.refused(refusal);
      return;
    }
    this.#observer.secured(socket.getProtocol() ?? 'unknown', socket.isSessionReused());
    setCarrier(socket, carrier);
    handshake.secured(socket);
  }

  #refusal(socket: TLSSocket): string | undefined {
    const { clientCertificate } = this.#settings;
    if (clientCertificate === 'off') return undefined;
    if (socket.getPeerX509Certificate() === undefined)
      return clientCertificate === 'required' ? 'NO_CERTIFICATE' : undefined;
    return socket.authorized ? undefined : String(socket.authorizationError);
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.name;
}

function ignored(): void {
  // 'close' always follows and does the work.
}
