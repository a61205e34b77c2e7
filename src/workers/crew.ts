/**
 * The workers of a process as one thing that starts, is replaced, and ends. One that dies is started again
 * (restart-rule.ts); one that hangs is killed, and so dies.
 *
 * Must not know what workers do, nor what signals and configurations say.
 */

import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { StopManner, ToWorker } from './messages.ts';
import { afterDeath, type Deaths, noDeaths } from './restart-rule.ts';
import { type StartResult, WorkerProcess } from './worker-process.ts';

/** What workers are made of. */
export interface CrewPlan {
  readonly workers: number;
  readonly config: unknown;
  /** For a worker (from 0) the descriptors of its listening sockets. */
  readonly descriptorsOf: (worker: number) => readonly number[];
  /** How long one may take to end in order. */
  readonly endBoundMs: number;
}

export type CrewStart = Extract<StartResult, { kind: 'failed' }> | { readonly kind: 'serving' };

export interface CrewOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** A worker's place is given up: it died again and again before it served. */
  readonly gaveUp: (why: string) => void;
  /** A worker has ended; it is in `all` no more. */
  readonly ended: (worker: WorkerProcess, how: 'in-order' | 'died') => void;
}

/** One of the workers' places. */
interface Place {
  readonly number: number;
  worker: WorkerProcess | undefined;
  deaths: Deaths;
  restart: Timer | undefined;
}

/** From the first word to the first connection: pods are asked (5 s), and many start at once. */
const startBoundMs = 60_000;
const lookEveryMs = 1000;
/** How long an end without waiting may take. */
const hurryMs = 1000;
/** Workers that end while others serve in their places; each is as large as one that serves. */
const leavingMax = 64;
/** Looks in a row without a word from a worker. Who answers late is busy and not hung. */
const silentLooksMax = 10;
const stopping: CrewStart = { kind: 'failed', exitCode: 2, why: 'the process is stopping' };

export class Crew {
  readonly #options: CrewOptions;
  #plan: CrewPlan | undefined;
  #places: Place[] = [];
  /** Told to end, and those that are to take their places. */
  readonly #others = new Set<WorkerProcess>();
  /** What had been heard of a worker at the last look, and for how many looks nothing more. */
  readonly #silences = new WeakMap<WorkerProcess, { readonly heard: number; readonly looks: number }>();
  #look: Timer | undefined;
  #stopping = false;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  /** All that run, those that are about to end included. */
  get all(): readonly WorkerProcess[] {
    return [...this.#places.flatMap(({ worker }) => worker ?? []), ...this.#others];
  }

  /** For each place whoever serves there. */
  get serving(): readonly WorkerProcess[] {
    return this.#places.flatMap(({ worker }) => (worker?.servesSinceMs === undefined ? [] : worker));
  }

  get places(): number {
    return this.#places.length;
  }

  /** Resolves when all serve, or when one has said that it can't, or died too often. */
  async start(plan: CrewPlan): Promise<CrewStart> {
    this.#plan = plan;
    const { promise: failed, resolve: fails } = Promise.withResolvers<CrewStart>();
    this.#places = Array.from({ length: plan.workers }, (_, index) => emptyPlace(index + 1));
    const all = Promise.all(this.#places.map((place) => this.#firstServes(place, fails)));
    this.#look = this.#options.clock.after(lookEveryMs, () => this.#lookAtAll());
    return Promise.race([failed, all.then((): CrewStart => ({ kind: 'serving' }))]);
  }

  /**
   * Starts new workers beside the old ones; once all of them serve, the old ones end in order. Where one can't serve,
   * nothing changes. Not called again before it is done.
   */
  async replace(plan: CrewPlan): Promise<CrewStart> {
    if (this.#stopping) return stopping;
    if (this.#others.size > leavingMax) {
      return { kind: 'failed', exitCode: 2, why: `${this.#others.size} workers of earlier reloads have not ended yet` };
    }
    const fresh = Array.from({ length: plan.workers }, (_, index) => this.#launch(index + 1, plan));
    for (const worker of fresh) this.#others.add(worker);
    const results = await Promise.all(fresh.map((worker) => this.#startOf(worker)));
    const failed = results.find((result) => result.kind === 'failed') ?? this.#notNow(fresh);
    if (failed !== undefined) {
      for (const worker of fresh) this.#end(worker, 'replaced', plan.endBoundMs);
      return failed;
    }
    const before = this.#plan;
    this.#plan = plan;
    const old = this.#places;
    this.#places = fresh.map((worker) => ({ ...emptyPlace(worker.number), worker }));
    for (const worker of fresh) this.#others.delete(worker);
    for (const place of this.#places) this.#guard(place, place.worker!);
    for (const { worker, restart } of old) {
      restart?.cancel();
      if (worker !== undefined) this.#end(worker, 'replaced', before?.endBoundMs ?? plan.endBoundMs);
    }
    return { kind: 'serving' };
  }

  /**
   * Has all that run take over what they can of a plan's configuration; who is started from now on has the whole.
   * @returns whether all in their places have. One that does not serve yet can't say so: then all are to be replaced.
   */
  async take(plan: CrewPlan): Promise<boolean> {
    const before = this.#plan;
    this.#plan = plan;
    const isTold = async (worker: WorkerProcess): Promise<boolean> =>
      (await worker.take(plan.config)) || worker.hasEnded || this.#others.has(worker);
    const isTaken = (await Promise.all(this.all.map(isTold))).every((one) => one);
    if (!isTaken) this.#plan = before;
    return isTaken;
  }

  tellAll(message: ToWorker): void {
    for (const worker of this.all) worker.tell(message);
  }

  /** Resolves when no worker runs any more; those that take too long are killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#look?.cancel();
    for (const { restart } of this.#places) restart?.cancel();
    const all = this.all;
    for (const worker of all) this.#end(worker, 'drain', this.#plan?.endBoundMs ?? 0);
    await Promise.all(all.map(({ ended }) => ended));
  }

  /** Ends all that run at once; one that does not hear it is killed. */
  hurry(): void {
    this.tellAll({ kind: 'stop', manner: 'now' });
    this.#options.clock.after(hurryMs, () => this.all.forEach((worker) => worker.kill()));
  }

  #launch(number: number, plan: CrewPlan): WorkerProcess {
    const { clock, log, ended } = this.#options;
    const { config, descriptorsOf } = plan;
    const start = { number, config, level: log.level };
    const worker = new WorkerProcess({ start, descriptors: descriptorsOf(number - 1), clock });
    log.info({ worker: number, pid: worker.pid }, 'a worker was started');
    void worker.ended.then((why) => {
      if (!this.#others.delete(worker)) return;
      log.info({ worker: number, pid: worker.pid, why }, 'a worker has ended');
      ended(worker, why === 'exit code 0' ? 'in-order' : 'died');
    });
    return worker;
  }

  async #startOf(worker: WorkerProcess): Promise<StartResult> {
    const { clock } = this.#options;
    const { promise: late, resolve } = Promise.withResolvers<StartResult>();
    const why = `it did not serve within ${startBoundMs / 1000} s`;
    const timer = clock.after(startBoundMs, () => {
      resolve({ kind: 'failed', exitCode: 2, why });
      worker.kill();
    });
    const result = await Promise.race([worker.started, late]);
    timer.cancel();
    return result;
  }

  async #firstServes(place: Place, fails: (result: CrewStart) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#fill(place, (result) => {
      if (result.kind === 'serving') resolve(undefined);
      // What it says itself will not be better a second time.
      else fails(result);
    });
    await promise;
  }

  /** @param told hears once that it serves, or why it can't. */
  #fill(place: Place, told: (result: CrewStart) => void): void {
    const plan = this.#plan;
    if (this.#stopping || plan === undefined || !this.#places.includes(place)) return;
    const worker = this.#launch(place.number, plan);
    place.worker = worker;
    void this.#startOf(worker).then((result) => {
      // A death without a word is #died's.
      if (result.kind === 'serving' || !worker.hasEnded) told(result);
    });
    this.#guard(place, worker, told);
  }

  /** Sees to it that the place is filled again when its worker dies. */
  #guard(place: Place, worker: WorkerProcess, told: (result: CrewStart) => void = () => undefined): void {
    void worker.ended.then((why) => {
      if (place.worker !== worker || !this.#places.includes(place)) return;
      place.worker = undefined;
      this.#died(place, worker, { why, told });
    });
  }

  #died(
    place: Place,
    worker: WorkerProcess,
    { why, told }: { readonly why: string; readonly told: (result: CrewStart) => void },
  ): void {
    const { clock, log, gaveUp, ended } = this.#options;
    const { number, pid, servesSinceMs } = worker;
    ended(worker, 'died');
    if (this.#stopping) return;
    const servedMs = servesSinceMs === undefined ? undefined : clock.monotonicMs() - servesSinceMs;
    const after = afterDeath(place.deaths, servedMs);
    if (after.kind === 'give-up') {
      const words = `worker ${number} died ${after.times} times before it served, the last time with ${why}`;
      told({ kind: 'failed', exitCode: 2, why: words });
      gaveUp(words);
      return;
    }
    place.deaths = after.deaths;
    log.error({ worker: number, pid, why, restartAfterMs: after.afterMs }, 'a worker died; its connections are lost');
    place.restart = clock.after(after.afterMs, () => this.#fill(place, told));
  }

  #end(worker: WorkerProcess, manner: StopManner, boundMs: number): void {
    const { clock, log } = this.#options;
    if (worker.hasEnded) return;
    for (const place of this.#places) if (place.worker === worker) place.worker = undefined;
    this.#others.add(worker);
    worker.tell({ kind: 'stop', manner });
    const timer = clock.after(boundMs, () => {
      log.warn({ worker: worker.number, pid: worker.pid }, 'a worker did not end in time and is killed');
      worker.kill();
    });
    void worker.ended.then(() => timer.cancel());
  }

  #notNow(fresh: readonly WorkerProcess[]): CrewStart | undefined {
    if (this.#stopping) return stopping;
    const dead = fresh.find(({ hasEnded }) => hasEnded);
    return dead && { kind: 'failed', exitCode: 2, why: `worker ${dead.number} died as soon as it served` };
  }

  #lookAtAll(): void {
    const { clock, log } = this.#options;
    for (const worker of this.serving) {
      void worker.askMetrics().then(() => {
        const { heard, looks } = this.#silences.get(worker) ?? { heard: 0, looks: 0 };
        const silent = worker.heardCount > heard ? 0 : looks + 1;
        this.#silences.set(worker, { heard: worker.heardCount, looks: silent });
        if (silent < silentLooksMax || worker.hasEnded) return;
        log.error({ worker: worker.number, pid: worker.pid }, 'a worker answers nothing and is killed');
        worker.kill();
      });
    }
    this.#look = clock.after(lookEveryMs, () => this.#lookAtAll());
  }
}

function emptyPlace(number: number): Place {
  return { number, worker: undefined, deaths: noDeaths, restart: undefined };
}
