/** A deployed application whose requests stop where a test wants them to (gated-application.ts), and its gates. */

import { join } from 'node:path';
import { request } from 'undici';
import type { Application } from './applications.ts';
import type { DeployedPod } from './deployment.ts';
import { nodeProgram, repositoryRoot } from './processes.ts';
import { until } from './until.ts';

/** With `session: { cookie: 'sid' }`. */
export const gatedApplication: Application = {
  preset: 'plain',
  secretNames: [],
  traits: { cookie: 'sid', locks: false, regenerateDeletes: true },
  sessions: (storage) => join(storage, 'sessions'),
  command: ({ port, storage }) => ({
    command: [nodeProgram, join(repositoryRoot, 'test/support/gated-application.ts')],
    env: { PORT: String(port), SESSIONS: join(storage, 'sessions') },
  }),
};

/** A request of the pod's application has reached this gate and waits there. */
export async function waitsAt(pod: DeployedPod, gate: string): Promise<void> {
  await until(`a request waits at ${gate}`, () => isWaiting(pod, gate));
}

/** Of these pods the one whose application has a request at this gate, once one has. */
export function whoWaitsAt(pods: readonly DeployedPod[], gate: string): Promise<DeployedPod> {
  return until(`a request waits at ${gate}`, async () => {
    for (const pod of pods) if (await isWaiting(pod, gate)) return pod;
    return undefined;
  });
}

/** Lets through who waits at the gate, and everybody later. */
export async function open(pod: DeployedPod, gate: string): Promise<void> {
  await ask(pod, `/open/${gate}`);
}

async function isWaiting(pod: DeployedPod, gate: string): Promise<boolean> {
  return (await ask(pod, `/waits/${gate}`)) === 'true';
}

async function ask(pod: DeployedPod, path: string): Promise<string> {
  const answer = await request(`http://127.0.0.1:${pod.applicationPort}${path}`, { reset: true });
  return answer.body.text();
}
