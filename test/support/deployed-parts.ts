/**
 * The parts of a deployment under test: pods (an application and its sidecar) and gateways, each real processes
 * with a configuration file. deployment.ts puts them together.
 *
 * Must not know anything of Holdfast but its commands, its configuration keys, its probes and its access log.
 */

import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { applicationSecrets } from './applications.ts';
import type { Application } from './applications.ts';
import type { PodNetwork } from './pod-network.ts';
import { nodeProgram, repositoryRoot, requireFile } from './processes.ts';
import type { Processes, ProcessEnd, RunningProcess } from './processes.ts';

export type Settings = Readonly<Record<string, unknown>>;

/** What the configuration files name by `env:`. */
export const deployedSecrets = {
  ...applicationSecrets,
  HOLDFAST_STORE_KEY: 'an example store key, open to all who read',
  HOLDFAST_PIN_KEY: 'an example pin key, open to all who read',
};

/** Many start at once, on a machine that may be busy. */
const startMs = 90_000;
/**
 * Where a test waits for one: shorter than an operator's. Where a busy machine could meet one for no other reason than
 * that it is busy, so that a store that answers late counts as one that is down: longer.
 */
const timeouts = { drain: '3s', drainDelay: '100ms', store: '2s', lookup: '1s' };

export interface Place {
  readonly folder: string;
  readonly processes: Processes;
  takePort(): number;
  /** Sees all output of every Holdfast process as it comes. */
  readonly tap?: ((process: string, text: string) => void) | undefined;
}

export interface Shared {
  readonly application: Application;
  readonly redis: string;
  readonly name: string;
  readonly settings: Settings;
}

interface ProcessOptions {
  readonly name: string;
  readonly configuration: Settings;
  readonly settings: Settings;
  readonly env?: Readonly<Record<string, string>>;
  /** Told when it is ready, and when it has ended. */
  readonly listens?: (does: boolean) => Promise<void>;
}

/** A Holdfast process in one of its roles. */
export class HoldfastProcess {
  readonly #place: Place;
  readonly #name: string;
  readonly #probesPort: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #listens: (does: boolean) => Promise<void>;
  #configuration: Settings;
  #process: RunningProcess | undefined;

  constructor(place: Place, given: ProcessOptions) {
    this.#place = place;
    this.#name = given.name;
    this.#env = given.env ?? {};
    this.#listens = given.listens ?? (() => Promise.resolve());
    this.#probesPort = place.takePort();
    const usual = { ...given.configuration, probes: `127.0.0.1:${this.#probesPort}`, timeouts };
    this.#configuration = merge(usual, given.settings);
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error(`${this.#name} was never started`);
    return this.#process;
  }

  /** The place of its admin window, as configured. */
  get admin(): unknown {
    return this.#configuration['admin'];
  }

  /** Merges over the configuration file of the next start. */
  configure(settings: Settings): void {
    this.#configuration = merge(this.#configuration, settings);
  }

  async start(): Promise<void> {
    await this.launch();
    await this.process.ready('answers 200 at /readyz', () => this.isReady(), { deadlineMs: startMs });
    await this.#listens(true);
  }

  /** Merges over its configuration and writes the file, whether it runs or not. */
  async write(settings: Settings = {}): Promise<void> {
    this.configure(settings);
    await writeFile(this.#file, JSON.stringify(this.#configuration, undefined, 2));
  }

  /** Starts the process and does not wait for anything. */
  async launch(): Promise<void> {
    await this.write();
    const process = this.#holdfast(this.#name, ['run']);
    this.#process = process;
    void process.ended.then(() => (this.#process === process ? this.#listens(false) : undefined));
  }

  /** Runs another command with this process's configuration file, to its end. */
  async command(...words: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
    const process = this.#holdfast(`${this.#name} ${words.join(' ')}`, words);
    const { code } = await process.ended;
    return { code, output: process.output };
  }

  /** The probes' listener: `host:port`. */
  get probesAddress(): string {
    return `127.0.0.1:${this.#probesPort}`;
  }

  async isReady(): Promise<boolean> {
    return (await this.probe('/readyz')).status === 200;
  }

  /** `/startz`, `/readyz`, `/livez` or `/metrics` of the probes' listener. */
  async probe(path: string): Promise<{ readonly status: number; readonly text: string }> {
    // On a connection of its own: one that was kept could be closing, or belong to the process of before.
    const answer = await request(`http://127.0.0.1:${this.#probesPort}${path}`, { reset: true });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  get #file(): string {
    return join(this.#place.folder, `${this.#name}.json`);
  }

  #holdfast(name: string, words: readonly string[]): RunningProcess {
    const cli = join(repositoryRoot, 'src/cli.ts');
    const { tap } = this.#place;
    return this.#place.processes.start(name, [nodeProgram, cli, ...words, '--config', this.#file], {
      env: { ...deployedSecrets, ...this.#env },
      ...(tap === undefined ? {} : { tap: (text) => tap(this.#name, text) }),
    });
  }
}

interface PodOptions extends Shared {
  readonly network?: PodNetwork | undefined;
  /** Its processes' clocks are so much ahead (negative: behind). */
  readonly clockSkewMs?: number | undefined;
  /** Its session directory is a file system of its own of this size; needs root. */
  readonly diskBytes?: number | undefined;
}

/** The application and its sidecar: what Kubernetes would call a pod. */
export class DeployedPod {
  readonly name: string;
  readonly applicationPort: number;
  readonly dataPort: number;
  readonly peerPort: number;
  /** The application's session files of this pod; they stay when it is killed. */
  readonly sessions: string;
  readonly sidecar: HoldfastProcess;
  /** Where its fault proxies are; undefined: it is reached directly. */
  readonly network: PodNetwork | undefined;
  readonly #place: Place;
  readonly #application: Application;
  readonly #storage: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #diskBytes: number | undefined;
  #isMounted = false;
  #applicationProcess: RunningProcess | undefined;

  constructor(place: Place, shared: PodOptions) {
    this.name = shared.name;
    this.network = shared.network;
    this.#diskBytes = shared.diskBytes;
    this.#env = shared.clockSkewMs === undefined ? {} : skewedClock(shared.clockSkewMs);
    this.#place = place;
    this.#application = shared.application;
    this.applicationPort = place.takePort();
    this.dataPort = place.takePort();
    this.peerPort = place.takePort();
    this.#storage = join(place.folder, this.name);
    this.sessions = shared.application.sessions(this.#storage);
    const configuration = {
      role: 'sidecar',
      listen: `127.0.0.1:${this.dataPort}`,
      admin: `unix:${join(place.folder, `${this.name}.sock`)}`,
      session: sessionSettings(shared.application),
      store: storeSettings(this.network?.storeUrl ?? shared.redis),
      pod: { name: this.name, uid: `${this.name}-uid-1` },
      peer: {
        listen: `127.0.0.1:${this.peerPort}`,
        ...(this.network === undefined ? {} : { advertise: this.network.host }),
      },
      application: `127.0.0.1:${this.applicationPort}`,
      sessions: { directory: this.sessions },
    };
    this.sidecar = new HoldfastProcess(place, {
      name: `${this.name}-sidecar`,
      configuration,
      settings: shared.settings,
      env: this.#env,
      listens: async (does) => this.network?.listens(does),
    });
  }

  /** Where gateways and clients reach its sidecar: `host:port`. */
  get address(): string {
    return `${this.network?.host ?? '127.0.0.1'}:${this.dataPort}`;
  }

  get applicationProcess(): RunningProcess {
    if (this.#applicationProcess === undefined) throw new Error(`${this.name}'s application was never started`);
    return this.#applicationProcess;
  }

  async start(): Promise<void> {
    await this.network?.open({ dataPort: this.dataPort, peerPort: this.peerPort });
    await this.#mount();
    await this.startApplication();
    await this.sidecar.start();
  }

  /** Ends its network and its file system; its processes must have ended. */
  async close(): Promise<void> {
    await this.network?.close();
    if (this.#isMounted) await promisify(execFile)('umount', [this.sessions]);
    this.#isMounted = false;
  }

  /** @throws Error of mount(8) where this is not root. */
  async #mount(): Promise<void> {
    if (this.#diskBytes === undefined || this.#isMounted) return;
    await mkdir(this.sessions, { recursive: true });
    await promisify(execFile)('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${this.#diskBytes}`,
      'holdfast-test',
      this.sessions,
    ]);
    this.#isMounted = true;
  }

  async startApplication(): Promise<void> {
    await mkdir(this.sessions, { recursive: true });
    const { command, env } = this.#application.command({ port: this.applicationPort, storage: this.#storage });
    const name = `${this.name}-application`;
    this.#applicationProcess = this.#place.processes.start(name, command, {
      env: { ...applicationSecrets, ...env, ...this.#env },
    });
    await this.#applicationProcess.ready('accepts connections', () => accepts(this.applicationPort), {
      deadlineMs: startMs,
    });
  }

  /** kill -9 of the application and the sidecar at once. */
  async kill(): Promise<void> {
    await Promise.all([this.applicationProcess.kill('SIGKILL'), this.killSidecar()]);
  }

  /** kill -9 of the sidecar alone. Its proxies refuse from that moment on, not when this process hears of the end. */
  async killSidecar(): Promise<void> {
    await this.network?.listens(false);
    await this.sidecar.process.kill('SIGKILL');
  }

  /** As the kubelet ends a pod with a native sidecar: the application first, then the sidecar; the sidecar's end. */
  async terminate(): Promise<ProcessEnd> {
    await this.applicationProcess.kill('SIGTERM');
    return this.sidecar.process.kill('SIGTERM');
  }
}

export class DeployedGateway extends HoldfastProcess {
  readonly origin: string;

  constructor(place: Place, shared: Shared & { readonly pods: readonly string[] }) {
    const port = place.takePort();
    const configuration = {
      role: 'gateway',
      listen: `127.0.0.1:${port}`,
      admin: `127.0.0.1:${place.takePort()}`,
      session: sessionSettings(shared.application),
      store: storeSettings(shared.redis),
      pods: { static: shared.pods },
      affinity: { pinKey: 'env:HOLDFAST_PIN_KEY' },
    };
    super(place, { name: shared.name, configuration, settings: shared.settings });
    this.origin = `http://127.0.0.1:${port}`;
  }

  /** The access lines of one path, oldest first. */
  accessLines(path: string): readonly Readonly<Record<string, unknown>>[] {
    return this.process.logLines.filter((line) => line['path'] === path && 'affinity' in line);
  }
}

function sessionSettings(application: Application): Settings {
  return {
    preset: application.preset,
    lifetime: '2h',
    ...(application.secretNames.length === 0 ? {} : { keys: application.secretNames.map((name) => `env:${name}`) }),
  };
}

function storeSettings(url: string): Settings {
  return { url, key: 'env:HOLDFAST_STORE_KEY', prefix: 'example' };
}

function merge(base: Settings, over: Settings): Settings {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    merged[key] = isSettings(old) && isSettings(value) ? { ...old, ...value } : value;
  }
  return merged;
}

function isSettings(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

/**
 * The environment of a process whose wall clock is wrong; its monotonic clock and the times of files are the machine's.
 * @throws Error naming the Debian package where libfaketime is missing.
 */
function skewedClock(skewMs: number): Readonly<Record<string, string>> {
  requireFile(faketime, 'libfaketime');
  return {
    LD_PRELOAD: faketime,
    FAKETIME: `${skewMs < 0 ? '-' : '+'}${Math.round(Math.abs(skewMs) / 1000)}s`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
}
