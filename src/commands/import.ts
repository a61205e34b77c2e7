/**
 * `holdfast import DIRECTORY`: stores the session files of an installation from before Holdfast, so that its users
 * stay logged in when the pods take over.
 *
 * Safe to run twice, and beside sidecars that run: it stores only what no keeper knows (contract.ts, plant). A run
 * that was broken off is gone on with by running it again. Session ids are never shown.
 */

import { delay, systemClock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { onSignals } from '../base/lifecycle.ts';
import { createLog } from '../base/log.ts';
import { Metrics } from '../base/metrics.ts';
import type { SessionId } from '../affinity/session-codec.ts';
import type { SidecarConfig } from '../config/config.ts';
import { ImportSource, type NotImported } from '../sessions/import-source.ts';
import type { PlantResult } from '../store/contract.ts';
import { grouped, ImportProgress, type ProgressOutput } from './import-progress.ts';
import { describeImport, type ImportCounts } from './import-summary.ts';
import type { ConfigOptions } from './load-or-complain.ts';
import { loadOrComplain } from './load-or-complain.ts';
import { type ConfiguredStore, openConfiguredStore } from './configured-store.ts';

export interface ImportOptions extends ConfigOptions {
  /** The application's session directory. */
  readonly directory: string;
  /** Reads everything, and stores nothing. */
  readonly dryRun: boolean;
  /** Whose files are sessions; undefined: of the user who has most of them. */
  readonly owner: number | undefined;
  /** Standard error, where nothing else is given. */
  readonly progress?: ProgressOutput;
}

/** Sessions under way at a time: enough to fill a connection, few enough that each call is answered in time. */
const atOnce = 64;
/** How long a store that went away during the import is waited for. */
const storeBackMs = 30_000;
const storeAskMs = 250;
/** What a record lives longer than its session, so that the store is never the one to end it early. */
const graceMs = 60_000;

/** Exit code 0: all is stored that can be. 1: bad configuration or arguments. 2: broken off, or some files not read. */
export async function importSessions(options: ImportOptions): Promise<number> {
  const config = loadOrComplain({ ...options, set: [...options.set, ...asSidecar(options.directory)] });
  if (config?.role !== 'sidecar') return 1;
  // The clock's timers don't keep the process alive.
  const alive = setInterval(() => undefined, 60_000);
  let store: ConfiguredStore | undefined;
  try {
    const source = openSource(config, options);
    const silent = { log: createLog({ level: 'silent' }), metrics: new Metrics(), clock: systemClock };
    store = openConfiguredStore(config, silent);
    if ((await store.health.started()) === 'down') {
      complain(`the store does not answer, so nothing was imported. ${store.health.why?.message ?? ''}`);
      return 2;
    }
    await store.keys.atStart();
    return await new Import({ config, options, source, store }).run();
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return error instanceof HoldfastError && argumentKinds.has(error.kind) ? 1 : 2;
  } finally {
    clearInterval(alive);
    await store?.close();
  }
}

const argumentKinds: ReadonlySet<string> = new Set(['bad-configuration', 'directory-unusable']);

/**
 * Any process's configuration will do, a gateway's or a sidecar's: what matters is session and store. What a sidecar
 * needs besides is of no consequence here, and need not be known on the old server.
 */
function asSidecar(directory: string): readonly string[] {
  return [
    'role=sidecar',
    'application=127.0.0.1:1',
    'pod.name=import',
    'pod.uid=import',
    'peer.advertise=127.0.0.1:9902',
    'admin=off',
    `sessions.directory=${JSON.stringify(directory)}`,
  ];
}

function openSource(config: SidecarConfig, { directory, owner }: ImportOptions): ImportSource {
  const { session, sessions, timeouts } = config;
  return new ImportSource({
    directory,
    preset: session.preset,
    cookie: session.cookie,
    maxBytes: sessions.maxBytes,
    lifetimeMs: session.lifetimeMs,
    lockMs: timeouts.lockMs,
    uid: owner,
  });
}

interface ImportParts {
  readonly config: SidecarConfig;
  readonly options: ImportOptions;
  readonly source: ImportSource;
  readonly store: ConfiguredStore;
}

/** One run over the directory. */
class Import {
  readonly #parts: ImportParts;
  readonly #counts = new Map<PlantResult | NotImported, number>();
  #stop = false;
  #failure: Error | undefined;

  constructor(parts: ImportParts) {
    this.#parts = parts;
  }

  async run(): Promise<number> {
    const { source, options, config } = this.#parts;
    const survey = source.survey();
    const output = options.progress ?? process.stderr;
    const progress = new ImportProgress({ total: survey.sessions, output, nowMs: () => systemClock.monotonicMs() });
    // The first signal ends it between two sessions; the calls under way are waited for.
    const forgetSignals = onSignals({ onStop: () => (this.#stop = true), onReload: () => (this.#stop = true) });
    try {
      const sessions = source.list();
      await Promise.all(Array.from({ length: atOnce }, () => this.#work(sessions, progress)));
    } finally {
      progress.end();
      forgetSignals();
    }
    const counts: ImportCounts = {
      of: (what) => this.#counts.get(what) ?? 0,
      files: survey.sessions,
      links: survey.passedOver.links,
      strangers: survey.passedOver.strangers,
    };
    const { lifetimeMs } = config.session;
    const { maxBytes } = config.sessions;
    const { dryRun } = options;
    process.stdout.write(
      describeImport(counts, { dryRun, seconds: progress.seconds, lifetimeMs, maxBytes, uid: survey.uid }),
    );
    return this.#end(counts);
  }

  #end(counts: ImportCounts): number {
    if (this.#failure !== undefined) {
      complain(`broken off: ${this.#failure.message} Nothing is lost: run the same command again to go on.`);
      return 2;
    }
    if (this.#stop) {
      complain('stopped. Run the same command again to go on where it stopped.');
      return 2;
    }
    const unread = counts.of('locked') + counts.of('unreadable');
    if (unread === 0) return 0;
    complain(`${grouped(unread)} sessions could not be read; run the same command again to try them once more.`);
    return 2;
  }

  /** One of several that share the walk. Never rejects: the first failure ends all. */
  async #work(sessions: Iterator<SessionId>, progress: ImportProgress): Promise<void> {
    try {
      for (;;) {
        if (this.#stop || this.#failure !== undefined) return;
        const next = sessions.next();
        if (next.done === true) return;
        this.#count(await this.#one(next.value));
        progress.step();
      }
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  async #one(id: SessionId): Promise<PlantResult | NotImported> {
    const { source, store, config, options } = this.#parts;
    const found = await source.read(id);
    if (found.kind === 'skipped') return found.why;
    const name = store.names.of(id);
    if (options.dryRun) return this.#whenAnswered(async () => wouldBe(await store.store.ownerOf(name)));
    const { bytes, mtimeMs, ageMs } = found;
    const ttlMs = Math.ceil(Math.max(0, config.session.lifetimeMs - ageMs) + graceMs);
    return this.#whenAnswered(() => store.store.plant(name, { bytes, mtimeMs }, ttlMs));
  }

  /** A call may be made again: what it has stored before it finds as the same. */
  async #whenAnswered<Result>(call: () => Promise<Result>): Promise<Result> {
    const untilMs = systemClock.monotonicMs() + storeBackMs;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const isAway = error instanceof HoldfastError && error.kind.endsWith('-unavailable');
        if (!isAway || this.#stop || systemClock.monotonicMs() > untilMs) throw error;
      }
      await delay(systemClock, storeAskMs);
    }
  }

  #count(what: PlantResult | NotImported): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}

/** What an import would do, as far as the record tells. */
function wouldBe(record: { readonly version: number; readonly owner: unknown } | undefined): PlantResult {
  if (record === undefined) return 'planted';
  return record.version === 0 && record.owner === undefined ? 'same' : 'kept';
}

function complain(words: string): void {
  process.stderr.write(`holdfast import: ${words.trim()}\n`);
}
