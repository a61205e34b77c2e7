/**
 * A real redis-server on a free loopback port, with a directory of its own that goes with it.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const program = 'redis-server';

export interface RedisServerOptions {
  /** Persists every write and comes back with the data after a restart. */
  readonly appendOnly?: boolean;
  /** More command-line options: ['--maxmemory', '2mb']. */
  readonly args?: readonly string[];
  /** Writes files before the first start; what it answers comes first on the command line. */
  readonly prepare?: (directory: string) => Promise<readonly string[]>;
}

export class RedisServer {
  readonly port: number;
  readonly directory: string;
  readonly #args: readonly string[];
  /** What precedes our own options: the file of a sentinel. */
  readonly #first: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(place: { port: number; directory: string }, first: readonly string[], args: readonly string[]) {
    this.port = place.port;
    this.directory = place.directory;
    this.#first = first;
    this.#args = args;
  }

  /** Starts a server and waits until it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-redis-'));
    const persistence = options.appendOnly === true ? ['--appendonly', 'yes', '--appendfsync', 'always'] : [];
    const first = (await options.prepare?.(directory)) ?? [];
    const args = [...persistence, ...(options.args ?? [])];
    const server = new RedisServer({ port: await freePort(), directory }, first, args);
    try {
      await server.run();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('redis-server does not run');
    return pid;
  }

  /** Runs it (again) on the same port and directory. */
  async run(): Promise<void> {
    const fixed = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory, '--save', ''];
    const saved = this.#first.includes('--sentinel') ? fixed.slice(0, -2) : fixed;
    const child = spawn(program, [...this.#first, ...saved, ...this.#args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let output = '';
    const collect = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-4000));
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const ended = new Promise<never>((_, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'ENOENT' ? new Error(`install ${program} (Debian: redis-server)`) : error),
      );
      child.once('exit', () => reject(new Error(`${program} ended at its start:\n${output}`)));
    });
    // It ends later too, when nobody waits for this promise any more.
    ended.catch(() => undefined);
    await Promise.race([ended, until(`${program} answers`, () => this.#answers())]);
  }

  /** Inline commands (`FLUSHALL`, `CONFIG SET ...`) on one connection, each answered in one line; the last answer. */
  command(...lines: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(lines.map((line) => `${line}\r\n`).join('')));
      let received = '';
      socket.on('data', (data) => {
        const replies = (received += data.toString('latin1')).split('\r\n');
        if (replies.length <= lines.length) return;
        socket.destroy();
        resolve(replies[lines.length - 1]!);
      });
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('redis-server closed the connection')));
    });
  }

  /** One command with any arguments, on a connection of its own; the reply as ioredis reads it. */
  async execute(command: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const client = new Redis({ port: this.port, host: '127.0.0.1', retryStrategy: null, enableReadyCheck: false });
    client.on('error', () => undefined);
    try {
      return await client.call(command, [...args]);
    } finally {
      client.disconnect();
    }
  }

  /** SIGSTOP: connections stay and nothing is answered. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  /** SIGCONT. */
  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** SIGKILL; data and port stay for run(). */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.run();
  }

  /** Ends it and removes its directory. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const reply = await this.command('PING').catch(() => '');
    return reply !== '' && !reply.startsWith('-LOADING');
  }

  #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  }
}
