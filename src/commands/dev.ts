/**
 * `holdfast dev`: replicas of a command on this machine, each with its own port and session directory, behind a
 * gateway, with the keepers and the embedded store in this one process. Kill a replica, watch the session survive.
 *
 * Must not know how any part works; gateway.ts and sidecar.ts put the real roles together.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { formatAddress } from '../base/address.ts';
import { delay, systemClock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { onSignals, surviveFaults } from '../base/lifecycle.ts';
import { createLog, type Log } from '../base/log.ts';
import { Metrics } from '../base/metrics.ts';
import type { GatewayConfig, SidecarConfig } from '../config/config.ts';
import { isConnectionNoise, onOutputLost, readableLog, readCommands, say } from './dev-console.ts';
import { devConfigs, type DevOptions } from './dev-configs.ts';
import { watchForMisplaced } from './dev-misplaced.ts';
import { DevPod } from './dev-pod.ts';
import { freePorts } from './dev-ports.ts';
import { DevReplica } from './dev-replica.ts';
import { DevWatcher } from './dev-watcher.ts';
import { createGateway } from './gateway.ts';
import { type ConfiguredStore, openConfiguredStore } from './configured-store.ts';
import type { RunningRole } from './running-role.ts';
import { createSidecar } from './sidecar.ts';

const replicasMax = 64;
/** How long the gateway may take to see a pod that has come up. */
const seenWithinMs = 10_000;

/** Exit code 0: stopped as asked. 1: bad arguments. 2: failed while running. */
export async function dev(options: DevOptions): Promise<number> {
  const [program, ...words] = options.command;
  if (program === undefined || options.replicas < 1 || options.replicas > replicasMax) {
    process.stderr.write(`holdfast dev needs a command, and 1 to ${replicasMax} replicas.\n`);
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-dev-'));
  try {
    const ports = await freePorts(options.replicas * 3);
    const configs = devConfigs(options, { ports, folder });
    if (configs === undefined) return 1;
    const session = new DevSession({ ...configs, options, folder, command: [program, ...words] });
    return await session.run();
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface SessionOptions {
  readonly gateway: GatewayConfig;
  readonly sidecars: readonly SidecarConfig[];
  readonly options: DevOptions;
  readonly folder: string;
  readonly command: readonly [string, ...string[]];
}

/** One run of `holdfast dev`, from the first replica to the last. */
class DevSession {
  readonly #options: SessionOptions;
  readonly #log: Log;
  readonly #store: ConfiguredStore;
  readonly #gateway: RunningRole;
  readonly #pods: readonly DevPod[];
  readonly #watcher: DevWatcher;
  readonly #end = Promise.withResolvers<number>();
  #open = false;
  #ending = false;

  constructor(options: SessionOptions) {
    const { gateway, sidecars } = options;
    this.#options = options;
    this.#log = createLog({ ...gateway.log, destination: readableLog() });
    const parts = { log: this.#log, metrics: new Metrics(), clock: systemClock };
    const { keys, nameKey } = sidecars[0]!.store;
    this.#store = openConfiguredStore({ ...gateway, store: { ...gateway.store, keys, nameKey } }, parts);
    this.#gateway = createGateway(gateway, { ...parts, store: this.#store });
    this.#watcher = new DevWatcher(options.folder);
    this.#pods = sidecars.map((config, index) => this.#pod(config, index + 1));
  }

  async run(): Promise<number> {
    const forgetFaults = surviveFaults(this.#log, { value: 0 });
    const stop = (): void => this.#end.resolve(0);
    // A terminal that is closed takes its dev along.
    const forgetSignals = onSignals({ onStop: stop, onReload: stop });
    onOutputLost(stop);
    const restartAll = (): void => this.#pods.forEach((pod) => void this.#start(pod));
    process.on('SIGUSR2', restartAll);
    const stopReading = readCommands({
      kill: (number) => this.#withPod(number, (pod) => pod.replica.kill('SIGKILL')),
      restart: (number) => this.#withPod(number, (pod) => void this.#start(pod)),
      quit: stop,
    });
    try {
      await this.#gateway.start();
      void this.#startAll();
      return await this.#end.promise;
    } catch (error) {
      say(error instanceof HoldfastError ? error.message : String(error));
      return 2;
    } finally {
      this.#ending = true;
      stopReading();
      forgetSignals();
      process.off('SIGUSR2', restartAll);
      await Promise.all(this.#pods.map((pod) => pod.replica.stop()));
      this.#watcher.close();
      await this.#gateway.close();
      await this.#store.close();
      forgetFaults();
    }
  }

  #pod(config: SidecarConfig, number: number): DevPod {
    const { options, folder, command } = this.#options;
    const replica: DevReplica = new DevReplica({
      number,
      port: config.application.port,
      folder: join(folder, `pod-${number}`),
      preset: config.session.preset,
      command,
      environment: options.env,
      onLine: (line) => {
        if (!this.#ending && !isConnectionNoise(line)) say(`  ${config.pod.name} | ${line}`);
      },
      onStart: () => this.#tellWatcher(),
      onExit: (how) => this.#ended(pod, how),
    });
    const pod: DevPod = new DevPod(replica, {
      config,
      clock: systemClock,
      createSidecar: (sidecarConfig) => this.#sidecar(sidecarConfig, replica.sessions),
    });
    return pod;
  }

  #sidecar(config: SidecarConfig, sessions: string): RunningRole {
    return createSidecar(config, {
      // The gateway's line says it all; a second one for each exchange would only confuse.
      log: createLog({ level: 'warn', access: false, destination: readableLog() }),
      metrics: new Metrics(),
      clock: systemClock,
      store: this.#store,
      wrapGate: (gate, directory) =>
        watchForMisplaced({
          gate,
          preset: config.session.preset,
          isHere: (session) => directory.exists(session),
          onMisplaced: (foundIn) => this.#misplaced(config.pod.name, { sessions, foundIn }),
        }),
    });
  }

  async #startAll(): Promise<void> {
    await Promise.all(this.#pods.map((pod) => this.#start(pod)));
    if (this.#ending) return;
    this.#open = true;
    say(`open http://${formatAddress(this.#gateway.addresses[0]!)}`);
  }

  /** Does nothing for a replica that runs. Never rejects: what goes wrong is said, and ends the first start. */
  async #start(pod: DevPod): Promise<void> {
    if (pod.replica.running || this.#ending) return;
    try {
      const how = await pod.start();
      if (how === 'up') await this.#isUp(pod);
      else this.#didNotStart(pod, how);
    } catch (error) {
      this.#fail(`${pod.name} could not be started. ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #isUp(pod: DevPod): Promise<void> {
    await this.#seenByGateway(pod.name);
    const { pid, sessions, port, running } = pod.replica;
    if (running && !this.#ending) say(`${pod.name} up pid ${pid ?? 0} port ${port} sessions ${sessions}`);
  }

  #didNotStart(pod: DevPod, how: 'ended' | 'silent'): void {
    const { port } = pod.replica;
    const why =
      how === 'ended'
        ? `${pod.name} ended before it accepted a connection (its last words are above)`
        : `${pod.name} runs, but nothing listens on its port ${port}. Is {port} in the command, or $PORT read by it?`;
    if (!this.#open) this.#fail(why);
    else if (how === 'silent') {
      say(`  warn: ${why}`);
      pod.replica.kill('SIGKILL');
    }
  }

  async #seenByGateway(name: string): Promise<void> {
    const untilMs = systemClock.monotonicMs() + seenWithinMs;
    const isSeen = (): boolean => this.#gateway.window.pods().some((pod) => pod.name === name && pod.state === 'ready');
    while (!isSeen() && systemClock.monotonicMs() < untilMs && !this.#ending) await delay(systemClock, 20);
  }

  /** Should dev be killed, its replicas go with it. */
  #tellWatcher(): void {
    this.#watcher.tell(this.#pods.flatMap(({ replica }) => replica.pid ?? []));
  }

  #ended(pod: DevPod, how: string): void {
    pod.died();
    this.#tellWatcher();
    if (this.#ending) return;
    say(`${pod.name} down: ${how}`);
    const { restartAfterMs } = this.#options.options;
    if (restartAfterMs !== undefined) void delay(systemClock, restartAfterMs).then(() => this.#start(pod));
  }

  #misplaced(pod: string, { sessions, foundIn }: { sessions: string; foundIn: string | undefined }): void {
    if (foundIn === undefined) {
      say(`  warn: ${pod} made a session, but no file for it is in ${sessions}; does it keep sessions in files there?`);
      return;
    }
    // It takes the variables out of its server's environment, to read a changed .env anew.
    const isServe = this.#options.command.some((word) => word === 'serve') ? ' Give artisan serve --no-reload.' : '';
    this.#fail(
      `${pod} keeps its sessions in ${foundIn}, not in its own ${sessions}. Point it there: {sessions} in the ` +
        'command or $SESSIONS (Laravel: config/session.php, files; php: -d session.save_path={sessions}).' +
        isServe,
    );
  }

  #withPod(number: number, act: (pod: DevPod) => void): void {
    const pod = this.#pods[number - 1];
    if (pod === undefined) say(`there is no replica ${number}`);
    else act(pod);
  }

  #fail(why: string): void {
    if (this.#ending) return;
    this.#ending = true;
    say(`holdfast dev stops: ${why}`);
    this.#end.resolve(2);
  }
}
