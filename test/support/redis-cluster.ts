/**
 * A real Redis Cluster on loopback: three masters with a third of the slots each, the first with a replica if asked.
 */

import { RedisServer } from './redis-server.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

export interface ClusterOptions {
  /** Gives the first master a replica. */
  readonly replica?: boolean;
  /** More options of every node. */
  readonly args?: readonly string[];
}

const slots = [
  [0, 5460],
  [5461, 10_922],
  [10_923, 16_383],
] as const;

export class RedisCluster {
  readonly masters: readonly RedisServer[];
  readonly replica: RedisServer | undefined;

  private constructor(masters: readonly RedisServer[], replica: RedisServer | undefined) {
    this.masters = masters;
    this.replica = replica;
  }

  /** Starts the nodes; resolves when all of them say that the cluster is whole. */
  static async start(options: ClusterOptions = {}): Promise<RedisCluster> {
    const count = slots.length + (options.replica === true ? 1 : 0);
    const buses: number[] = [];
    const starts = await Promise.allSettled(
      Array.from({ length: count }, async (_, index) => {
        buses[index] = await freePort();
        const own = [
          '--cluster-enabled',
          'yes',
          '--cluster-port',
          String(buses[index]),
          '--cluster-node-timeout',
          '1000',
        ];
        const lax = ['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'];
        return RedisServer.start({ args: [...own, ...lax, ...(options.args ?? [])] });
      }),
    );
    const nodes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const failed = starts.find((start) => start.status === 'rejected');
    if (failed !== undefined) {
      await Promise.all(nodes.map((node) => node.stop()));
      throw failed.reason;
    }
    const masters = nodes.slice(0, slots.length);
    const [first, ...others] = nodes;
    for (const [index, [from, to]] of slots.entries()) {
      await masters[index]!.execute('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }
    for (const [index, node] of nodes.entries()) {
      await node.execute('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const [index, { port }] of others.entries()) {
      await first!.execute('CLUSTER', 'MEET', '127.0.0.1', port, buses[index + 1]!);
    }
    const replica = nodes[slots.length];
    const cluster = new RedisCluster(masters, replica);
    await until('the nodes know each other', async () => {
      const infos = await Promise.all(nodes.map((node) => node.execute('CLUSTER', 'INFO')));
      return infos.every((info) => String(info).includes(`cluster_known_nodes:${count}`));
    });
    if (replica !== undefined) await replica.execute('CLUSTER', 'REPLICATE', await cluster.id(first!));
    await until('the cluster is whole', async () => {
      const infos = await Promise.all(nodes.map((node) => node.execute('CLUSTER', 'INFO')));
      return infos.every((info) => /cluster_state:ok[^]*cluster_slots_ok:16384/.test(String(info)));
    });
    if (replica !== undefined) {
      await until('the replica follows', async () =>
        String(await replica.execute('INFO', 'replication')).includes('master_link_status:up'),
      );
    }
    return cluster;
  }

  get nodes(): readonly RedisServer[] {
    return this.replica === undefined ? this.masters : [...this.masters, this.replica];
  }

  url(access = ''): string {
    return `redis+cluster://${access}${this.masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** A node's name in the cluster. */
  async id(node: RedisServer): Promise<string> {
    return String(await node.execute('CLUSTER', 'MYID'));
  }

  /** The number of the master that has a key's slot by the division at the start. */
  async placeOf(key: string): Promise<{ readonly slot: number; readonly master: number }> {
    const slot = Number(await this.masters[0]!.execute('CLUSTER', 'KEYSLOT', key));
    return { slot, master: slots.findIndex(([from, to]) => slot >= from && slot <= to) };
  }

  /** Moves a slot with its keys from one master to another, as redis-cli --cluster reshard does. */
  async move(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    const [source, target] = await Promise.all([this.id(from), this.id(to)]);
    await to.execute('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source);
    await from.execute('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target);
    for (;;) {
      const keys = await from.execute('CLUSTER', 'GETKEYSINSLOT', slot, 10);
      if (!Array.isArray(keys) || keys.length === 0) break;
      for (const key of keys) await from.execute('MIGRATE', '127.0.0.1', to.port, String(key), 0, 5000);
    }
    for (const node of [to, from, ...this.masters.filter((other) => other !== to && other !== from)]) {
      await node.execute('CLUSTER', 'SETSLOT', slot, 'NODE', target);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}
