/**
 * The listening sockets of a process with workers: for each address one for each worker, bound here and inherited by
 * the workers (docs/decisions/workers.md). The kernel shares connections out among them (SO_REUSEPORT, socket(7)).
 *
 * The parent never accepts. It holds the sockets open, so that what waits in the queue of a worker that dies or is
 * replaced waits for its successor.
 *
 * Must not know who the workers are.
 */

import { lookup } from 'node:dns/promises';
import * as net from 'node:net';
import { type Address, formatAddress } from '../base/address.ts';
import { HoldfastError } from '../base/errors.ts';

/** Whether this Node can bind a socket that others accept from (since 26.4). */
export const canBindForOthers = typeof net.BoundSocket === 'function';

export class ListenSockets {
  /** By address as configured; the n-th of two equal ones (port 0) has a name of its own. */
  readonly #held = new Map<string, net.BoundSocket[]>();

  /**
   * Binds what is not held yet.
   * @returns for a worker (from 0) the descriptors of its sockets in this process, in the order of the addresses.
   * @throws HoldfastError 'listen-failed'; nothing is held then that was not held before.
   */
  async take(addresses: readonly Address[], workers: number): Promise<(worker: number) => readonly number[]> {
    const added: { readonly held: net.BoundSocket[]; readonly socket: net.BoundSocket }[] = [];
    const rows: net.BoundSocket[][] = [];
    for (const [index, address] of addresses.entries()) {
      const name = nameOf(addresses, index);
      const held = this.#held.get(name) ?? [];
      rows.push(held);
      try {
        const host = await numeric(address.host);
        // The kernel would let two processes share the address without a word.
        if (held.length === 0 && address.port !== 0) new net.BoundSocket({ host, port: address.port }).close();
        while (held.length < workers) {
          const port = held[0]?.address().port ?? address.port;
          const socket = new net.BoundSocket({ host, port, reusePort: true });
          held.push(socket);
          added.push({ held, socket });
        }
      } catch (cause) {
        for (const { held: row, socket } of added) {
          row.splice(row.indexOf(socket), 1);
          socket.close();
        }
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new HoldfastError('listen-failed', `${formatAddress(address)}: ${why}`, { cause });
      }
    }
    for (const [index, row] of rows.entries()) this.#held.set(nameOf(addresses, index), row);
    return (worker) => rows.map((row) => row[worker]!.fd());
  }

  /** Closes all others. What waits in their queues is reset, unless a worker still has them. */
  keepOnly(addresses: readonly Address[], workers: number): void {
    const kept = new Set(addresses.map((_, index) => nameOf(addresses, index)));
    for (const [name, row] of this.#held) {
      if (!kept.has(name)) this.#held.delete(name);
      for (const socket of row.splice(kept.has(name) ? workers : 0)) socket.close();
    }
  }

  /** Each worker's own copies stay open until it closes them. */
  close(): void {
    this.keepOnly([], 0);
  }
}

function nameOf(addresses: readonly Address[], index: number): string {
  const name = formatAddress(addresses[index]!);
  const before = addresses.slice(0, index).filter((other) => formatAddress(other) === name).length;
  return before === 0 ? name : `${name} (${before + 1})`;
}

async function numeric(host: string): Promise<string> {
  return net.isIP(host) === 0 ? (await lookup(host)).address : host;
}
