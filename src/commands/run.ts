/**
 * `holdfast run`: the proxy, as a gateway or as a sidecar, from its configuration to its graceful end.
 *
 * Must not know what the roles do (gateway.ts, sidecar.ts).
 */

import { openAdmin } from '../admin/open-admin.ts';
import { systemClock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { Lifecycle, onSignals, surviveFaults } from '../base/lifecycle.ts';
import { createLog, type Log } from '../base/log.ts';
import { countProcess, Metrics } from '../base/metrics.ts';
import type { Config } from '../config/config.ts';
import type { ConfigOptions } from './load-or-complain.ts';
import { loadOrComplain } from './load-or-complain.ts';
import type { ProcessParts } from './process-parts.ts';
import type { RunningRole } from './running-role.ts';
import { readVersion } from './version.ts';

/** What closing may take after everything was drained. */
const closeBoundMs = 2000;

/** Exit code 0: stopped as asked. 1: bad configuration. 2: failed while running. */
export async function run(options: ConfigOptions): Promise<number> {
  const warnings: string[] = [];
  const config = loadOrComplain(options, { warn: (words) => void warnings.push(words) });
  if (config === undefined) return 1;
  const log = createLog(config.log);
  for (const why of warnings) log.warn({ why }, 'the configuration may not be what was meant');
  const metrics = new Metrics();
  const faults = metrics.counter({ name: 'uncaught_faults_total', help: 'Faults that nobody caught.' }).child();
  countProcess(metrics, readVersion());
  const forgetFaults = surviveFaults(log, faults);
  // A first signal stops gracefully, a second one at once.
  const stopped = Promise.withResolvers<undefined>();
  const hurried = Promise.withResolvers<undefined>();
  let signals = 0;
  const forgetSignals = onSignals({
    onStop(signal) {
      log.info({ signal }, signals === 0 ? 'stopping' : 'stopping at once');
      (signals++ === 0 ? stopped : hurried).resolve(undefined);
    },
  });
  const lifecycle = new Lifecycle({ log, clock: systemClock });
  try {
    const started = start(config, { log, metrics, clock: systemClock }, lifecycle);
    // A start may wait for long, and a signal ends that too; a start that fails ends the process.
    await Promise.race([started.then(() => stopped.promise), stopped.promise]);
    await Promise.race([lifecycle.stop(), hurried.promise]);
    log.info({}, 'stopped');
    return 0;
  } catch (error) {
    // Told first: a drain takes its time.
    const code = failed(error, log);
    await lifecycle.stop();
    return code;
  } finally {
    forgetSignals();
    forgetFaults();
    log.flush();
  }
}

/** What is started here is stopped in reverse: the role drains while the window still shows it. */
async function start(config: Config, parts: ProcessParts, lifecycle: Lifecycle): Promise<void> {
  const { log, metrics } = parts;
  const role = await createRole(config, parts);
  lifecycle.add({ name: 'connections', boundMs: closeBoundMs, stop: () => role.close() });
  const { admin, probes } = config;
  const windows = await openAdmin({ admin, probes, window: role.window, metrics, log }).catch((error: unknown) => {
    // A place that was asked for and can't be had: starting again would not help (rules 37).
    throw error instanceof HoldfastError
      ? new HoldfastError('bad-configuration', error.message, { cause: error })
      : error;
  });
  lifecycle.add({
    name: 'admin',
    boundMs: closeBoundMs,
    stop: async () => {
      await Promise.all(windows.map((window) => window.close()));
    },
  });
  const boundMs =
    config.timeouts.drainMs + (config.role === 'gateway' ? config.timeouts.drainDelayMs : 0) + closeBoundMs;
  lifecycle.add({ name: 'drain', boundMs, stop: () => role.drain() });
  await role.start();
}

async function createRole(config: Config, parts: ProcessParts): Promise<RunningRole> {
  if (config.role === 'gateway') {
    const { createGateway } = await import('./gateway.ts');
    return createGateway(config, parts);
  }
  const { createSidecar } = await import('./sidecar.ts');
  return createSidecar(config, parts);
}

function failed(error: unknown, log: Log): number {
  const shown = error instanceof Error ? error : new Error(String(error));
  log.error({ error: shown }, 'could not be started');
  const isConfiguration = error instanceof HoldfastError && error.kind === 'bad-configuration';
  return isConfiguration ? 1 : 2;
}
