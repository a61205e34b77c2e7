/**
 * A connection on its way in, where a listener asks for more than a request: a PROXY header, then a TLS handshake. Until
 * then it is no client connection, and nobody knows yet who the client is. Plain listeners have none of this.
 *
 * Must not know HTTP, what a header looks like (proxy-header.ts), nor how a handshake goes (tls-edge.ts).
 */

import type { Socket } from 'node:net';

import type { CloseReason } from '../base/close-reasons.ts';
import { Deadline } from '../base/deadline.ts';
import type { ListenPlace } from './listen-place.ts';
import type { ClientPeer } from './plan.ts';
import { type ProxySaid, readProxyHeader } from './proxy-header.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { TlsEdge } from './tls-edge.ts';
import type { TrustedNetworks } from './trusted-networks.ts';

export interface ArrivalOptions {
  readonly context: ProxyContext;
  readonly trusted: TrustedNetworks;
  /** All that are on their way in, whichever listener took them; each takes itself out. */
  readonly arriving: Set<Arrival>;
  readonly place: ListenPlace;
  readonly tls: TlsEdge | undefined;
  /** It is in. The socket is paused; what came behind the header is in its buffer. */
  readonly arrived: (socket: Socket, peer: ClientPeer) => void;
}

export class Arrival {
  readonly #options: ArrivalOptions;
  readonly #socket: Socket;
  /** Of the other end of the connection itself. */
  readonly #address: string;
  readonly #deadline: Deadline;
  readonly #over = () => this.#closed();
  readonly #read = (bytes: Buffer) => this.#headerBytes(bytes);
  #header: Buffer = Buffer.alloc(0);
  /** Set while a handshake is under way: the code of its failure, '' as long as there is none. */
  #shaking: string | undefined;

  constructor(socket: Socket, address: string, options: ArrivalOptions) {
    this.#options = options;
    this.#socket = socket;
    this.#address = address;
    this.#deadline = new Deadline(options.context.clock, () => this.#tookTooLong());
    options.arriving.add(this);
    socket.on('error', ignored);
    socket.on('close', this.#over);
    const trusted = options.trusted.has(address);
    // One deadline for both: who sends a header slowly has less time for the handshake.
    this.#deadline.set(options.context.timeouts.headMs);
    if (options.place.proxyProtocol !== true) {
      this.#known({ address, secure: false, trusted, verified: undefined });
    } else if (!trusted) this.#refuse('untrusted-proxy-header', 'its sender is not in trustedProxies');
    else socket.on('end', this.#over).on('data', this.#read);
  }

  /** Closes it, whatever it waits for. */
  destroy(): void {
    this.#leave();
  }

  #headerBytes(bytes: Buffer): void {
    const header = this.#header.length === 0 ? bytes : Buffer.concat([this.#header, bytes]);
    const step = readProxyHeader(header);
    if (step.kind === 'more') this.#header = header;
    else if (step.kind === 'refused') this.#refuse('bad-proxy-header', step.detail);
    else {
      this.#socket.off('data', this.#read).off('end', this.#over).pause();
      if (step.end < header.length) this.#socket.unshift(header.subarray(step.end));
      this.#known(this.#peer(step.said));
    }
  }

  /** Who it is is known; what is left is the handshake, if there is one. */
  #known(peer: ClientPeer): void {
    const { tls, arrived } = this.#options;
    if (tls === undefined) {
      this.#detach();
      arrived(this.#socket, peer);
      return;
    }
    this.#shaking = '';
    tls.secure(this.#socket, {
      secured: (socket) => {
        this.#shaking = undefined;
        this.#detach();
        this.#socket.on('error', ignored);
        arrived(socket, { ...peer, secure: true });
      },
      failed: (code) => {
        this.#shaking = code;
      },
      refused: (code) => this.#refuse('client-certificate-refused', code),
    });
  }

  /** Closed from the other side, or by a handshake that failed. */
  #closed(): void {
    // Who has sent no byte leaves without a word, as probes do.
    const failed = this.#shaking !== undefined && this.#socket.bytesRead > 0;
    if (failed) this.#refuse('tls-handshake-failed', this.#shaking === '' ? 'the client left' : this.#shaking!);
    else this.#leave();
  }

  #peer({ kind, address, secure }: ProxySaid): ClientPeer {
    const { trusted } = this.#options;
    // Who a load balancer passes on may say what it likes: its own word is what the balancer does not know.
    if (kind === 'unknown') return { address: this.#address, secure, trusted: false, verified: undefined };
    const client = kind === 'local' ? this.#address : address;
    return { address: client, secure, trusted: trusted.has(client), verified: undefined };
  }

  #tookTooLong(): void {
    if (this.#shaking !== undefined && this.#socket.bytesRead > 0) {
      this.#refuse('tls-handshake-timeout', 'it took too long');
      return;
    }
    // Who has not said a word is closed without one.
    if (this.#header.length === 0) this.#leave();
    else this.#refuse('bad-proxy-header', 'it took too long');
  }

  #refuse(reason: CloseReason, detail: string): void {
    const { observer, clock } = this.#options.context;
    observer.notTaken({ reason, detail, client: this.#address }, clock.monotonicMs());
    this.#leave();
  }

  #leave(): void {
    this.#shaking = undefined;
    this.#detach();
    this.#socket.on('error', ignored);
    this.#socket.destroy();
  }

  #detach(): void {
    this.#deadline.dispose();
    this.#options.arriving.delete(this);
    this.#socket.off('data', this.#read).off('end', this.#over).off('close', this.#over).off('error', ignored);
  }
}

/** 'close' always follows and does the work. */
function ignored(): void {
  // Nothing more to say about it.
}
