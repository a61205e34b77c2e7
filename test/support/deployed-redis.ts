/**
 * The Redis of a deployment under test: killed, frozen and started again by tests, on the same port.
 *
 * Must not know what is kept in it.
 */

import { cp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Place } from './deployed-parts.ts';
import type { RunningProcess } from './processes.ts';

export class DeployedRedis {
  readonly port: number;
  readonly url: string;
  readonly #place: Place;
  readonly #keeps: boolean;
  #process: RunningProcess | undefined;

  /** keeps: every acknowledged write is on its disk; else, killed and started again, it has forgotten everything. */
  constructor(place: Place, options: { readonly keeps: boolean }) {
    this.#place = place;
    this.#keeps = options.keeps;
    this.port = place.takePort();
    this.url = `redis://127.0.0.1:${this.port}`;
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error('Redis was never started');
    return this.#process;
  }

  async start(): Promise<void> {
    const persistence = this.#keeps ? ['yes', '--appendfsync', 'always'] : ['no'];
    const fixed = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.#place.folder, '--save', ''];
    this.#process = this.#place.processes.start('redis', ['redis-server', ...fixed, '--appendonly', ...persistence]);
    await this.#process.ready('answers', async () => (await replyTo(this.port, 'PING')) === '+PONG');
  }

  /** How many keys it has. */
  async size(): Promise<number> {
    return Number((await replyTo(this.port, 'DBSIZE')).slice(1));
  }

  /** Copies what it keeps, as a backup does. Only where it keeps something, and nothing is being written. */
  async backUp(): Promise<void> {
    await cp(this.#data, `${this.#data}.backup`, { recursive: true });
  }

  /** Kills it and starts it again with what the last backup has. */
  async restoreBackup(): Promise<void> {
    await this.process.kill('SIGKILL');
    await rm(this.#data, { recursive: true });
    await cp(`${this.#data}.backup`, this.#data, { recursive: true });
    await this.start();
  }

  /** Where Redis 7 and Valkey keep their append-only files. */
  get #data(): string {
    return join(this.#place.folder, 'appendonlydir');
  }
}

/** The first line that an inline Redis command is answered. */
function replyTo(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString('latin1').split('\r\n')[0]!);
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}
