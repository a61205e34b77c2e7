/**
 * A real Redis primary with replicas, and real sentinels that watch it, all on loopback and with short timeouts.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

export interface SentinelsOptions {
  readonly replicas?: number;
  readonly sentinels?: number;
  /** More options of every data server. */
  readonly args?: readonly string[];
  /** More lines of every sentinel's configuration. */
  readonly sentinelLines?: readonly string[];
}

export class RedisSentinels {
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];

  private constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** Starts all of them; resolves when every sentinel knows the others and the replicas. */
  static async start(options: SentinelsOptions = {}): Promise<RedisSentinels> {
    const { replicas = 1, sentinels = 3, args = [], sentinelLines = [] } = options;
    const primary = await RedisServer.start({ args: ['--repl-diskless-sync-delay', '0', ...args] });
    const replicaOf = ['--replicaof', `127.0.0.1 ${primary.port}`, '--repl-diskless-sync-delay', '0', ...args];
    const copies = await Promise.all(Array.from({ length: replicas }, () => RedisServer.start({ args: replicaOf })));
    const lines = [
      `sentinel monitor main 127.0.0.1 ${primary.port} ${Math.floor(sentinels / 2) + 1}`,
      'sentinel down-after-milliseconds main 500',
      'sentinel failover-timeout main 3000',
      ...sentinelLines,
    ];
    const watchers = await Promise.all(Array.from({ length: sentinels }, () => startSentinel(lines)));
    const group = new RedisSentinels([primary, ...copies], watchers);
    await until('every sentinel knows the others and the replicas', async () => {
      const seen = await Promise.all(watchers.map((watcher) => watcher.execute('SENTINEL', 'MASTER', 'main')));
      return seen.every(
        (fields) =>
          Number(field(fields, 'num-other-sentinels')) === sentinels - 1 &&
          Number(field(fields, 'num-slaves')) === replicas,
      );
    });
    await until('the replicas follow', async () => {
      const links = await Promise.all(copies.map((copy) => copy.execute('INFO', 'replication')));
      return links.every((info) => String(info).includes('master_link_status:up'));
    });
    return group;
  }

  /** @param access `user:password@`, or nothing. */
  url(access = ''): string {
    const hosts = this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return `redis+sentinel://${access}${hosts}/main/0`;
  }

  /** The server that the first sentinel that answers calls the primary. */
  async primary(): Promise<RedisServer> {
    for (const sentinel of this.sentinels) {
      const reply = await sentinel.execute('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main').catch(() => undefined);
      const found = Array.isArray(reply) && this.servers.find(({ port }) => port === Number(reply[1]));
      if (found) return found;
    }
    throw new Error('no sentinel knows the primary');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.stop()));
  }
}

function startSentinel(lines: readonly string[]): Promise<RedisServer> {
  return RedisServer.start({
    prepare: async (directory) => {
      const file = join(directory, 'sentinel.conf');
      await writeFile(file, `${lines.join('\n')}\n`);
      return [file, '--sentinel'];
    },
  });
}

function field(fields: unknown, name: string): unknown {
  return Array.isArray(fields) ? (fields[fields.indexOf(name) + 1] as unknown) : undefined;
}
