/**
 * Every fault that a schedule may inject, each with what it does and how it is mended.
 *
 * Must not know what users do, nor what they may see.
 */

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApplicationName } from '../support/applications.ts';
import type { DeployedGateway, DeployedPod, Deployment } from '../support/deployment.ts';
import type { Fault } from '../support/fault-proxy.ts';
import type { Wire } from '../support/pod-network.ts';
import { until } from '../support/until.ts';
import type { Loss } from './failover-gaps.ts';
import { rollGateway, rollPod, scaleDown } from './orderly-faults.ts';

export interface FaultStage {
  readonly deployment: Deployment;
  readonly pod: DeployedPod;
  /** Undefined in a deployment without gateways. */
  readonly gateway: DeployedGateway | undefined;
  /** What a load balancer does when a gateway is not ready any more, or is again. */
  readonly balance: (gateway: DeployedGateway, isUsed: boolean) => void;
}

export interface FaultKind {
  /** What happens, as the end of "no session is lost when". */
  readonly is: string;
  /** Harms; what it answers mends. */
  readonly inject: (stage: FaultStage) => Promise<() => Promise<void>>;
  /** How many processes it kills. */
  readonly kills: number;
  /** A pod's users lose it, in this way. */
  readonly loses?: Loss;
  /** One pod alone is cut from the store: read-your-writes are given up with `onStoreDown: serve` (protocol rule 28). */
  readonly cutsOnePod?: boolean;
  /** All of the store is away for a time. */
  readonly stopsStore?: boolean;
  /** Done in order: no request may fail. */
  readonly isOrderly?: boolean;
  readonly needsGateway?: boolean;
  /** Applications that answer 200 for a session which they failed to write, and leave its old file: nobody can know. */
  readonly exceptFor?: ApplicationName;
}

const killPod: FaultKind['inject'] = async ({ pod }) => {
  await pod.kill();
  return () => pod.start();
};

/** Both processes of a pod and its wires at once: its node lost power. The processes go on, and nobody hears of them. */
const unplugPod: FaultKind['inject'] = async ({ pod }) => {
  await Promise.all([
    networkOf(pod).set({ kind: 'silent' }, 'data', 'peer'),
    networkOf(pod).set({ kind: 'black-hole' }, 'store'),
  ]);
  return () => networkOf(pod).set({ kind: 'pass' }, 'data', 'peer', 'store');
};

function freeze(
  which: (stage: FaultStage) => readonly { signal(signal: NodeJS.Signals): void }[],
): FaultKind['inject'] {
  return (stage) => {
    const processes = which(stage);
    for (const process of processes) process.signal('SIGSTOP');
    return Promise.resolve(() => {
      for (const process of processes) process.signal('SIGCONT');
      return Promise.resolve();
    });
  };
}

function wire(fault: Fault, ...wires: readonly Wire[]): FaultKind['inject'] {
  return async ({ pod }) => {
    await networkOf(pod).set(fault, ...wires);
    return () => networkOf(pod).set({ kind: 'pass' }, ...wires);
  };
}

function everyWire(fault: Fault, ...wires: readonly Wire[]): FaultKind['inject'] {
  return async ({ deployment }) => {
    const all = async (now: Fault): Promise<void> => {
      await Promise.all(deployment.pods.map((pod) => networkOf(pod).set(now, ...wires)));
    };
    await all(fault);
    return () => all({ kind: 'pass' });
  };
}

/** The file system of a pod's sessions is full: nothing can be written, everything can be read. */
const fillDisk: FaultKind['inject'] = async ({ pod }) => {
  const ballast = join(pod.sessions, '.ballast');
  await writeFile(ballast, Buffer.alloc(64 * 1024 * 1024)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  });
  return () => rm(ballast, { force: true });
};

const killRedis: FaultKind['inject'] = async ({ deployment: { redis } }) => {
  await redis.process.kill('SIGKILL');
  return () => redis.start();
};

/** Both at once: what the pod's users wrote while the store was away was nowhere else. */
const killPodAndRedis: FaultKind['inject'] = async (stage) => {
  const mends = await Promise.all([killRedis(stage), killPod(stage)]);
  return async () => {
    for (const mend of mends) await mend();
  };
};

export const faultKinds = {
  'kill-pod': { is: 'a pod is killed', inject: killPod, kills: 2, loses: 'refused' },
  'kill-sidecar': {
    is: 'a sidecar is killed',
    kills: 1,
    loses: 'refused',
    async inject({ pod }) {
      await pod.killSidecar();
      return () => pod.sidecar.start();
    },
  },
  'kill-application': {
    is: 'an application is killed',
    kills: 1,
    async inject({ pod }) {
      await pod.applicationProcess.kill('SIGKILL');
      return () => pod.startApplication();
    },
  },
  'kill-gateway': {
    is: 'a gateway is killed',
    kills: 1,
    needsGateway: true,
    async inject({ gateway }) {
      await gateway!.process.kill('SIGKILL');
      return () => gateway!.start();
    },
  },
  'kill-redis': { is: 'Redis is killed and comes back with its data', inject: killRedis, kills: 1, stopsStore: true },
  'kill-pod-and-redis': {
    is: 'a pod and Redis are killed at once',
    inject: killPodAndRedis,
    kills: 3,
    stopsStore: true,
    cutsOnePod: true,
  },
  'freeze-pod': {
    is: 'a pod is frozen and wakes up',
    inject: freeze(({ pod }) => [pod.applicationProcess, pod.sidecar.process]),
    kills: 0,
  },
  'freeze-sidecar': {
    is: 'a sidecar is frozen and wakes up',
    inject: freeze(({ pod }) => [pod.sidecar.process]),
    kills: 0,
  },
  'freeze-application': {
    is: 'an application is frozen and wakes up',
    inject: freeze(({ pod }) => [pod.applicationProcess]),
    kills: 0,
  },
  'freeze-gateway': {
    is: 'a gateway is frozen and wakes up',
    inject: freeze(({ gateway }) => [gateway!.process]),
    kills: 0,
    needsGateway: true,
  },
  'freeze-redis': {
    is: 'Redis is frozen and wakes up',
    inject: freeze(({ deployment }) => [deployment.redis.process]),
    kills: 0,
    stopsStore: true,
  },
  'unplug-pod': {
    is: "a pod's node is unplugged and comes back",
    inject: unplugPod,
    kills: 0,
    loses: 'black-holed',
    cutsOnePod: true,
  },
  'silence-pod': {
    is: 'a pod can not be reached and nobody is told so',
    inject: wire({ kind: 'silent' }, 'data', 'peer'),
    kills: 0,
    loses: 'black-holed',
  },
  'cut-pod': {
    is: 'a pod refuses connections though it runs',
    inject: wire({ kind: 'refuse' }, 'data', 'peer'),
    kills: 0,
    loses: 'refused',
  },
  'slow-pod': { is: 'a pod answers late', inject: wire({ kind: 'latency', ms: 60 }, 'data', 'peer'), kills: 0 },
  'cut-peer': { is: "a pod's peer port refuses connections", inject: wire({ kind: 'refuse' }, 'peer'), kills: 0 },
  'cut-peers': { is: 'all sidecars are cut from each other', inject: everyWire({ kind: 'refuse' }, 'peer'), kills: 0 },
  'silence-peer': { is: "a pod's peer port is silent", inject: wire({ kind: 'silent' }, 'peer'), kills: 0 },
  'half-open-peer': {
    is: "connections to a pod's peer port are half-open",
    inject: wire({ kind: 'black-hole' }, 'peer'),
    kills: 0,
  },
  'deaf-peer': {
    is: 'the answers of a peer are lost',
    inject: wire({ kind: 'one-way', swallows: 'answers' }, 'peer'),
    kills: 0,
  },
  'cut-store': {
    is: 'a pod alone is cut from Redis',
    inject: wire({ kind: 'refuse' }, 'store'),
    kills: 0,
    cutsOnePod: true,
  },
  'half-open-store': {
    is: 'the connection of a pod to Redis is half-open',
    inject: wire({ kind: 'black-hole' }, 'store'),
    kills: 0,
    cutsOnePod: true,
  },
  'deaf-store': {
    is: "a pod's commands reach Redis and the replies are lost",
    inject: wire({ kind: 'one-way', swallows: 'answers' }, 'store'),
    kills: 0,
    cutsOnePod: true,
  },
  'late-store': {
    is: 'commands reach Redis after the cut that held them back',
    inject: wire({ kind: 'hold' }, 'store'),
    kills: 0,
    cutsOnePod: true,
  },
  'dropping-store': {
    is: 'the connection to Redis breaks in the middle of replies',
    inject: wire({ kind: 'drop-after', bytes: 700, of: 'answers' }, 'store'),
    kills: 0,
    cutsOnePod: true,
  },
  'reset-stores': {
    is: 'all connections to Redis are reset',
    inject: everyWire({ kind: 'cut' }, 'store'),
    kills: 0,
    stopsStore: true,
  },
  'half-open-stores': {
    is: 'all connections to Redis are half-open',
    inject: everyWire({ kind: 'black-hole' }, 'store'),
    kills: 0,
    stopsStore: true,
  },
  'slow-stores': { is: 'Redis is 100 ms away', inject: everyWire({ kind: 'latency', ms: 50 }, 'store'), kills: 0 },
  'narrow-stores': {
    is: 'Redis is reached by 10 kB a second',
    inject: everyWire({ kind: 'bandwidth', bytesPerSecond: 10_000 }, 'store'),
    kills: 0,
    stopsStore: true,
  },
  'full-disk': { is: "the disk of a pod's sessions is full", inject: fillDisk, kills: 0, exceptFor: 'express' },
  'roll-pod': { is: 'a pod is restarted in order', inject: rollPod, kills: 0, isOrderly: true, needsGateway: true },
  'roll-gateway': {
    is: 'a gateway is restarted in order',
    inject: rollGateway,
    kills: 0,
    isOrderly: true,
    needsGateway: true,
  },
  'scale-down': {
    is: 'a pod is taken away and another one added',
    inject: scaleDown,
    kills: 0,
    isOrderly: true,
    needsGateway: true,
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

export type FaultName = keyof typeof faultKinds;
export const faultNames = Object.keys(faultKinds) as readonly FaultName[];

export function faultKind(name: FaultName): FaultKind {
  return faultKinds[name];
}

/** Everything is as before the fault: every pod has the store and has stored what it has. */
export async function settled(deployment: Deployment): Promise<void> {
  await until(
    'every pod has stored everything',
    async () => {
      if (await deployment.isStored()) return true;
      const pages = await Promise.all(deployment.pods.map(({ sidecar }) => sidecar.probe('/metrics')));
      const told = pages.map(
        ({ text }) => text.match(/^holdfast_(?:store_up|sessions_unsynced).*$/gm)?.join(' ') ?? '',
      );
      throw new Error(deployment.pods.map(({ name }, index) => `${name}: ${told[index]!}`).join('; '));
    },
    { deadlineMs: 60_000 },
  );
}

function networkOf(pod: DeployedPod): NonNullable<DeployedPod['network']> {
  if (pod.network === undefined) throw new Error(`${pod.name} has no fault proxies`);
  return pod.network;
}
