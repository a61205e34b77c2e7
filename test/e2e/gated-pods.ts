/**
 * Two deployed pods, P and Q, whose application stops where a test wants it to, each behind fault proxies: what the
 * traces of the ownership protocol need. Every trace uses a session of its own.
 */

import type { TestContext } from 'node:test';
import { Browser } from '../support/cookie-jar.ts';
import type { CookieJar } from '../support/cookie-jar.ts';
import { prepare, type DeployedPod, type Deployment } from '../support/deployment.ts';
import { gatedApplication } from '../support/gates.ts';
import { until } from '../support/until.ts';

export interface GatedPods {
  readonly deployment: Deployment;
  readonly p: DeployedPod;
  readonly q: DeployedPod;
}

export interface GatedOptions {
  readonly gateways?: number;
  readonly elsewhere?: 'forward' | 'adopt';
  /** Before anything is started. */
  readonly configure?: (pods: GatedPods) => void;
}

/** P lets answers out without the store, Q refuses them. Redis keeps what it has acknowledged. */
export async function gatedPods(t: TestContext, options: GatedOptions = {}): Promise<GatedPods> {
  const { gateways = 0, elsewhere = 'adopt' } = options;
  const session = { cookie: 'sid' };
  const deployment = await prepare({
    application: gatedApplication,
    pods: 2,
    gateways,
    redisKeeps: true,
    faultProxies: true,
    sidecar: { session, sessions: { elsewhere }, timeouts: { drain: '3s', lock: '1s' } },
    gateway: { session },
  });
  t.after(async () => {
    if (!t.passed) t.diagnostic(await deployment.lastWords());
    await deployment.close();
  });
  const [p, q] = deployment.pods as readonly [DeployedPod, DeployedPod];
  q.sidecar.configure({ sessions: { onStoreDown: 'refuse' } });
  options.configure?.({ deployment, p, q });
  await deployment.start();
  return { deployment, p, q };
}

/** What a client has in its hands in the end: a complete answer, or none. */
export type Ending = { readonly status: number; readonly text: string } | 'cut';

export class Visitor {
  readonly #t: TestContext;
  readonly #browser: Browser;

  /** @param jar of somebody who has been here before */
  constructor(t: TestContext, jar?: CookieJar) {
    this.#t = t;
    this.#browser = new Browser('', { timeoutMs: 30_000, ...(jar === undefined ? {} : { jar }) });
    t.after(() => this.#browser.close());
  }

  /** The session's id, as this visitor has it. */
  get id(): string | undefined {
    return this.#browser.jar.get('sid');
  }

  /** Whoever has the same cookies at this moment. */
  twin(): Visitor {
    return new Visitor(this.#t, this.#browser.jar.copy());
  }

  /** Asks this pod, as a Service without a gateway does. */
  at(pod: DeployedPod, path: string): Promise<Ending> {
    return this.from(`http://127.0.0.1:${pod.dataPort}`, path);
  }

  async from(origin: string, path: string): Promise<Ending> {
    this.#browser.origin = origin;
    try {
      const { status, text } = await this.#browser.get(path);
      return { status, text };
    } catch {
      return 'cut';
    }
  }
}

/** An answer that a client may believe in. */
export function complete(text: string | number): Ending {
  return { status: 200, text: String(text) };
}

/** Every sidecar says that the store answers it. */
export async function storeIsUp({ deployment }: GatedPods): Promise<void> {
  await until('every pod has stored everything', () => deployment.isStored());
}
