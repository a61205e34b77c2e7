/**
 * A gateway with several workers: the parent. It binds the listening sockets, starts the workers, shows all of them in
 * one window, passes signals on, and never touches a connection (docs/decisions/workers.md).
 *
 * Must not know what a gateway does (gateway.ts, in each worker).
 */

import { createHmac, randomBytes } from 'node:crypto';

import type { Window } from '../admin/window.ts';
import { formatAddress } from '../base/address.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Lifecycle } from '../base/lifecycle.ts';
import { changedKeys } from '../config/changed-keys.ts';
import type { GatewayConfig } from '../config/config.ts';
import { needsRestartOfAll } from '../config/live-keys.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Keys } from '../config/schema.ts';
import { Crew, type CrewPlan } from '../workers/crew.ts';
import { CrewMetrics, CrewWindow } from '../workers/crew-window.ts';
import type { ListenPlace } from '../proxy/listen-place.ts';
import { ListenSockets } from '../workers/listen-sockets.ts';
import { checkOverlap, leftKeys } from './live-settings.ts';
import { openWindows } from './open-windows.ts';
import { closeBoundMs, drainBoundMs } from './process-end.ts';
import type { ProcessParts } from './process-parts.ts';
import { type Reloader, reloadFigure } from './reload.ts';

/** Between the end of a worker's last step and the end of its process. */
const exitMs = 2000;

export interface WorkersParts extends ProcessParts {
  readonly lifecycle: Lifecycle;
  readonly keysAtStart: Keys;
  readonly reloader: Reloader;
  /** A worker can't be kept alive: the process has to end. */
  readonly gaveUp: (why: string) => void;
}

export interface RunningWorkers {
  /** Resolves when all workers serve. @throws HoldfastError 'bad-configuration', 'listen-failed', 'worker-failed'. */
  start(): Promise<void>;
  /**
   * Has the workers take over what has changed, or replaces them where that is not all.
   * @returns the keys that need a restart. @throws HoldfastError where nothing has changed.
   */
  reload(loaded: LoadedConfig): Promise<readonly string[]>;
  hurry(): void;
}

/** A configuration, and its keys by their own names. */
interface Settings {
  readonly config: GatewayConfig;
  readonly keys: Keys;
}

export function runWorkers(config: GatewayConfig, parts: WorkersParts): RunningWorkers {
  const { log, metrics, clock, lifecycle, reloader, gaveUp } = parts;
  const sockets = new ListenSockets();
  const tickets = randomBytes(32);
  const startOver = Promise.withResolvers<undefined>();
  let started = false;
  let stopping = false;
  let places = config.workers;
  let current: Settings = { config, keys: parts.keysAtStart };
  const ends = metrics.counter({
    name: 'worker_ends_total',
    help: 'Workers that have ended: in order, or died.',
    labels: ['how'],
  });
  for (const how of ['in-order', 'died']) ends.child(how);
  const crew: Crew = new Crew({
    clock,
    log,
    gaveUp,
    ended(worker, how) {
      ends.child(how).value++;
      pages.ended(worker);
    },
  });
  const pages = new CrewMetrics(metrics, crew);
  metrics.gauge({ name: 'workers', help: 'Worker processes that serve.' }, () => crew.serving.length);
  const window: Window = new CrewWindow({
    title: 'gateway',
    crew,
    isStarted: () => started,
    isStopping: () => stopping,
    figures: () => [reloadFigure(reloader.last())],
    reload: reloader,
  });

  async function planOf(next: GatewayConfig): Promise<CrewPlan> {
    const descriptorsOf = await sockets.take(next.listen, places);
    const endBoundMs = drainBoundMs(next) + closeBoundMs + exitMs;
    return { workers: places, config: shareOf(next, places, tickets), descriptorsOf, endBoundMs };
  }

  /** @throws HoldfastError where nothing has changed. */
  async function replace(next: Settings, why: readonly string[]): Promise<void> {
    log.info({ paths: why }, 'the workers are replaced');
    const before = places;
    places = Math.max(places, next.config.workers);
    try {
      const result = await crew.replace(await planOf(next.config));
      if (result.kind === 'failed') throw new HoldfastError('worker-failed', result.why);
      current = next;
    } catch (error) {
      places = before;
      throw error;
    } finally {
      // A socket that nobody accepts from would make its clients wait.
      sockets.keepOnly(current.config.listen, places);
    }
  }

  return {
    async start() {
      const { admin, probes } = config;
      lifecycle.add(await openWindows({ admin, probes, window, metrics: pages, log }));
      const plan = await planOf(config);
      lifecycle.add({
        name: 'workers',
        get boundMs() {
          return drainBoundMs(current.config) + closeBoundMs + 2 * exitMs;
        },
        stop() {
          stopping = true;
          startOver.resolve(undefined);
          const ended = crew.stop();
          // From now on a socket is open as long as its worker has it.
          sockets.close();
          if (!started) crew.hurry();
          return ended;
        },
      });
      const result = await crew.start(plan);
      if (result.kind === 'failed') {
        throw new HoldfastError(result.exitCode === 1 ? 'bad-configuration' : 'worker-failed', result.why);
      }
      started = true;
      startOver.resolve(undefined);
      log.info({ workers: places }, 'all workers serve');
    },
    async reload(loaded) {
      const { config: given, keys } = loaded;
      if (given.role !== 'gateway') throw new HoldfastError('bad-configuration', 'role: needs a restart');
      await startOver.promise;
      if (stopping) throw new HoldfastError('worker-failed', 'the process is stopping');
      checkOverlap(current.config, given);
      const next = { config: given, keys };
      // Fewer would leave sockets that nobody accepts from, and what waits in them.
      const isFewer = given.workers < places;
      const isMore = given.workers > places;
      const left = leftKeys(current, next).filter((path) => (path === 'workers' ? isMore : !needsRestartOfAll(path)));
      // A worker that has not taken it over may have half of it.
      if (left.length > 0 || !(await crew.take(await planOf(given)))) await replace(next, left);
      current = next;
      log.configure(given.log);
      // They were started at the level that was in force until now.
      crew.tellAll({ kind: 'level', level: log.level });
      const waiting = changedKeys(parts.keysAtStart, keys).filter(needsRestartOfAll);
      return isFewer ? [...waiting, 'workers'] : waiting;
    },
    hurry: () => crew.hurry(),
  };
}

/** What the whole process has, as each of its workers gets it: limits are shared out, TLS tickets are good for all. */
function shareOf(config: GatewayConfig, workers: number, tickets: Buffer): GatewayConfig {
  const { limits } = config;
  const [first, ...rest] = config.listen;
  return {
    ...config,
    listen: [withTickets(first, tickets), ...rest.map((place) => withTickets(place, tickets))],
    limits: { ...limits, connections: Math.ceil(limits.connections / workers) },
  };
}

/** A client comes to another worker each time. What follows from the secret changes with time (tls-contexts.ts). */
function withTickets(place: ListenPlace, secret: Buffer): ListenPlace {
  if (place.tls === undefined || place.tls.ticketKey !== undefined) return place;
  // As in a single process, one address takes no tickets of another.
  const ticketKey = createHmac('sha256', secret).update(formatAddress(place)).digest();
  return { ...place, tls: { ...place.tls, ticketKey } };
}
