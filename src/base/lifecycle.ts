/**
 * The life of a process: what was started is stopped in reverse order, each step with a bound, once. And the
 * last net under everything: a throw or a rejection that nobody caught is logged and counted, and the process
 * goes on, because the other exchanges have done nothing wrong.
 *
 * Must not know what the parts are, and never exits: cli.ts does.
 */

import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Count } from './metrics.ts';

interface Part {
  readonly name: string;
  readonly boundMs: number;
  readonly stop: () => void | Promise<void>;
}

export class Lifecycle {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #parts: Part[] = [];
  #stopped: Promise<void> | undefined;

  constructor(options: { readonly log: Log; readonly clock: Clock }) {
    this.#log = options.log;
    this.#clock = options.clock;
  }

  /** Remembers how to stop a part that has just been started; what was added last is stopped first. */
  add(part: Part): void {
    this.#parts.push(part);
  }

  get stopping(): boolean {
    return this.#stopped !== undefined;
  }

  /** Stops everything; a second call waits for the first. A part that fails or is too slow is logged and left. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  async #stopAll(): Promise<void> {
    // The clock's timers don't keep the process alive, and by now the listeners may be closed.
    const alive = setInterval(() => undefined, 60_000);
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) await this.#stopOne(part);
    clearInterval(alive);
  }

  async #stopOne(part: Part): Promise<void> {
    const { promise: bound, resolve: passed } = Promise.withResolvers<'late'>();
    const timer = this.#clock.after(part.boundMs, () => passed('late'));
    try {
      const end = await Promise.race([Promise.resolve(part.stop()), bound]);
      if (end === 'late') this.#log.warn({ part: part.name, boundMs: part.boundMs }, 'a part did not stop in time');
    } catch (error) {
      this.#log.warn({ part: part.name, error }, 'a part did not stop cleanly');
    } finally {
      timer.cancel();
    }
  }
}

export interface ProcessSignals {
  /** SIGTERM or SIGINT; called once for each signal. */
  readonly onStop: (signal: 'SIGTERM' | 'SIGINT') => void;
  /** SIGHUP. Ignored where absent, so that a closed terminal does not end a server. */
  readonly onReload?: () => void;
}

/** Listens for signals. Returns how to stop listening. */
export function onSignals(signals: ProcessSignals): () => void {
  const stop = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGTERM' || signal === 'SIGINT') signals.onStop(signal);
  };
  const reload = (): void => signals.onReload?.();
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  return () => void process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
}

/** Keeps a fault that nobody caught from ending the process. Returns how to take the net away. */
export function surviveFaults(log: Log, faults: Count): () => void {
  const survive = (error: unknown): void => {
    faults.value++;
    log.error(
      { error: error instanceof Error ? error : String(error) },
      'a fault that nobody caught; please report it',
    );
  };
  process.on('uncaughtException', survive).on('unhandledRejection', survive);
  return () => void process.off('uncaughtException', survive).off('unhandledRejection', survive);
}
