/**
 * Watches which of Holdfast's scripts a Redis executes (MONITOR), in the moment it does.
 *
 * Must not know who sent them.
 */

import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { RedisScript } from '../../src/store/redis-scripts.ts';
import { until } from './until.ts';

/** Longer than any line that names a script. */
const keptChars = 4 * 1024 * 1024;

export class RedisMonitor {
  readonly #socket: Socket;
  #text = '';

  /** Use RedisMonitor.open(). */
  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1', () => this.#socket.write('MONITOR\r\n'));
    this.#socket.on('error', () => undefined).setEncoding('latin1');
    this.#socket.on('data', (text: string) => (this.#text = (this.#text + text).slice(-keptChars)));
  }

  /** Watches from when it resolves until the test ends. */
  static async open(t: TestContext, port: number): Promise<RedisMonitor> {
    const monitor = new RedisMonitor(port);
    t.after(() => monitor.#socket.destroy());
    await until('Redis tells what it does', () => monitor.#text.startsWith('+OK'));
    return monitor;
  }

  /** How often this script was called since. */
  calls(script: RedisScript): number {
    return this.#text.split(`"evalsha" "${script.sha}"`).length - 1;
  }

  /** Calls back synchronously when Redis tells of the next call. */
  onNext(script: RedisScript, then: () => void): void {
    const before = this.calls(script);
    const look = (): void => {
      if (this.calls(script) === before) return;
      this.#socket.off('data', look);
      then();
    };
    this.#socket.on('data', look);
  }
}
