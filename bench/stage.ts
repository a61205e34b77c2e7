/**
 * Where contenders are measured: their processes on one core, load and backends on the other, each contender on a
 * port of its own in front of the same backends. Nobody is measured who has not proved that it answers correctly
 * and sticks.
 *
 * Must not know what is measured.
 */

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, freePorts } from '../test/support/free-port.ts';
import { Processes, findProgram } from '../test/support/processes.ts';
import type { RunningProcess } from '../test/support/processes.ts';
import type { Backend, Command, Contender, Place, Started, Visitor } from './contender.ts';
import { writeBodies } from './bodies.ts';
import { meetVisitors } from './load.ts';
import { startBackends } from './traffic.ts';
import type { Traffic } from './traffic.ts';

const readyMs = 20_000;
/** More backends than this share ports, on several addresses. */
const portsMax = 100;

/** With two cores and more, proxies have one and everything else another: fewer surprises between rounds. */
const cores = availableParallelism() > 1;
const onCore = (core: number, command: Command): Command =>
  cores ? ['taskset', '-c', String(core), ...command] : command;

export interface Running {
  readonly name: string;
  readonly contender: Contender;
  readonly traffic: Traffic;
  readonly origin: string;
  readonly port: number;
  readonly front: RunningProcess;
  /** Whose processor time and memory are the contender's. */
  readonly own: readonly number[];
  /** Whose processor time is shown beside it. */
  readonly beside: readonly number[];
  readonly visitors: readonly Visitor[];
  /** Ends its processes. */
  stop(): Promise<void>;
}

export class Stage {
  readonly processes: Processes;
  readonly folder: string;
  readonly onLoadCore = (command: Command): Command => onCore(1, command);
  readonly #backends = new Map<string, Promise<readonly Backend[]>>();
  #started = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.processes = new Processes();
  }

  /** @throws Error naming the Debian package where a program that every measurement needs is missing. */
  static async open(): Promise<Stage> {
    for (const program of ['wrk', 'nginx', ...(cores ? ['taskset'] : [])]) findProgram(program);
    const stage = new Stage(await mkdtemp(join(tmpdir(), 'holdfast-bench-')));
    await writeBodies(stage.folder);
    return stage;
  }

  async close(): Promise<void> {
    await this.processes.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The backends of a traffic; they are started at its first use. */
  backends(traffic: Traffic): Promise<readonly Backend[]> {
    let backends = this.#backends.get(traffic.name);
    if (backends === undefined) {
      const { processes, folder } = this;
      backends = freePorts(Math.min(traffic.pods, portsMax)).then((ports) =>
        startBackends(traffic, { processes, folder, ports, pinned: this.onLoadCore }),
      );
      this.#backends.set(traffic.name, backends);
    }
    return backends;
  }

  /**
   * Starts a contender and lets it prove itself.
   * @throws Error with the last it said where it is not fit to be measured.
   */
  async introduce(contender: Contender, traffic: Traffic, special: Partial<Place> = {}): Promise<Running> {
    const name = nameUnder(contender, traffic);
    const folder = join(this.folder, `${this.#started++}-${name.replaceAll(/[^A-Za-z0-9]+/g, '-')}`);
    await mkdir(folder);
    const backends = await this.backends(traffic);
    const port = await freePort();
    const pinned = (command: Command) => onCore(0, command);
    const { processes } = this;
    const place = { processes, folder, port, traffic, backends, pinned, pinnedBeside: this.onLoadCore, ...special };
    const started = await contender.start(place);
    try {
      const origin = `${special.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
      const { front } = started;
      await front.ready('answers 200', async () => (await fetch(`${origin}/`)).status === 200, { deadlineMs: readyMs });
      const body = await (await fetch(`http://${backends[0]!.host}:${backends[0]!.port}/`)).text();
      const visitors = await meetVisitors(origin, { body, numbered: traffic.numbered });
      await started.prepare?.(visitors);
      return { name, contender, traffic, origin, port, front, visitors, ...whose(started), stop: () => stop(started) };
    } catch (error) {
      await stop(started);
      const said = started.front.output.slice(-2000);
      throw new Error(`${name} is not fit to be measured: ${(error as Error).message}\n${said}`, { cause: error });
    }
  }
}

/** A contender's name in tables. */
export function nameUnder(contender: Contender, traffic: Traffic): string {
  return traffic.suffix === '' ? contender.name : `${contender.name}, ${traffic.suffix}`;
}

function whose({ front, behind = [], beside = [] }: Started): Pick<Running, 'own' | 'beside'> {
  return { own: [front, ...behind].map(({ pid }) => pid), beside: beside.map(({ pid }) => pid) };
}

async function stop({ front, behind = [], beside = [] }: Started): Promise<void> {
  await Promise.all([front, ...behind, ...beside].map((process) => process.kill('SIGKILL')));
}
