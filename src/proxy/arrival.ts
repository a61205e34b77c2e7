/**
 * A connection on its way in, where a listener asks for more than a request: until its PROXY header is read it is no
 * client connection, and nobody knows yet who the client is. Plain listeners have none of this.
 *
 * Must not know HTTP, nor what a header looks like (proxy-header.ts).
 */

import { isIPv6, type BlockList, type Socket } from 'node:net';

import type { CloseReason } from '../base/close-reasons.ts';
import { Deadline } from '../base/deadline.ts';
import type { ClientPeer } from './plan.ts';
import { type ProxySaid, readProxyHeader } from './proxy-header.ts';
import type { ProxyContext } from './proxy-context.ts';

export interface ArrivalOptions {
  readonly context: ProxyContext;
  readonly trusted: BlockList;
  /** All that are on their way in, whichever listener took them; each takes itself out. */
  readonly arriving: Set<Arrival>;
  /** It is in. The socket is paused; what came behind the header is in its buffer. */
  readonly arrived: (socket: Socket, peer: ClientPeer) => void;
}

export class Arrival {
  readonly #options: ArrivalOptions;
  readonly #socket: Socket;
  /** Of the other end of the connection itself. */
  readonly #address: string;
  readonly #deadline: Deadline;
  readonly #over = () => this.#leave();
  readonly #read = (bytes: Buffer) => this.#headerBytes(bytes);
  #header: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, address: string, options: ArrivalOptions) {
    this.#options = options;
    this.#socket = socket;
    this.#address = address;
    this.#deadline = new Deadline(options.context.clock, () => this.#tookTooLong());
    options.arriving.add(this);
    socket.on('error', ignored);
    socket.on('close', this.#over);
    if (!isTrusted(options.trusted, address)) {
      this.#refuse('untrusted-proxy-header', 'its sender is not in trustedProxies');
      return;
    }
    this.#deadline.set(options.context.timeouts.headMs);
    socket.on('end', this.#over);
    socket.on('data', this.#read);
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
      this.#socket.pause();
      this.#detach();
      if (step.end < header.length) this.#socket.unshift(header.subarray(step.end));
      this.#options.arrived(this.#socket, this.#peer(step.said));
    }
  }

  #peer({ kind, address, secure }: ProxySaid): ClientPeer {
    const { trusted } = this.#options;
    // Who a load balancer passes on may say what it likes: its own word is what the balancer does not know.
    if (kind === 'unknown') return { address: this.#address, secure, trusted: false, verifiedToken: undefined };
    const client = kind === 'local' ? this.#address : address;
    return { address: client, secure, trusted: isTrusted(trusted, client), verifiedToken: undefined };
  }

  #tookTooLong(): void {
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

/** @param address without the mapping of IPv4 into IPv6 */
export function isTrusted(networks: BlockList, address: string): boolean {
  return networks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
