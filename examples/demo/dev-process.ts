// `holdfast dev` as a child process of the demo: its pods by name, killed and brought back from outside.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { until } from '../../test/support/until.ts';

interface DevProcessOptions {
  readonly root: string;
  readonly preset: string;
  readonly command: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

interface RunningPod {
  readonly pid: number;
  readonly port: number;
  readonly sessions: string;
}

const linesMax = 200;

export class DevProcess {
  readonly #child: ChildProcess;
  readonly #running = new Map<string, RunningPod>();
  readonly #sessions = new Map<string, string>();
  readonly #lines: string[] = [];
  #origin: string | undefined;
  #ended = false;

  constructor(options: DevProcessOptions) {
    const { root, preset, command, environment } = options;
    this.#child = spawn(
      process.execPath,
      [join(root, 'src/cli.ts'), 'dev', '--replicas', '3', '--port', '0', '--preset', preset, '--', ...command],
      { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#read(line));
    }
    this.#child.once('exit', () => (this.#ended = true));
  }

  /** The names of the pods that run. */
  get pods(): readonly string[] {
    return [...this.#running.keys()];
  }

  /** Resolves with the gateway's origin once it serves. */
  ready(): Promise<string> {
    return until(
      'holdfast dev serves',
      () => {
        if (this.#ended) throw new Error('it has ended');
        return this.#origin;
      },
      { deadlineMs: 20_000 },
    );
  }

  podAt(port: number): string {
    for (const [name, pod] of this.#running) if (pod.port === port) return name;
    throw new Error(`no running pod has port ${port}`);
  }

  hasSessionFile(pod: string, id: string): boolean {
    const folder = this.#sessions.get(pod) ?? '';
    return [id, `${id}.json`, `sess_${id}`].some((name) => existsSync(join(folder, name)));
  }

  /** kill -9 of the replica's process; its keeper dies with it. */
  async kill(pod: string): Promise<void> {
    const running = this.#running.get(pod);
    if (running === undefined) throw new Error(`${pod} does not run`);
    process.kill(running.pid, 'SIGKILL');
    await until(`${pod} is gone`, () => !this.#running.has(pod), { deadlineMs: 10_000 });
  }

  /** Has every dead replica started again, on its old directory, and waits until all serve. */
  async restartDead(): Promise<void> {
    this.#child.kill('SIGUSR2');
    await until('all replicas are back', () => this.#running.size === 3, { deadlineMs: 20_000 });
  }

  /** The last lines that it printed. */
  output(): string {
    return this.#lines.map((line) => `  | ${line}`).join('\n');
  }

  async stop(): Promise<void> {
    if (this.#ended) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exit;
  }

  #read(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > linesMax) this.#lines.shift();
    const up = /^(pod-\d+) up pid (\d+) port (\d+) sessions (.+)$/.exec(line);
    if (up !== null) {
      this.#sessions.set(up[1]!, up[4]!);
      this.#running.set(up[1]!, { pid: Number(up[2]), port: Number(up[3]), sessions: up[4]! });
    }
    const down = /^(pod-\d+) down/.exec(line);
    if (down !== null) this.#running.delete(down[1]!);
    const open = /^open (http:\S+)$/.exec(line);
    if (open !== null) this.#origin = open[1];
  }
}
