/**
 * The network around one pod, made of fault proxies: others reach its data port and its peer port at an address of the
 * pod's own (127.1.0.n, the same ports), and it reaches Redis through a proxy that nobody else uses.
 *
 * Must not know processes.
 */

import { FaultProxy } from './fault-proxy.ts';
import type { Fault } from './fault-proxy.ts';

export type Wire = 'data' | 'peer' | 'store';

export class PodNetwork {
  /** What the pod advertises. */
  readonly host: string;
  readonly storeUrl: string;
  readonly #redisPort: number;
  readonly #storePort: number;
  readonly #proxies = new Map<Wire, FaultProxy>();

  constructor(given: { readonly index: number; readonly redisPort: number; readonly takePort: () => number }) {
    this.host = `127.1.0.${given.index + 1}`;
    this.#redisPort = given.redisPort;
    this.#storePort = given.takePort();
    this.storeUrl = `redis://127.0.0.1:${this.#storePort}`;
  }

  /** Starts the proxies; does nothing when they run. */
  async open(ports: { readonly dataPort: number; readonly peerPort: number }): Promise<void> {
    if (this.#proxies.size > 0) return;
    const wires: readonly (readonly [Wire, { readonly host?: string; readonly port: number }, number])[] = [
      ['data', { host: this.host, port: ports.dataPort }, ports.dataPort],
      ['peer', { host: this.host, port: ports.peerPort }, ports.peerPort],
      ['store', { port: this.#storePort }, this.#redisPort],
    ];
    for (const [wire, listen, port] of wires) {
      this.#proxies.set(wire, await FaultProxy.listen({ listen, target: { host: '127.0.0.1', port } }));
    }
  }

  /** The fault of these wires from now on. */
  async set(fault: Fault, ...wires: readonly Wire[]): Promise<void> {
    await Promise.all(wires.map((wire) => this.proxy(wire).set(fault)));
  }

  /** A sidecar that does not run refuses connections; its proxies would accept them. */
  async listens(does: boolean): Promise<void> {
    if (this.#proxies.size > 0) await this.set({ kind: does ? 'pass' : 'refuse' }, 'data', 'peer');
  }

  proxy(wire: Wire): FaultProxy {
    const proxy = this.#proxies.get(wire);
    if (proxy === undefined) throw new Error(`the proxy of ${this.host} to ${wire} does not run yet`);
    return proxy;
  }

  async close(): Promise<void> {
    const proxies = [...this.#proxies.values()];
    this.#proxies.clear();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
}
