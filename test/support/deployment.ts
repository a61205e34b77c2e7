/**
 * A deployment of Holdfast as its documentation describes it, with real processes on loopback: one Redis, pods (an
 * application and a sidecar each, with a session directory of their own) and gateways, all from configuration files.
 * Tests kill, stop and start its parts by name.
 *
 * Must not know anything of Holdfast but its commands, its configuration keys, its probes and its access log.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { applications } from './applications.ts';
import type { Application, ApplicationName } from './applications.ts';
import { Browser } from './cookie-jar.ts';
import { DeployedGateway, DeployedPod } from './deployed-parts.ts';
import type { Settings } from './deployed-parts.ts';
import { DeployedRedis } from './deployed-redis.ts';
import { freePorts } from './free-port.ts';
import { PodNetwork } from './pod-network.ts';
import { Processes } from './processes.ts';
import { until } from './until.ts';

export type { DeployedGateway, DeployedPod } from './deployed-parts.ts';

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
  /** Redis keeps every acknowledged write on its disk (AOF, always); by default it keeps nothing. */
  readonly redisKeeps?: boolean;
  /** Everybody reaches a pod, and each pod reaches Redis, through fault proxies of its own. */
  readonly faultProxies?: boolean;
  /** Every pod's session directory is a file system of its own of this size; needs root. */
  readonly diskBytes?: number;
  /** For each pod in turn: how far its clocks are ahead of the machine's. */
  readonly clockSkewsMs?: readonly number[];
  /** Sees all output of every Holdfast process as it comes. */
  readonly tap?: (process: string, text: string) => void;
}

/** Starts everything and waits until it is ready; everything is killed and removed when the test ends. A failed test
 * shows the last words of every process. */
export async function deploy(t: TestContext, options: DeploymentOptions): Promise<Deployment> {
  const deployment = await prepare(options);
  t.after(async () => {
    if (!t.passed) t.diagnostic(await deployment.lastWords());
    await deployment.close();
  });
  await deployment.start();
  return deployment;
}

/** As deploy(), for a caller who starts it and closes it. */
export async function prepare(options: DeploymentOptions): Promise<Deployment> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  return new Deployment(folder, { options, ports: await freePorts(2 + 20 * 5) });
}

export class Deployment {
  readonly pods: readonly DeployedPod[];
  readonly gateways: readonly DeployedGateway[];
  readonly redis: DeployedRedis;
  readonly application: Application;
  readonly #processes = new Processes();
  readonly #browsers: Browser[] = [];
  readonly #withRedis: boolean;
  readonly #folder: string;

  /** Use deploy() or prepare(). */
  constructor(folder: string, given: { readonly options: DeploymentOptions; readonly ports: readonly number[] }) {
    const { options } = given;
    const ports = [...given.ports];
    const place = { folder, processes: this.#processes, takePort: () => ports.pop()!, tap: options.tap };
    this.#folder = folder;
    const { application } = options;
    this.application = typeof application === 'string' ? applications[application] : application;
    this.#withRedis = options.redis ?? true;
    this.redis = new DeployedRedis(place, { keeps: options.redisKeeps ?? false });
    const shared = { application: this.application, redis: this.redis.url };
    this.pods = Array.from({ length: options.pods ?? 3 }, (_, index) => {
      const name = `pod-${'abcdefghij'[index]!}`;
      const network =
        options.faultProxies === true
          ? new PodNetwork({ index, redisPort: this.redis.port, takePort: place.takePort })
          : undefined;
      const settings = options.sidecar ?? {};
      return new DeployedPod(place, {
        ...shared,
        name,
        settings,
        network,
        clockSkewMs: options.clockSkewsMs?.[index],
        diskBytes: options.diskBytes,
      });
    });
    this.gateways = Array.from({ length: options.gateways ?? 1 }, (_, index) => {
      const pods = this.pods.map((pod) => `${pod.name}=${pod.address}`);
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

  /** Every gateway counts every pod as ready: one that began before a pod may take a second to see it. */
  async gatewaysKnowPods(): Promise<void> {
    const all = new RegExp(`^holdfast_pods\\{[^}]*state="ready"[^}]*\\} ${this.pods.length}$`, 'm');
    for (const gateway of this.gateways)
      await until(`the gateway at ${gateway.origin} knows all pods`, async () =>
        all.test((await gateway.probe('/metrics')).text),
      );
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
    await Promise.all(this.pods.map((pod) => pod.close()));
    await rm(this.#folder, { recursive: true, force: true });
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
