/**
 * A port at which nobody answers, not even the kernel: a listener that never accepts, with a full queue, so that Linux
 * drops every further SYN. What a node without power looks like to those who connect. It shares the port
 * (SO_REUSEPORT) with the listener it takes over from, so that no connection is refused meanwhile.
 *
 * Must not know whom it replaces.
 */

import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';

import type { Address } from '../../src/base/address.ts';
import { freePort } from './free-port.ts';

/** A backlog of 1 holds two connections; more are sent so that it is full for sure. */
const fillers = 4;

/** Blocks its thread as soon as it listens, so that its loop never accepts. */
const program = `
const { createServer } = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');
createServer().listen({ ...workerData.address, backlog: 1, reusePort: true }, () => {
  parentPort.postMessage('listens');
  setImmediate(() => Atomics.wait(workerData.gate, 0, 0));
});`;

export class SilentListener {
  readonly #worker: Worker;
  readonly #address: { readonly host: string; readonly port: number };
  readonly #fillers: Socket[] = [];

  private constructor(worker: Worker, address: { readonly host: string; readonly port: number }) {
    this.#worker = worker;
    this.#address = address;
  }

  /** Listens beside whoever listens there with reusePort. @throws Error where the address can't be shared. */
  static async listen(address: { readonly host: string; readonly port: number }): Promise<SilentListener> {
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(program, { eval: true, workerData: { address, gate } });
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
    return new SilentListener(worker, address);
  }

  /** To be called when nobody else listens there any more: from then on every SYN is dropped. */
  fill(): void {
    for (let filler = 0; filler < fillers; filler++) {
      this.#fillers.push(connect(this.#address).on('error', () => undefined));
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
    for (const socket of this.#fillers) socket.destroy();
  }
}

/** @param port a free one where none is given. @returns where nobody answers until the test is over */
export async function silentAddress(t: TestContext, port?: number): Promise<Address> {
  const address = { host: '127.0.0.1', port: port ?? (await freePort()) };
  const listener = await SilentListener.listen(address);
  t.after(() => listener.close());
  listener.fill();
  return address;
}
