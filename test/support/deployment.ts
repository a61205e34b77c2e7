/**
 * A deployment of Holdfast as its documentation describes it, with real processes on loopback: one Redis, pods (an
 * application and a sidecar each, with a session directory of their own) and gateways, all from configuration files.
 * Tests kill, stop and start its parts by name.
 *
 * Must not know anything of Holdfast but its commands, its configuration keys, its probes and its access log.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { request } from 'undici';
import { applications, applicationSecrets } from './applications.ts';
import type { Application, ApplicationName } from './applications.ts';
import { Browser } from './cookie-jar.ts';
import { freePorts } from './free-port.ts';
import { Processes, nodeProgram, repositoryRoot } from './processes.ts';
import type { ProcessEnd, RunningProcess } from './processes.ts';

type Settings = Readonly<Record<string, unknown>>;

export interface DeploymentOptions {
  /** One of the examples, by its name, or another one. */
  readonly application: ApplicationName | Application;
  readonly pods?: number;
  readonly gateways?: number;
  /** Top-level keys of every sidecar's or gateway's configuration, merged one level deep over the usual ones. */
  readonly sidecar?: Settings;
  readonly gateway?: Settings;
  /** False: Redis is not started with the rest. */
  readonly redis?: boolean;
}

/** Starts everything and waits until it is ready; everything is killed and removed when the test ends. A failed test
 * shows the last words of every process. */
export async function deploy(t: TestContext, options: DeploymentOptions): Promise<Deployment> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  const deployment = new Deployment(folder, { options, ports: await freePorts(2 + 20 * 5) });
  t.after(async () => {
    if (!t.passed) t.diagnostic(await deployment.lastWords());
    await deployment.close();
    await rm(folder, { recursive: true, force: true });
  });
  await deployment.start();
  return deployment;
}

const secrets = {
  ...applicationSecrets,
  HOLDFAST_STORE_KEY: 'an example store key, open to all who read',
  HOLDFAST_PIN_KEY: 'an example pin key, open to all who read',
};

/** Shorter than an operator's, so that a test that waits for one stays short. */
const timeouts = { drain: '3s', drainDelay: '100ms' };

export class Deployment {
  readonly pods: readonly DeployedPod[];
  readonly gateways: readonly DeployedGateway[];
  readonly redis: DeployedRedis;
  readonly application: Application;
  readonly #processes = new Processes();
  readonly #browsers: Browser[] = [];
  readonly #withRedis: boolean;

  /** Use deploy(). */
  constructor(folder: string, given: { readonly options: DeploymentOptions; readonly ports: readonly number[] }) {
    const { options } = given;
    const ports = [...given.ports];
    const place = { folder, processes: this.#processes, takePort: () => ports.pop()! };
    const { application } = options;
    this.application = typeof application === 'string' ? applications[application] : application;
    this.#withRedis = options.redis ?? true;
    this.redis = new DeployedRedis(place);
    const shared = { application: this.application, redis: this.redis.url };
    this.pods = Array.from({ length: options.pods ?? 3 }, (_, index) => {
      const name = `pod-${'abcdefghij'[index]!}`;
      return new DeployedPod(place, { ...shared, name, settings: options.sidecar ?? {} });
    });
    this.gateways = Array.from({ length: options.gateways ?? 1 }, (_, index) => {
      const pods = this.pods.map((pod) => `${pod.name}=127.0.0.1:${pod.dataPort}`);
      return new DeployedGateway(place, {
        ...shared,
        name: `gateway-${index + 1}`,
        pods,
        settings: options.gateway ?? {},
      });
    });
  }

  async start(): Promise<void> {
    if (this.#withRedis) await this.redis.start();
    await Promise.all([...this.pods, ...this.gateways].map((part) => part.start()));
  }

  /** Every pod says that the store answers it, and that no session waits to be stored. */
  async isStored(): Promise<boolean> {
    const pages = await Promise.all(this.pods.map(({ sidecar }) => sidecar.probe('/metrics')));
    return pages.every(
      ({ text }) =>
        /^holdfast_store_up(?:\{[^}]*\})? 1$/m.test(text) && /^holdfast_sessions_unsynced(?:\{[^}]*\})? 0$/m.test(text),
    );
  }

  /** Ends every process and answers the end of its output. */
  lastWords(): Promise<string> {
    return this.#processes.lastWords();
  }

  async close(): Promise<void> {
    await Promise.all(this.#browsers.map((browser) => browser.close()));
    await this.#processes.close();
  }

  /** A new user at the first gateway. */
  browser(options: { readonly timeoutMs?: number } = {}): Browser {
    const browser = new Browser(this.gateways[0]!.origin, options);
    this.#browsers.push(browser);
    return browser;
  }

  /** The pod whose application answers this user now. Asks through the gateway, as any request. */
  async podOf(browser: Browser): Promise<DeployedPod> {
    const who = await browser.text('/who');
    const pod = this.pods.find(({ applicationPort }) => who.endsWith(` ${applicationPort}`));
    if (pod === undefined) throw new Error(`/who answered ${who}, which is no pod's port`);
    return pod;
  }
}

interface Place {
  readonly folder: string;
  readonly processes: Processes;
  takePort(): number;
}

interface Shared {
  readonly application: Application;
  readonly redis: string;
  readonly name: string;
  readonly settings: Settings;
}

/** A Holdfast process in one of its roles. */
class HoldfastProcess {
  readonly #place: Place;
  readonly #name: string;
  readonly #probesPort: number;
  #configuration: Settings;
  #process: RunningProcess | undefined;

  constructor(place: Place, given: { name: string; configuration: Settings; settings: Settings }) {
    this.#place = place;
    this.#name = given.name;
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
    await this.process.ready('answers 200 at /readyz', () => this.isReady());
  }

  /** Starts the process and does not wait for anything. */
  async launch(): Promise<void> {
    await writeFile(this.#file, JSON.stringify(this.#configuration, undefined, 2));
    this.#process = this.#holdfast(this.#name, ['run']);
  }

  /** Runs another command with this process's configuration file, to its end. */
  async command(...words: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
    const process = this.#holdfast(`${this.#name} ${words.join(' ')}`, words);
    const { code } = await process.ended;
    return { code, output: process.output };
  }

  async isReady(): Promise<boolean> {
    return (await this.probe('/readyz')).status === 200;
  }

  /** `/startz`, `/readyz`, `/livez` or `/metrics` of the probes' listener. */
  async probe(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await request(`http://127.0.0.1:${this.#probesPort}${path}`);
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  get #file(): string {
    return join(this.#place.folder, `${this.#name}.json`);
  }

  #holdfast(name: string, words: readonly string[]): RunningProcess {
    const cli = join(repositoryRoot, 'src/cli.ts');
    return this.#place.processes.start(name, [nodeProgram, cli, ...words, '--config', this.#file], { env: secrets });
  }
}

/** The application and its sidecar: what Kubernetes would call a pod. */
export class DeployedPod {
  readonly name: string;
  readonly applicationPort: number;
  readonly dataPort: number;
  /** The application's session files of this pod; they stay when it is killed. */
  readonly sessions: string;
  readonly sidecar: HoldfastProcess;
  readonly #place: Place;
  readonly #application: Application;
  readonly #storage: string;
  #applicationProcess: RunningProcess | undefined;

  constructor(place: Place, shared: Shared) {
    this.name = shared.name;
    this.#place = place;
    this.#application = shared.application;
    this.applicationPort = place.takePort();
    this.dataPort = place.takePort();
    this.#storage = join(place.folder, this.name);
    this.sessions = shared.application.sessions(this.#storage);
    const configuration = {
      role: 'sidecar',
      listen: `127.0.0.1:${this.dataPort}`,
      admin: `unix:${join(place.folder, `${this.name}.sock`)}`,
      session: sessionSettings(shared.application),
      store: storeSettings(shared.redis),
      pod: { name: this.name, uid: `${this.name}-uid-1` },
      peer: { listen: `127.0.0.1:${place.takePort()}` },
      application: `127.0.0.1:${this.applicationPort}`,
      sessions: { directory: this.sessions },
    };
    this.sidecar = new HoldfastProcess(place, {
      name: `${this.name}-sidecar`,
      configuration,
      settings: shared.settings,
    });
  }

  get applicationProcess(): RunningProcess {
    if (this.#applicationProcess === undefined) throw new Error(`${this.name}'s application was never started`);
    return this.#applicationProcess;
  }

  async start(): Promise<void> {
    await this.startApplication();
    await this.sidecar.start();
  }

  async startApplication(): Promise<void> {
    await mkdir(this.sessions, { recursive: true });
    const { command, env } = this.#application.command({ port: this.applicationPort, storage: this.#storage });
    const name = `${this.name}-application`;
    this.#applicationProcess = this.#place.processes.start(name, command, { env: { ...applicationSecrets, ...env } });
    await this.#applicationProcess.ready('accepts connections', () => accepts(this.applicationPort));
  }

  /** kill -9 of the application and the sidecar at once. */
  async kill(): Promise<void> {
    await Promise.all([this.applicationProcess.kill('SIGKILL'), this.sidecar.process.kill('SIGKILL')]);
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

export class DeployedRedis {
  readonly port: number;
  readonly url: string;
  readonly #place: Place;
  #process: RunningProcess | undefined;

  constructor(place: Place) {
    this.#place = place;
    this.port = place.takePort();
    this.url = `redis://127.0.0.1:${this.port}`;
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error('Redis was never started');
    return this.#process;
  }

  /** An empty Redis that keeps nothing on disk: killed and started again it has forgotten everything. */
  async start(): Promise<void> {
    const args = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--appendonly', 'no'] as const;
    this.#process = this.#place.processes.start('redis', ['redis-server', ...args]);
    await this.#process.ready('accepts connections', () => accepts(this.port));
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
