/**
 * What an exchange becomes after a 101: bytes pass both ways, each direction ends by itself (half-close), and a
 * slow reader on one side stops the reading on the other.
 *
 * Must not know HTTP. It begins only after a 101 that answered an Upgrade we sent (exchange.ts holds that).
 */

import type { CloseReason } from '../base/close-reasons.ts';
import type { UpstreamConnection, UpstreamUser } from '../upstream/connection.ts';
import type { ClientSide, ClientUser } from './client-side.ts';

export interface TunnelOptions {
  readonly client: ClientSide;
  readonly upstream: UpstreamConnection;
  /** Longest silence, both directions together. */
  readonly idleMs: number;
  /** A fault of our own. */
  readonly fault: (error: unknown) => void;
  /**
   * Both directions have ended, or the tunnel broke for the reason given. `bytes`: passed on to the client. The
   * caller closes the client's side.
   */
  readonly ended: (reason: CloseReason | undefined, bytes: number) => void;
}

export class Tunnel implements UpstreamUser, ClientUser {
  readonly readsOn = true;
  readonly #options: TunnelOptions;
  #clientEnded = false;
  #upstreamEnded = false;
  #ended = false;
  #bytes = 0;

  constructor(options: TunnelOptions) {
    this.#options = options;
  }

  /** @param early what the pod sent right behind its 101 */
  start(early: Buffer | undefined): void {
    const { upstream, client } = this.#options;
    client.deadline.clear();
    upstream.setUser(this);
    this.#active();
    if (early !== undefined) this.upstreamData(early);
    upstream.resume();
    client.handOver(this);
    client.resume();
    if (client.halfClosed) this.clientEnded();
  }

  upstreamConnected(): void {
    // It was connected before it became a tunnel.
  }

  upstreamData(bytes: Buffer): boolean {
    const { upstream, client } = this.#options;
    this.#active();
    this.#bytes += bytes.length;
    if (!client.write(bytes)) upstream.pause();
    return client.waitingBytes === 0;
  }

  upstreamDrained(): void {
    this.#active();
    this.#options.client.resume();
  }

  upstreamEnded(): void {
    this.#upstreamEnded = true;
    this.#active();
    this.#options.client.end();
    this.#endIfBoth();
  }

  upstreamDeadlinePassed(): void {
    this.#end('tunnel-idle');
  }

  upstreamSilent(): void {
    // Silence is what a tunnel is made of: one to a pod that thaws goes on, one to a dead pod has its idle bound.
  }

  upstreamLost(): void {
    this.#end(this.#upstreamEnded && this.#clientEnded ? undefined : 'upstream-reset');
  }

  abort(reason: CloseReason): void {
    this.#end(reason);
  }

  fault(error: unknown): void {
    this.#options.fault(error);
    this.#end('internal');
  }

  get keepsRead(): boolean {
    return !this.#options.upstream.hasSent;
  }

  clientData(bytes: Buffer, from: number): number {
    const { upstream, client } = this.#options;
    this.#active();
    if (!upstream.write(from === 0 ? bytes : bytes.subarray(from))) client.pause();
    return bytes.length;
  }

  clientDrained(): void {
    this.#active();
    this.#options.upstream.resume();
  }

  clientEnded(): void {
    this.#clientEnded = true;
    this.#active();
    this.#options.upstream.end();
    this.#endIfBoth();
  }

  clientDeadlinePassed(): void {
    // The one deadline of a tunnel is kept on the upstream side.
  }

  clientGone(): void {
    this.#end(this.#upstreamEnded && this.#clientEnded ? undefined : 'client-gone');
  }

  #active(): void {
    this.#options.upstream.deadline.set(this.#options.idleMs);
  }

  /** Both sides have said their last word; it only has to reach the other side. */
  #endIfBoth(): void {
    if (this.#clientEnded && this.#upstreamEnded) this.#options.client.whenFlushed(() => this.#end(undefined));
  }

  #end(reason: CloseReason | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    // After both FINs the connection closes itself once what was written to it has left, or by its deadline.
    if (reason === undefined) this.#options.upstream.setUser(undefined);
    else this.#options.upstream.destroy();
    this.#options.ended(reason, this.#bytes);
  }
}
