/**
 * One replica of `holdfast dev`: the user's command as a child process with its own port and session directory.
 *
 * Must not know the proxy, the keeper or the terminal; it tells its listener what happens to the process.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';

import type { Preset } from '../affinity/session-codec.ts';

export interface DevReplicaOptions {
  /** From 1. */
  readonly number: number;
  readonly port: number;
  /** The replica's own folder; everything it writes by our doing is below it. */
  readonly folder: string;
  readonly preset: Preset;
  /** argv; `{port}`, `{sessions}` and `{replica}` are replaced in each word. */
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onLine: (line: string) => void;
  /** The process has been started. */
  readonly onStart: () => void;
  /** The process ended, in words ("killed by SIGKILL", "exit code 1"); also after kill(). */
  readonly onExit: (how: string) => void;
}

/** How long the output of a process that has ended is waited for. */
const lastWordsMs = 500;

export class DevReplica {
  readonly #options: DevReplicaOptions;
  readonly name: string;
  /** Where this replica's session files are expected. */
  readonly sessions: string;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: DevReplicaOptions) {
    this.#options = options;
    this.name = `pod-${options.number}`;
    this.sessions =
      options.preset === 'laravel' ? join(this.#storage(), 'framework/sessions') : join(options.folder, 'sessions');
  }

  get port(): number {
    return this.#options.port;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Starts the command in a process group of its own, so that workers it forks die with it. */
  start(): void {
    if (this.#child !== undefined) return;
    this.#makeFolders();
    const [program, ...words] = this.#argv();
    const child = spawn(program, words, {
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    this.#options.onStart();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', this.#options.onLine);
    }
    const { promise, resolve } = Promise.withResolvers<string>();
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      const how = signal === null ? `exit code ${code ?? 0}` : `killed by ${signal}`;
      this.#killGroup(child, 'SIGKILL');
      // Its last words come before its end, unless something that left the group keeps them open.
      child.once('close', () => resolve(how));
      // Behind a look at what has come: where this process itself was held up, all of it may be there.
      setTimeout(() => setImmediate(resolve, how), lastWordsMs);
    });
    this.#ended = promise.then((how) => {
      this.#child = undefined;
      this.#options.onExit(how);
    });
  }

  /** Kills it and resolves when it has ended. */
  async stop(): Promise<void> {
    this.kill('SIGKILL');
    await this.#ended;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#child !== undefined) this.#killGroup(this.#child, signal);
  }

  #argv(): [string, ...string[]] {
    const fill = (word: string): string =>
      word
        .replaceAll('{port}', String(this.#options.port))
        .replaceAll('{sessions}', this.sessions)
        .replaceAll('{replica}', String(this.#options.number));
    const [program, ...words] = this.#options.command;
    // PHP's own session handler is told by its setting; Laravel and others pay no attention to it.
    const settings = /^php[\d.]*$/.test(basename(program)) ? ['-d', `session.save_path=${this.sessions}`] : [];
    return [fill(program), ...settings, ...words.map(fill)];
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      ...this.#options.environment,
      PORT: String(this.#options.port),
      SESSIONS: this.sessions,
      REPLICA: String(this.#options.number),
      ...(this.#options.preset === 'laravel' ? { LARAVEL_STORAGE_PATH: this.#storage() } : {}),
    };
  }

  #storage(): string {
    return join(this.#options.folder, 'storage');
  }

  #makeFolders(): void {
    mkdirSync(this.sessions, { recursive: true });
    if (this.#options.preset !== 'laravel') return;
    for (const folder of ['framework/views', 'framework/cache/data', 'logs', 'app']) {
      mkdirSync(join(this.#storage(), folder), { recursive: true });
    }
  }

  #killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // The group is gone already.
    }
  }
}
