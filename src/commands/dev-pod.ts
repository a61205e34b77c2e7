/**
 * A pod of `holdfast dev`: a replica of the application and the sidecar before it, which live and die together.
 *
 * Must not know the gateway or the terminal.
 */

import { connect } from 'node:net';

import type { Clock } from '../base/clock.ts';
import { delay } from '../base/clock.ts';
import type { SidecarConfig } from '../config/config.ts';
import type { RunningRole } from './running-role.ts';
import type { DevReplica } from './dev-replica.ts';

export interface DevPodOptions {
  readonly config: SidecarConfig;
  readonly createSidecar: (config: SidecarConfig) => RunningRole;
  readonly clock: Clock;
}

/** 'ended': the command did, before it accepted a connection. 'silent': it runs, but does not listen. */
export type DevPodStart = 'up' | 'ended' | 'silent';

const pollMs = 50;
/** How long an application may take to listen. */
const listenWithinMs = 60_000;

export class DevPod {
  readonly #options: DevPodOptions;
  readonly replica: DevReplica;
  #sidecar: RunningRole | undefined;

  constructor(replica: DevReplica, options: DevPodOptions) {
    this.replica = replica;
    this.#options = options;
  }

  get name(): string {
    return this.replica.name;
  }

  /** Starts the command, waits until it accepts connections, then opens the sidecar. @throws HoldfastError as that does. */
  async start(): Promise<DevPodStart> {
    const { config, createSidecar, clock } = this.#options;
    const untilMs = clock.monotonicMs() + listenWithinMs;
    this.replica.start();
    while (!(await accepts(config.application.port))) {
      if (!this.replica.running) return 'ended';
      if (clock.monotonicMs() > untilMs) return 'silent';
      await delay(clock, pollMs);
    }
    const sidecar = createSidecar(config);
    this.#sidecar = sidecar;
    await sidecar.start();
    return this.replica.running ? 'up' : 'ended';
  }

  /** The replica has ended: its sidecar goes with it, as a pod's does, storing and releasing nothing. */
  died(): void {
    this.#sidecar?.kill();
    this.#sidecar = undefined;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (taken: boolean): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
