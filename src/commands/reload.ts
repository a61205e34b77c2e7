/**
 * A reload (SIGHUP, POST /reload, or a file that has changed): the configuration is read and validated again; a bad one changes nothing and is
 * told with all its problems, a good one is applied as far as this kind of process can.
 *
 * Must not know how it is applied.
 */

import type { ReloadView } from '../admin/window.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { CountFamily, Metrics } from '../base/metrics.ts';
import type { Loaded, LoadedConfig } from '../config/load.ts';
import { formatProblem } from '../config/problems.ts';

export interface ReloaderOptions {
  readonly load: () => Loaded;
  /** Resolves with the keys that differ and can't be applied. A rejection: nothing has changed, and why. */
  readonly apply: (loaded: LoadedConfig) => Promise<readonly string[]>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #counts: CountFamily;
  #last: ReloadView = { result: 'none yet', at: null, problems: [], needRestart: [] };
  #running: Promise<ReloadView> | undefined;
  /** Asked for while one was running: the file may have changed since that one read it. */
  #next: Promise<ReloadView> | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#counts = options.metrics.counter({
      name: 'reloads_total',
      help: 'Reloads of the configuration, by what became of them.',
      labels: ['result'],
    });
    for (const result of ['applied', 'refused']) this.#counts.child(result);
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
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  };

  #start(): Promise<ReloadView> {
    this.#running = this.#reload().then((view) => {
      this.#running = undefined;
      return view;
    });
    return this.#running;
  }

  async #reload(): Promise<ReloadView> {
    const { load, apply, log } = this.#options;
    const loaded = load();
    if (loaded.kind === 'problems') return this.#refused(loaded.problems.map(formatProblem));
    for (const warning of loaded.warnings) {
      log.warn({ why: formatProblem(warning) }, 'the configuration may not be what was meant');
    }
    try {
      const needRestart = await apply(loaded);
      log.info({}, 'the configuration was reloaded');
      if (needRestart.length > 0) {
        log.warn({ paths: needRestart }, 'what has changed here takes effect when the process is started again');
      }
      return this.#ended({ result: 'applied', problems: [], needRestart });
    } catch (error) {
      return this.#refused([error instanceof Error ? error.message : String(error)]);
    }
  }

  #refused(problems: readonly string[]): ReloadView {
    this.#options.log.error({ problems }, 'the configuration was not reloaded; nothing has changed');
    return this.#ended({ result: 'refused', problems, needRestart: [] });
  }

  #ended(view: Omit<ReloadView, 'at'>): ReloadView {
    this.#counts.child(view.result).value++;
    this.#last = { ...view, at: new Date(this.#options.clock.nowMs()).toISOString() };
    return this.#last;
  }
}

/** For the page for people. */
export function reloadFigure({ result, at, problems, needRestart }: ReloadView): readonly [string, string] {
  const details = [...problems, ...(needRestart.length > 0 ? [`needs a restart: ${needRestart.join(', ')}`] : [])];
  const shown = [result === 'none yet' ? result : `${result} at ${at ?? ''}`, ...details].join('; ');
  return ['Last reload of the configuration', shown.slice(0, 1000)];
}
