/**
 * Keeps each pod's annotation `controller.kubernetes.io/pod-deletion-cost` at the number of sessions that are its own, so
 * that a Deployment which is scaled in loses the pods with the fewest (docs/decisions/deletion-cost.md).
 *
 * The numbers are the sidecars' own, from their last hello. An annotation is written when its number has changed by a
 * fifth, at most twice a minute, and in a bounded number at a time: the API server has other work. Several gateways write
 * the same; what changes nothing costs the API server no write. Failures are told once, and tried again.
 *
 * It patches `pods/status`: there a patch reaches annotations and can not reach what a pod runs. Must not know sessions.
 */

import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type SourceError, SourceFailure } from '../pods/pod-source.ts';
import { readApiAccess } from './read-access.ts';
import { ApiClient } from './api-client.ts';

/** A pod as its source names it, and how many sessions are its own. */
export interface PodCost {
  readonly name: string;
  /** The Kubernetes uid; undefined: the source does not say it. */
  readonly uid: string | undefined;
  readonly sessions: number;
}

export interface DeletionCostsOptions {
  /** Undefined: our own. */
  readonly namespace: string | undefined;
  /** Those that serve; a pod of which nothing is known yet is left out. */
  readonly pods: () => readonly PodCost[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
}

const annotation = 'controller.kubernetes.io/pod-deletion-cost';
const roundMs = 10_000;
/** After a round that failed; doubled up to the other. */
const failedRoundMs = 20_000;
const failedRoundMaxMs = 300_000;
/** Between two writes of one annotation. */
const restMs = 30_000;
const writesPerRound = 50;
/** A change that is worth a write: this part of what is written, and at least one session. */
const changedBy = 0.2;
/** What ends a round: the next pod would meet it too. */
const ofAll: ReadonlySet<SourceError> = new Set(['unreachable', 'silent', 'unauthenticated']);
/** The annotation is a 32-bit number. */
const costMax = 2 ** 31 - 1;

interface Written {
  readonly uid: string | undefined;
  readonly cost: number;
  readonly atMs: number;
}

export class DeletionCosts {
  readonly counters = { written: 0, failed: 0 };
  readonly #options: DeletionCostsOptions;
  readonly #written = new Map<string, Written>();
  /** Pods whose last write was not taken: they come last, so that nobody waits behind them. */
  readonly #refused = new Set<string>();
  #timer: Timer | undefined;
  #failures = 0;
  #stopped = false;

  constructor(options: DeletionCostsOptions) {
    this.#options = options;
  }

  /** Writes now and then until stop(). */
  start(): void {
    this.#next(roundMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #next(afterMs: number): void {
    if (!this.#stopped) this.#timer = this.#options.clock.after(afterMs, () => void this.#round());
  }

  async #round(): Promise<void> {
    const isWell = await this.#writeDue();
    if (isWell) this.#failures = 0;
    else this.#failures++;
    this.#next(isWell ? roundMs : Math.min(failedRoundMs * 2 ** Math.min(this.#failures - 1, 10), failedRoundMaxMs));
  }

  /** Whether nothing failed. Never rejects. */
  async #writeDue(): Promise<boolean> {
    const { pods, env, clock, log, namespace } = this.#options;
    const all = pods();
    this.#forgetOthers(all);
    const due = all
      .filter((pod) => isDue(pod, this.#written.get(pod.name), clock.monotonicMs()))
      .toSorted((one, other) => Number(this.#refused.has(one.name)) - Number(this.#refused.has(other.name)));
    if (due.length === 0) return true;
    let client: ApiClient | undefined;
    try {
      // Read again each time: tokens are renewed.
      const access = await readApiAccess(env);
      client = new ApiClient(access, '`patch` on `pods/status`');
      let failure: SourceFailure | undefined;
      for (const pod of due.slice(0, writesPerRound)) {
        if (this.#isStopped()) return true;
        failure = (await this.#tryWrite(client, namespace ?? access.namespace, pod)) ?? failure;
      }
      if (failure !== undefined) throw failure;
      return true;
    } catch (error) {
      this.counters.failed++;
      if (this.#failures === 0) log.warn({ error }, 'pods get no deletion cost; it is tried again');
      return false;
    } finally {
      client?.destroy();
    }
  }

  /** What the API server has against this pod's write. @throws SourceFailure that concerns all pods */
  async #tryWrite(client: ApiClient, namespace: string, pod: PodCost): Promise<SourceFailure | undefined> {
    try {
      await this.#write(client, namespace, pod);
      return undefined;
    } catch (error) {
      this.#refused.add(pod.name);
      if (!(error instanceof SourceFailure) || ofAll.has(error.kind)) throw error;
      return error;
    }
  }

  /** @throws SourceFailure */
  async #write(client: ApiClient, namespace: string, { name, uid, sessions }: PodCost): Promise<void> {
    const cost = Math.min(sessions, costMax);
    // With its uid another pod of the same name is refused: it is none of ours.
    const metadata = { ...(uid === undefined ? {} : { uid }), annotations: { [annotation]: String(cost) } };
    if (await client.mergePatch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, { metadata })) {
      this.counters.written++;
      this.#written.set(name, { uid, cost, atMs: this.#options.clock.monotonicMs() });
      this.#refused.delete(name);
    } else this.#refused.add(name);
  }

  #forgetOthers(pods: readonly PodCost[]): void {
    const names = new Set(pods.map(({ name }) => name));
    for (const name of this.#written.keys()) if (!names.has(name)) this.#written.delete(name);
    for (const name of this.#refused) if (!names.has(name)) this.#refused.delete(name);
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}

/** Whether a pod's annotation is to be written at `nowMs` (monotonic). */
export function isDue({ uid, sessions }: PodCost, written: Written | undefined, nowMs: number): boolean {
  if (written === undefined || written.uid !== uid) return true;
  if (nowMs - written.atMs < restMs) return false;
  return Math.abs(Math.min(sessions, costMax) - written.cost) >= Math.max(1, written.cost * changedBy);
}
