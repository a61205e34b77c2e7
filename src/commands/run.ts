/**
 * `holdfast run`: the proxy, as a gateway or as a sidecar, from its configuration to its graceful end.
 *
 * Must not know what the roles do (gateway.ts, sidecar.ts), nor how several workers are one process (run-workers.ts).
 */

import type { Window } from '../admin/window.ts';
import { systemClock } from '../base/clock.ts';
import { Lifecycle, onSignals, surviveFaults } from '../base/lifecycle.ts';
import { createLog } from '../base/log.ts';
import { standardOutput } from '../base/log-output.ts';
import { countProcess, Metrics } from '../base/metrics.ts';
import type { Config } from '../config/config.ts';
import { FilesWatch } from '../config/files-watch.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { applyLive } from './live-settings.ts';
import type { ConfigOptions } from './load-or-complain.ts';
import { loadedOrComplain } from './load-or-complain.ts';
import { openWindows } from './open-windows.ts';
import { closeBoundMs, drainBoundMs, startFailed } from './process-end.ts';
import type { ProcessParts } from './process-parts.ts';
import { Reloader, reloadFigure } from './reload.ts';
import type { RunningRole } from './running-role.ts';
import { readVersion } from './version.ts';

/** How a process shows, changes and ends what it runs, whether it has workers or not. */
interface Running {
  /** Resolves when it serves. */
  start(): Promise<void>;
  /** @see ReloaderOptions.apply */
  reload(loaded: LoadedConfig): Promise<readonly string[]>;
  /** Ends at once what only ends when told; undefined: the end of this process is enough. */
  readonly hurry?: () => void;
}

interface RunParts extends ProcessParts {
  readonly lifecycle: Lifecycle;
  readonly reloader: Reloader;
  readonly gaveUp: (why: string) => void;
}

/** Exit code 0: stopped as asked. 1: bad configuration. 2: failed while running. */
export async function run(options: ConfigOptions): Promise<number> {
  const warnings: string[] = [];
  const loaded = loadedOrComplain(options, { warn: (words) => void warnings.push(words) });
  if (loaded === undefined) return 1;
  const { config } = loaded;
  const log = createLog({ ...config.log, destination: standardOutput({ shared: workersOf(config) > 1 }) });
  for (const why of warnings) log.warn({ why }, 'the configuration may not be what was meant');
  const metrics = new Metrics();
  const faults = metrics.counter({ name: 'uncaught_faults_total', help: 'Faults that nobody caught.' }).child();
  countProcess(metrics, readVersion());
  const forgetFaults = surviveFaults(log, faults);
  // A first signal stops gracefully, a second one at once.
  const stopped = Promise.withResolvers<number>();
  const hurried = Promise.withResolvers<undefined>();
  let signals = 0;
  const forgetSignals = onSignals({
    onStop(signal) {
      log.info({ signal }, signals === 0 ? 'stopping' : 'stopping at once');
      if (signals++ === 0) stopped.resolve(0);
      else hurried.resolve(undefined);
    },
    onReload: () => void reloader.now(),
  });
  const lifecycle = new Lifecycle({ log, clock: systemClock });
  function gaveUp(why: string): void {
    log.error({ why }, 'a worker can not be kept alive: the process ends');
    stopped.resolve(2);
  }
  const parts = { log, metrics, clock: systemClock };
  const reloader = new Reloader({
    ...parts,
    random: Math.random,
    load() {
      const next = loadConfig({ configFile: options.configFile, set: options.set, environment: options.env });
      files.saw(next.files);
      return next;
    },
    apply: async (next) => (await assembled).reload(next),
  });
  const files = new FilesWatch({ clock: systemClock, changed: reloader.now });
  files.saw(loaded.files);
  const assembled = assemble(loaded, { ...parts, lifecycle, reloader, gaveUp });
  // Between the death of the last worker and its successor's start nothing else would keep a parent alive.
  const alive = setInterval(() => undefined, 60_000);
  try {
    const running = await assembled;
    files.start();
    // A start may wait for long, and a signal ends that too; a start that fails ends the process.
    const code = await Promise.race([running.start().then(() => stopped.promise), stopped.promise]);
    files.stop();
    reloader.stop();
    const ended = lifecycle.stop();
    await Promise.race([ended, hurried.promise.then(() => running.hurry?.())]);
    if (running.hurry !== undefined) await ended;
    log.info({}, 'stopped');
    return code;
  } catch (error) {
    // Told first: a drain takes its time.
    const code = startFailed(error, log);
    await lifecycle.stop();
    return code;
  } finally {
    clearInterval(alive);
    files.stop();
    reloader.stop();
    forgetSignals();
    forgetFaults();
    log.flush();
  }
}

function workersOf(config: Config): number {
  return config.role === 'gateway' ? config.workers : 1;
}

async function assemble(loaded: LoadedConfig, parts: RunParts): Promise<Running> {
  const { config, keys } = loaded;
  if (config.role !== 'gateway' || config.workers === 1) return alone(loaded, parts);
  const { runWorkers } = await import('./run-workers.ts');
  return runWorkers(config, { ...parts, keysAtStart: keys });
}

/** One process that is everything. */
function alone({ config, keys }: LoadedConfig, parts: RunParts): Running {
  const { log, metrics, lifecycle, reloader } = parts;
  const created = Promise.withResolvers<RunningRole>();
  return {
    /** What is started here is stopped in reverse: the role drains while the window still shows it. */
    async start() {
      const role = await createRole(config, parts);
      created.resolve(role);
      lifecycle.add({ name: 'connections', boundMs: closeBoundMs, stop: () => role.close() });
      const window: Window = {
        ...role.window,
        reload: reloader,
        figures: () => [...role.window.figures(), reloadFigure(reloader.last())],
      };
      const { admin, probes } = config;
      lifecycle.add(await openWindows({ admin, probes, window, metrics, log }));
      lifecycle.add({
        name: 'drain',
        // A reload may change it.
        get boundMs() {
          return drainBoundMs(config);
        },
        stop: () => role.drain(),
      });
      await role.start();
    },
    reload: async (next) => applyLive(next, { config, keysAtStart: keys, log, role: await created.promise }),
  };
}

async function createRole(config: Config, parts: ProcessParts): Promise<RunningRole> {
  if (config.role === 'gateway') {
    const { openGateway } = await import('./gateway.ts');
    return openGateway(config, parts);
  }
  const { createSidecar } = await import('./sidecar.ts');
  return createSidecar(config, parts);
}
