/**
 * Real programs for tests: started with their output captured, killed by process id, and never left behind. Each
 * program leads a process group of its own, so that its children go with it; the kernel kills it (setpriv) when the
 * test's process itself is killed.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { until } from './until.ts';

/** The Debian package that brings each program. */
const packages: Readonly<Record<string, string>> = {
  php: 'php-cli',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  nginx: 'nginx-light',
  apache2: 'libapache2-mod-php',
  haproxy: 'haproxy',
  caddy: 'caddy',
  curl: 'curl',
  taskset: 'util-linux',
  wrk: 'wrk',
  openssl: 'openssl',
  python3: 'python3-venv',
};

/** Node 26 of the node package, whatever runs the tests. */
export const nodeProgram = join(import.meta.dirname, '../../node_modules/.bin/node');
export const repositoryRoot = join(import.meta.dirname, '../..');

/** Output kept for each process; older text is forgotten. */
const outputCharsMax = 8 * 1024 * 1024;
const lastWordsChars = 2000;

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Sees all output as it comes. */
  readonly tap?: (text: string) => void;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** All programs of one test; `t.after(() => processes.close())` ends them whatever happens. */
export class Processes {
  readonly #running = new Set<RunningProcess>();
  readonly #started: RunningProcess[] = [];
  readonly #onExit = () => {
    for (const process of this.#running) process.signal('SIGKILL');
  };

  constructor() {
    process.once('exit', this.#onExit);
  }

  /**
   * Starts a program from PATH, or by its absolute path.
   * @throws Error naming the Debian package where the program is missing.
   */
  start(
    name: string,
    command: readonly [program: string, ...args: string[]],
    options: StartOptions = {},
  ): RunningProcess {
    const [program, ...args] = command;
    const running = new RunningProcess(name, [findProgram(program), ...args], options);
    this.#running.add(running);
    this.#started.push(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Asks what runs to end, so that it writes its log out, and answers the end of every program's output. */
  async lastWords(): Promise<string> {
    for (const running of this.#running) running.signal('SIGTERM');
    await until('all have ended', () => this.#running.size === 0).catch(() => undefined);
    return this.#started.map(({ name, output }) => `--- ${name}\n${output.slice(-lastWordsChars)}`).join('\n');
  }

  /** Kills what still runs (SIGKILL) and waits for its end. */
  async close(): Promise<void> {
    process.off('exit', this.#onExit);
    await Promise.all([...this.#running].map((running) => running.kill('SIGKILL')));
  }
}

export class RunningProcess {
  readonly name: string;
  /** Resolves when the process and its output have ended. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  #output = '';
  #end: ProcessEnd | undefined;

  /** Use Processes.start(), which also ends it. */
  constructor(name: string, command: readonly string[], options: StartOptions) {
    this.name = name;
    const tied = existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL', '--', ...command] : command;
    this.#child = spawn(tied[0]!, tied.slice(1), {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#keep(text);
        options.tap?.(text);
      });
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#keep(`${error.message}\n`);
        this.#end ??= { code: null, signal: null };
        resolve(this.#end);
      });
      this.#child.once('exit', (code, signal) => {
        this.#end ??= { code, signal };
      });
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.name} did not start: ${this.#output}`);
    return pid;
  }

  get running(): boolean {
    return this.#end === undefined && this.#child.pid !== undefined;
  }

  /** Standard output and error together, the newest 8 Mi characters. */
  get output(): string {
    return this.#output;
  }

  /** Complete lines of output that are JSON objects: the log of a Holdfast process. */
  get logLines(): readonly Readonly<Record<string, unknown>>[] {
    const complete = this.#output.slice(0, this.#output.lastIndexOf('\n') + 1);
    return complete.split('\n').flatMap((line) => {
      const value = parseObject(line);
      return value === undefined ? [] : [value];
    });
  }

  /** Signals the process and its children; does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (!this.running) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // It ended between the look and the signal.
    }
  }

  /** Signals and waits for the end; a process that a SIGSTOP holds is let go first. */
  async kill(signal: NodeJS.Signals): Promise<ProcessEnd> {
    this.signal(signal);
    if (signal !== 'SIGKILL') this.signal('SIGCONT');
    return this.ended;
  }

  /**
   * Polls until the check holds.
   * @throws Error with the process's output where it ended before, or the deadline passed.
   */
  async ready(what: string, check: () => boolean | Promise<boolean>, options?: { deadlineMs?: number }): Promise<void> {
    try {
      await until(`${this.name} ${what}`, async () => !this.running || (await check()), options);
    } catch (error) {
      throw new Error(`${(error as Error).message}\noutput of ${this.name}:\n${this.#output.slice(-4000)}`, {
        cause: error,
      });
    }
    if (!this.running) {
      throw new Error(
        `${this.name} ended (${JSON.stringify(this.#end)}) before it ${what}:\n${this.#output.slice(-4000)}`,
      );
    }
  }

  #keep(text: string): void {
    this.#output += text;
    if (this.#output.length > 2 * outputCharsMax) this.#output = this.#output.slice(-outputCharsMax);
  }
}

const setpriv = '/usr/bin/setpriv';

/** @throws Error naming the Debian package of a program that is not installed. */
export function findProgram(program: string): string {
  const places = program.includes('/')
    ? [program]
    : [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'].map((folder) => join(folder, program));
  const found = places.find(isExecutable);
  if (found !== undefined) return found;
  const debian = packages[program];
  throw new Error(`${program} is missing${debian === undefined ? '' : `: apt-get install ${debian}`}`);
}

/** @throws Error naming the Debian package of a file that is not there. */
export function requireFile(path: string, debian: string): void {
  if (!existsSync(path)) throw new Error(`${path} is missing: apt-get install ${debian}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
