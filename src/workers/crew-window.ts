/**
 * Several workers as one window and one page of numbers. Each question to a worker has a bound; one that does not
 * answer in time is shown as it last told.
 *
 * Must not know how workers are started, nor what they serve.
 */

import type { Condition, DrainRequest, PodView, SessionView, SourceState, Window } from '../admin/window.ts';
import type { LogLevel } from '../base/log.ts';
import {
  addedUpIn,
  countedIn,
  mergedText,
  type Metrics,
  type MetricsPage,
  type MetricsReading,
} from '../base/metrics.ts';
import type { Crew } from './crew.ts';
import type { WorkerState } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

export interface CrewWindowOptions {
  readonly title: string;
  readonly crew: Crew;
  /** All have served once. */
  readonly isStarted: () => boolean;
  readonly isStopping: () => boolean;
  /** The parent's own lines for the page for people. */
  readonly figures: () => ReturnType<Window['figures']>;
  readonly reload: Window['reload'];
}

export class CrewWindow implements Window {
  readonly title: string;
  readonly reload: Window['reload'];
  readonly #options: CrewWindowOptions;
  #unready = false;

  constructor(options: CrewWindowOptions) {
    this.#options = options;
    this.title = options.title;
    this.reload = options.reload;
  }

  async refresh(): Promise<void> {
    await Promise.all(this.#options.crew.all.map((worker) => worker.askState()));
  }

  started(): Condition {
    const { isStarted, crew } = this.#options;
    if (isStarted()) return { ok: true, reason: 'started' };
    return { ok: false, reason: `${crew.serving.length} of ${crew.places} workers serve` };
  }

  /** One worker that serves is enough once all have started: the others' connections come to their successors. */
  ready(): Condition {
    const { isStarted, isStopping, crew } = this.#options;
    if (this.#unready || isStopping()) return { ok: false, reason: 'draining' };
    if (!isStarted()) return this.started();
    const conditions = crew.serving.map(({ state }) => state?.ready ?? { ok: true, reason: 'ready' });
    const well = conditions.filter(({ ok }) => ok);
    if (well.length === 0) return { ok: false, reason: conditions[0]?.reason ?? 'no worker serves' };
    if (well.length < crew.places) {
      return { ok: true, reason: `degraded: ${well.length} of ${crew.places} workers serve` };
    }
    return well.find(({ reason }) => reason !== 'ready') ?? { ok: true, reason: 'ready' };
  }

  /** Who begins has not asked the pods yet, and who ends may know others: what is in flight there is all that counts. */
  pods(): readonly PodView[] {
    const { all, serving } = this.#options.crew;
    const podsOf = (workers: readonly WorkerProcess[]): PodView[] => workers.flatMap(({ state }) => state?.pods ?? []);
    return mergedPods(podsOf(serving), podsOf(all.filter((worker) => !serving.includes(worker))));
  }

  /** Each worker has one of its own; one that is in trouble is shown. */
  source(): SourceState | undefined {
    const sources = this.#options.crew.serving.flatMap(({ state }) => state?.source ?? []);
    return sources.find(({ problem }) => problem !== null) ?? sources[0];
  }

  /** Each worker has a table of its own; the newest term is the truth (rules 23). */
  async session(given: string): Promise<SessionView | undefined> {
    const views = await Promise.all(this.#options.crew.serving.map((worker) => worker.askSession(given)));
    const known = views.filter((view) => view !== undefined);
    return known.reduce<SessionView | undefined>(
      (best, view) => (best !== undefined && (best.epoch ?? 0) >= (view.epoch ?? 0) ? best : view),
      undefined,
    );
  }

  drain({ unready }: DrainRequest): Promise<void> {
    this.#unready ||= unready;
    this.#options.crew.tellAll({ kind: 'unready' });
    return Promise.resolve();
  }

  setLevel(level: LogLevel): void {
    this.#options.crew.tellAll({ kind: 'level', level });
  }

  figures(): ReturnType<Window['figures']> {
    const { crew, figures } = this.#options;
    return [
      ['Workers that serve', `${crew.serving.length} of ${crew.places}`],
      ...figures(),
      ...mergedFigures(this.#states().map((state) => state.figures)),
    ];
  }

  #states(): readonly WorkerState[] {
    return this.#options.crew.all.flatMap(({ state }) => state ?? []);
  }
}

type Figures = ReturnType<Window['figures']>;

/**
 * In flight is added up. Where the workers differ about a pod's state the worst is shown, and how many say so.
 * @param others of workers that do not serve, for what is in flight
 */
function mergedPods(views: readonly PodView[], others: readonly PodView[]): readonly PodView[] {
  const keyOf = (pod: PodView): string => JSON.stringify([pod.name, pod['uid']]);
  const further = Map.groupBy(others, keyOf);
  return [...Map.groupBy(views, keyOf)].map(([key, same]) => {
    const worst = same.reduce((one, other) => (badness(other.state) > badness(one.state) ? other : one));
    const counted = [...same, ...(further.get(key) ?? [])];
    const inFlight = counted.reduce((sum, pod) => sum + pod.inFlight, 0);
    const agree = same.filter(({ state }) => state === worst.state).length;
    const why = agree === same.length ? worst.why : `${worst.why} (${agree} of ${same.length} workers)`;
    return { ...worst, why, inFlight };
  });
}

function badness(state: string): number {
  return ['ready', 'gone', 'draining', 'unhealthy'].indexOf(state);
}

/** Numbers are added up; words are shown once each. */
function mergedFigures(all: readonly Figures[]): Figures {
  const names = new Set(all.flat().map(([words]) => words));
  return [...names].map((name) => {
    const values = all.flat().flatMap(([words, value]) => (words === name ? [value] : []));
    const isCount = values.every((value) => /^\d+$/.test(value));
    const sum = String(values.reduce((total, value) => total + Number(value), 0));
    return [name, isCount ? sum : [...new Set(values)].join(', ')];
  });
}

/**
 * One page for all processes. What a worker has counted stays in the sums after its end, so that no counter goes
 * back; of one that was killed, what it counted since it was last asked (a second) is missing.
 */
export class CrewMetrics implements MetricsPage {
  readonly #own: Metrics;
  readonly #crew: Crew;
  #past: Promise<MetricsReading> = Promise.resolve([]);

  constructor(own: Metrics, crew: Crew) {
    this.#own = own;
    this.#crew = crew;
  }

  get contentType(): string {
    return this.#own.contentType;
  }

  /** To be called when a worker is in the crew no more. */
  ended({ reading }: WorkerProcess): void {
    if (reading === undefined) return;
    this.#past = this.#past.then((past) => countedIn([past, reading]));
  }

  async text(): Promise<string> {
    await Promise.all(this.#crew.all.map((worker) => worker.askMetrics()));
    // At one moment: a worker is among those that run or in the past, never in both.
    const { all, serving } = this.#crew;
    const present = all.flatMap((worker) => {
      if (worker.reading === undefined) return [];
      return [serving.includes(worker) ? worker.reading : addedUpIn(worker.reading)];
    });
    const past = this.#past;
    return mergedText([await this.#own.read(), ...present, await past]);
  }
}
