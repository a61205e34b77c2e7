/**
 * What happens to a deployment in order: rolling restarts of a pod or a gateway, a pod taken away and brought back, as
 * a Deployment in Kubernetes does them. No request may fail meanwhile.
 *
 * Must not know what users see.
 */

import assert from 'node:assert/strict';
import type { DeployedGateway, DeployedPod, Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';
import type { FaultStage } from './faults.ts';

type Mend = () => Promise<void>;

/** preStop: `holdfast drain`; then the gateways see it, then the application ends, then the sidecar. */
export async function rollPod({ deployment, pod }: FaultStage): Promise<Mend> {
  await endInOrder(deployment, pod);
  return async () => {
    await pod.start();
    await knownAs(deployment, pod, 'ready');
  };
}

/** SIGTERM, and the load balancer goes to the others. */
export async function rollGateway({ gateway, balance }: FaultStage): Promise<Mend> {
  await endGateway(gateway!, balance);
  return async () => {
    await gateway!.start();
    balance(gateway!, true);
  };
}

async function endGateway(gateway: DeployedGateway, balance: FaultStage['balance']): Promise<void> {
  gateway.process.signal('SIGTERM');
  balance(gateway, false);
  const { code } = await gateway.process.ended;
  assert.equal(code, 0, 'a gateway ends with 0 at SIGTERM');
}

/** The pod is drained and gone, and the gateways forget it; then it comes back under the same name. */
export async function scaleDown(stage: FaultStage): Promise<Mend> {
  const { deployment, pod } = stage;
  await endInOrder(deployment, pod);
  await restartGateways(stage, (other) => other !== pod);
  return async () => {
    await pod.start();
    await restartGateways(stage, () => true);
    await knownAs(deployment, pod, 'ready');
  };
}

async function endInOrder(deployment: Deployment, pod: DeployedPod): Promise<void> {
  const { code, output } = await pod.sidecar.command('drain');
  assert.equal(code, 0, `holdfast drain at ${pod.name}: ${output}`);
  await knownAs(deployment, pod, 'draining');
  await until(`no request is under way at ${pod.name}`, async () =>
    (await Promise.all(deployment.gateways.map((gateway) => podSeenBy(gateway, pod)))).every(
      (seen) => seen?.inFlight === 0,
    ),
  );
  const end = await pod.terminate();
  assert.equal(end.code, 0, `${pod.name}'s sidecar ends with 0 at SIGTERM`);
}

function knownAs(deployment: Deployment, pod: DeployedPod, state: string): Promise<unknown> {
  return until(`every gateway knows ${pod.name} as ${state}`, async () =>
    (await Promise.all(deployment.gateways.map((gateway) => podSeenBy(gateway, pod)))).every(
      (seen) => seen?.state === state,
    ),
  );
}

interface SeenPod {
  readonly name: string;
  readonly state: string;
  readonly inFlight: number;
}

async function podSeenBy(gateway: DeployedGateway, pod: DeployedPod): Promise<SeenPod | undefined> {
  const answer = await fetch(`http://${String(gateway.admin)}/pods`);
  const { pods } = (await answer.json()) as { readonly pods: readonly SeenPod[] };
  return pods.find(({ name }) => name === pod.name);
}

async function restartGateways(
  { deployment, balance }: FaultStage,
  isKept: (pod: DeployedPod) => boolean,
): Promise<void> {
  const pods = deployment.pods.filter(isKept).map((pod) => `${pod.name}=${pod.address}`);
  for (const gateway of deployment.gateways) {
    gateway.configure({ pods: { static: pods } });
    await endGateway(gateway, balance);
    await gateway.start();
    balance(gateway, true);
  }
}
