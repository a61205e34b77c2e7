/**
 * A reload (SIGHUP, POST /reload, or a file that has changed): the configuration is read and validated again; a bad one
 * changes nothing and is told with all its problems, a good one is applied as far as this kind of process can.
 *
 * One that was refused is tried again by itself, more and more seldom: what it met may have passed (a certificate whose
 * key came a moment later, a worker that could not be started), and no file tells of that.
 *
 * Must not know how it is applied.
 */

import type { ReloadView } from '../admin/window.ts';
import { backoffMs } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Count, CountFamily, Metrics } from '../base/metrics.ts';
import type { Loaded, LoadedConfig } from '../config/load.ts';
import { formatProblem } from '../config/problems.ts';

export interface ReloaderOptions {
  readonly load: () => Loaded;
  /** Resolves with the keys that differ and can't be applied. A rejection: nothing has changed, and why. */
  readonly apply: (loaded: LoadedConfig) => Promise<readonly string[]>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
}

/** Between a refusal and the first try that nobody asks for. */
const againFirstMs = 1000;
/** A try reads a few files, and may start workers in vain. */
const againMaxMs = 60_000;
const nothingYet: ReloadView = { result: 'none yet', at: null, problems: [], needRestart: [], againAt: null };

export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #counts: CountFamily;
  readonly #retries: Count;
  #last = nothingYet;
  #running: Promise<ReloadView> | undefined;
  /** Asked for while one was running: the file may have changed since that one read it. */
  #next: Promise<ReloadView> | undefined;
  /** In a row, since somebody asked. */
  #refusals = 0;
  /** What was told of the last refusal; the same is not told again, unless somebody asks. */
  #told = '';
  #again: Timer | undefined;
  #stopped = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#counts = options.metrics.counter({
      name: 'reloads_total',
      help: 'Reloads of the configuration, by what became of them.',
      labels: ['result'],
    });
    for (const result of ['applied', 'refused']) this.#counts.child(result);
    this.#retries = options.metrics
      .counter({
        name: 'reload_retries_total',
        help: 'Times that a refused reload was tried again by itself; among reloads only where it was applied then.',
      })
      .child();
    options.metrics.gauge(
      {
        name: 'reload_refused',
        help: 'Whether the last reload was refused: what is in force is not what the files say.',
      },
      () => (this.#last.result === 'refused' ? 1 : 0),
    );
    options.metrics.gauge(
      {
        name: 'reload_keys_waiting',
        help: 'Keys of the configuration that have changed and take effect at the next start.',
      },
      () => this.#last.needRestart.length,
    );
  }

  /** The last one. */
  readonly last = (): ReloadView => this.#last;

  /** One at a time; however many ask while one is running, one more follows. Never rejects. */
  readonly now = (): Promise<ReloadView> => {
    if (this.#running === undefined) return this.#asked();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#asked();
    });
    return this.#next;
  };

  /** Nothing is tried again from now on. */
  stop(): void {
    this.#stopped = true;
    this.#again?.cancel();
  }

  #asked(): Promise<ReloadView> {
    this.#refusals = 0;
    this.#told = '';
    return this.#start();
  }

  #start(): Promise<ReloadView> {
    this.#again?.cancel();
    this.#running = this.#reload().then((view) => {
      this.#running = undefined;
      return view;
    });
    return this.#running;
  }

  /** Somebody who has asked meanwhile comes first. */
  #tryAgain(): void {
    if (this.#stopped || this.#running !== undefined) return;
    this.#retries.value++;
    void this.#start();
  }

  async #reload(): Promise<ReloadView> {
    const { load, apply, log } = this.#options;
    const loaded = load();
    if (loaded.kind === 'problems') return this.#refused(loaded.problems.map(formatProblem));
    if (this.#refusals === 0) {
      for (const warning of loaded.warnings) {
        log.warn({ why: formatProblem(warning) }, 'the configuration may not be what was meant');
      }
    }
    try {
      return this.#applied(await apply(loaded));
    } catch (error) {
      return this.#refused([error instanceof Error ? error.message : String(error)]);
    }
  }

  #refused(problems: readonly string[]): ReloadView {
    const { log, clock, random } = this.#options;
    const isAsked = this.#refusals++ === 0;
    const told = problems.join('\n');
    if (told !== this.#told) log.error({ problems }, 'the configuration was not reloaded; nothing has changed');
    this.#told = told;
    const afterMs = backoffMs(this.#refusals, { firstMs: againFirstMs, maxMs: againMaxMs, random });
    if (!this.#stopped) this.#again = clock.after(afterMs, () => this.#tryAgain());
    if (isAsked) this.#counts.child('refused').value++;
    return this.#ended({ result: 'refused', problems, needRestart: [], againAt: isoTime(clock.nowMs() + afterMs) });
  }

  #applied(needRestart: readonly string[]): ReloadView {
    const { log } = this.#options;
    log.info({ refusals: this.#refusals }, 'the configuration was reloaded');
    if (needRestart.length > 0) {
      log.warn({ paths: needRestart }, 'what has changed here takes effect when the process is started again');
    }
    this.#counts.child('applied').value++;
    return this.#ended({ result: 'applied', problems: [], needRestart, againAt: null });
  }

  #ended(view: Omit<ReloadView, 'at'>): ReloadView {
    this.#last = { ...view, at: isoTime(this.#options.clock.nowMs()) };
    return this.#last;
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** For the page for people. */
export function reloadFigure(view: ReloadView): readonly [string, string] {
  const { result, at, problems, needRestart, againAt } = view;
  const again = againAt === null ? [] : [`tried again at ${againAt}`];
  const details = [
    ...again,
    ...problems,
    ...(needRestart.length > 0 ? [`needs a restart: ${needRestart.join(', ')}`] : []),
  ];
  const shown = [result === 'none yet' ? result : `${result} at ${at ?? ''}`, ...details].join('; ');
  return ['Last reload of the configuration', shown.slice(0, 1000)];
}
