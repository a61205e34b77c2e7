/** `holdfast dev` as a user starts it: a process whose lines are read, and whose pods are known by them. */

import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { Browser } from '../support/cookie-jar.ts';
import { nodeProgram, Processes, type RunningProcess, repositoryRoot } from '../support/processes.ts';
import { until } from '../support/until.ts';

export interface DevPod {
  readonly pid: number;
  readonly port: number;
  readonly sessions: string;
}

export interface DevStart {
  readonly flags?: readonly string[];
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Starts it in another way, with these words behind: a terminal, say. */
  readonly around?: (words: readonly string[]) => readonly [string, ...string[]];
}

export class DevUnderTest {
  readonly process: RunningProcess;
  /** A temporary folder of its own: what is left in it was left behind. */
  readonly folder: string;
  readonly #browsers: Browser[] = [];

  private constructor(process: RunningProcess, folder: string) {
    this.process = process;
    this.folder = folder;
  }

  static start(t: TestContext, { flags = [], command, env = {}, around }: DevStart): DevUnderTest {
    const processes = new Processes();
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-dev-test-'));
    const words = [nodeProgram, join(repositoryRoot, 'src/cli.ts'), 'dev', ...flags, '--', ...command] as const;
    const process = processes.start('dev', around?.(words) ?? words, { env: { TMPDIR: folder, ...env } });
    const dev = new DevUnderTest(process, folder);
    t.after(async () => {
      if (!t.passed) t.diagnostic(dev.output);
      await Promise.all(dev.#browsers.map((browser) => browser.close()));
      // Its replicas are in groups of their own: only dev itself can end them.
      process.signal('SIGTERM');
      await process.ended;
      await processes.close();
      await rm(folder, { recursive: true, force: true });
    });
    return dev;
  }

  /** What it printed; a terminal's line ends are as usual. */
  get output(): string {
    return this.process.output.replaceAll('\r', '');
  }

  /** Pods that are up, by name. */
  get pods(): ReadonlyMap<string, DevPod> {
    const pods = new Map<string, DevPod>();
    for (const line of this.output.split('\n')) {
      const up = /^(pod-\d+) up pid (\d+) port (\d+) sessions (.+)$/.exec(line);
      if (up !== null) pods.set(up[1]!, { pid: Number(up[2]), port: Number(up[3]), sessions: up[4]! });
      const down = /^(pod-\d+) down: /.exec(line);
      if (down !== null) pods.delete(down[1]!);
    }
    return pods;
  }

  /** Temporary folders of dev that are there now. */
  get leftFolders(): readonly string[] {
    return readdirSync(this.folder).filter((name) => name.startsWith('holdfast-dev-'));
  }

  /** Waits until it serves, and opens it. */
  async browser(): Promise<Browser> {
    const said = (): string | undefined => /^open (http:\S+)$/m.exec(this.output)?.[1];
    await this.process.ready('serves', () => said() !== undefined, { deadlineMs: 60_000 });
    const browser = new Browser(said()!);
    this.#browsers.push(browser);
    return browser;
  }

  says(words: string | RegExp, count = 1): Promise<unknown> {
    const pattern = typeof words === 'string' ? undefined : new RegExp(words, 'gm');
    const times = (): number =>
      pattern === undefined ? this.output.split(words as string).length - 1 : [...this.output.matchAll(pattern)].length;
    return until(`dev says ${String(words)} (${this.output.slice(-3000)})`, () => times() >= count, {
      deadlineMs: 60_000,
    });
  }

  /** The pod that answers this browser: /who tells its port. */
  async podOf(browser: Browser): Promise<string> {
    const port = Number((await browser.text('/who')).split(' ')[1]);
    for (const [name, pod] of this.pods) if (pod.port === port) return name;
    throw new Error(`no pod with port ${port}`);
  }
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
