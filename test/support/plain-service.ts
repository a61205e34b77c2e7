/**
 * A Kubernetes Service without affinity, as kube-proxy makes it: each new connection goes to the next ready pod, and
 * stays there. Pods are taken out and put back by tests, as readiness and termination do it in a cluster.
 */

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export class PlainService {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #ports: readonly number[];
  #turn: number;

  /** Use PlainService.open(). */
  constructor(ports: readonly number[], turn: number) {
    this.#ports = ports;
    this.#turn = turn;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** @param turn the pod that the first connection goes to */
  static async open(t: TestContext, ports: readonly number[], turn = 0): Promise<PlainService> {
    const service = new PlainService(ports, turn);
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      service.#server.close();
      for (const socket of service.#sockets) socket.destroy();
    });
    return service;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** New connections go elsewhere; those there are stay. */
  takeOut(port: number): void {
    this.#ports = this.#ports.filter((known) => known !== port);
  }

  putBack(port: number): void {
    this.#ports = [...this.#ports, port];
  }

  #accept(client: Socket): void {
    const port = this.#ports[this.#turn++ % this.#ports.length];
    if (port === undefined) {
      client.destroy();
      return;
    }
    const pod = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, pod],
      [pod, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy()).once('close', () => this.#sockets.delete(one));
      one.pipe(other);
    }
  }
}
