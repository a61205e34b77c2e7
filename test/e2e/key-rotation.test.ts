/**
 * The keys of a running deployment are exchanged, one process after the other, while users count: append, move first,
 * drop, as docs/operations.md says. And keys that are wrong say so.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applications } from '../support/applications.ts';
import type { Application } from '../support/applications.ts';
import { describeVerdict } from '../support/checker-verdict.ts';
import { deploy } from '../support/deployment.ts';
import type { DeployedGateway, DeployedPod } from '../support/deployment.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

/** HOLDFAST_STORE_KEY in the environment wins over the file, unless the file refers to it. */
const storeKeys = { old: 'env:HOLDFAST_STORE_KEY', new: 'the new store key of this rotation' } as const;
const pinKeys = { old: 'the old pin key of this rotation', new: 'the new pin key of this rotation' } as const;
const secrets = { old: 'the old secret of the application', new: 'the new secret of the application' } as const;

type Which = keyof typeof storeKeys;
type Order = readonly [Which, ...Which[]];

/** What each process that is restarted in a step knows; the first seals and signs. */
const steps: readonly Order[] = [['old', 'new'], ['new', 'old'], ['new']];

test('store key, pin key and the application secrets rotate without one lost session', async (t) => {
  let order: Order = ['old'];
  const application: Application = {
    ...applications.express,
    command(replica) {
      const { command, env } = applications.express.command(replica);
      const [first, former] = order;
      const more = former === undefined ? {} : { SESSION_SECRET_FORMER: secrets[former] };
      return { command, env: { ...env, SESSION_SECRET: secrets[first], ...more } };
    },
  };
  let output = '';
  const deployment = await deploy(t, {
    application,
    pods: 2,
    gateways: 2,
    sidecar: { ...keysOf(order, 'sidecar'), timeouts: { drain: '400ms', drainDelay: '10ms' } },
    gateway: { ...keysOf(order, 'gateway'), timeouts: { drain: '400ms', drainDelay: '10ms' } },
    tap: (_process, text) => (output += text),
  });
  const origins = deployment.gateways.map(({ origin }) => origin);
  const checker = new SessionChecker({ origins, users: 4, application: application.traits, seed: 29, thinkMs: 100 });
  checker.start();
  for (order of steps) {
    t.diagnostic(`${new Date().toISOString()} ${order.join(', ')}`);
    // Half and half: each gateway speaks with a pod of the step before, and each pod with the other.
    for (const [index, pod] of deployment.pods.entries()) {
      await Promise.all([repod(pod, order), regate(deployment.gateways[index]!, order)]);
      await answered(checker);
    }
  }
  const verdict = await checker.stop();
  t.diagnostic(describeVerdict(verdict));
  assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
  assert.doesNotMatch(
    output,
    /the keys of|another store\.key|did not open/,
    'old and new processes understand each other',
  );
});

async function repod(pod: DeployedPod, order: Order): Promise<void> {
  const { code } = await pod.terminate();
  assert.equal(code, 0);
  pod.sidecar.configure(keysOf(order, 'sidecar'));
  await pod.start();
}

async function regate(gateway: DeployedGateway, order: Order): Promise<void> {
  await gateway.process.kill('SIGTERM');
  gateway.configure(keysOf(order, 'gateway'));
  await gateway.start();
}

/** Every user goes on, so that every session is sealed, pinned and signed by the keys of now. */
async function answered(checker: SessionChecker): Promise<void> {
  const { answers } = checker;
  await until('users are answered', () => checker.answers > answers + 20, { deadlineMs: 60_000 });
}

/** Until there is a second key the first one names the sessions; then it is written down as nameKey. */
function keysOf(order: Order, role: 'gateway' | 'sidecar'): Record<string, unknown> {
  const key = order.map((which) => storeKeys[which]);
  const store = order.length === 1 && order[0] === 'old' ? { key } : { key, nameKey: storeKeys.old };
  const session = { keys: order.map((which) => secrets[which]) };
  if (role === 'sidecar') return { store, session };
  return { store, session, affinity: { pinKey: order.map((which) => pinKeys[which]) } };
}
