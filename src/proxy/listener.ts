/**
 * One listening address: accepts connections up to the limit, and says who each client is.
 *
 * Must not know HTTP beyond the one answer to a connection too many.
 */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { type Address, formatAddress } from '../base/address.ts';
import { HoldfastError } from '../base/errors.ts';
import { acceptOwnSockets } from '../base/socket-reader.ts';
import { Arrival } from './arrival.ts';
import { ClientConnection } from './client-connection.ts';
import { isPlain, type ListenPlace } from './listen-place.ts';
import { refusal } from './own-answer.ts';
import type { ClientPeer } from './plan.ts';
import { withoutMapping } from './proxy-header.ts';
import type { ProxyContext } from './proxy-context.ts';
import { TlsEdge, type TlsObserver } from './tls-edge.ts';
import type { TrustedNetworks } from './trusted-networks.ts';

export interface ListenerOptions {
  readonly address: ListenPlace;
  /** The socket is bound already, and this is its descriptor: this process is one of several workers. */
  readonly descriptor?: number | undefined;
  readonly context: ProxyContext;
  readonly trusted: TrustedNetworks;
  /** All connections of the proxy, whichever listener took them. */
  readonly connections: Set<ClientConnection>;
  /** Those that are not yet connections, likewise. */
  readonly arriving: Set<Arrival>;
  readonly tlsObserver: (place: ListenPlace) => TlsObserver;
}

/** Connections that wait to be accepted. The kernel takes the smaller of this and its own maximum. */
const backlog = 4096;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #tls: TlsEdge | undefined;
  readonly #closed = (connection: ClientConnection): void => void this.#options.connections.delete(connection);

  /** @throws HoldfastError 'certificate-unusable' */
  constructor(options: ListenerOptions) {
    this.#options = options;
    const { tls: settings } = options.address;
    const { clock } = options.context;
    this.#tls = settings && new TlsEdge({ settings, clock, observer: options.tlsObserver(options.address) });
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /** @returns the address taken. @throws HoldfastError 'listen-failed'. */
  listen(): Promise<Address> {
    const { address, descriptor, context } = this.#options;
    const place = descriptor === undefined ? { host: address.host, port: address.port } : { fd: descriptor };
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => {
        reject(new HoldfastError('listen-failed', `${formatAddress(address)}: ${cause.message}`, { cause }));
      };
      this.#server.once('error', failed);
      this.#server.listen({ ...place, backlog }, () => {
        this.#server.off('error', failed);
        this.#tls?.start();
        // Who begins with a request at once is first read by its client connection.
        if (isPlain(address)) acceptOwnSockets(this.#server);
        // Accepting can fail later too (no descriptors left): told, and the listener goes on.
        this.#server.on('error', (error) => context.observer.fault(error));
        resolve({ host: address.host, port: (this.#server.address() as AddressInfo).port });
      });
    });
  }

  /** Takes no more connections; those that are open stay. Does nothing where it never listened. */
  close(): void {
    this.#tls?.stop();
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const { address: place, context, connections, arriving } = this.#options;
    const { connections: max } = context.limits;
    if (max > 0 && connections.size + arriving.size >= max) {
      socket.on('error', () => undefined);
      // Unread bytes would make the kernel take the answer back (RFC 9112 section 9.6).
      socket.resume();
      socket.end(refusal('overloaded', { role: context.role, sent: false, closing: true }), 'latin1');
      socket.destroySoon();
      context.observer.turnedAway(context.clock.monotonicMs());
      return;
    }
    const given = socket.remoteAddress;
    // The client has left already.
    if (given === undefined) {
      socket.destroy();
      return;
    }
    const address = withoutMapping(given);
    if (!isPlain(place)) {
      new Arrival(socket, address, {
        ...this.#options,
        place,
        tls: this.#tls,
        arrived: (arrived, peer) => this.#arrived(arrived, peer),
      });
      return;
    }
    const trusted = this.#options.trusted.has(address);
    this.#take(socket, { address, secure: false, trusted, verified: undefined });
  }

  #arrived(socket: Socket, peer: ClientPeer): void {
    this.#take(socket, peer);
    socket.resume();
  }

  #take(socket: Socket, peer: ClientPeer): void {
    const { context, connections } = this.#options;
    connections.add(new ClientConnection(socket, { context, peer, closed: this.#closed }));
  }
}
