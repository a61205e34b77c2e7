/**
 * One short fault of each kind under users who count: what `make chaos` does by the hundred. Three deployments at once,
 * each goes through its faults one after another.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeVerdict } from '../support/checker-verdict.ts';
import { ChaosRound } from './chaos-round.ts';
import { faultKind, faultNames } from './faults.ts';
import type { FaultName } from './faults.ts';
import type { Round } from './schedule.ts';

const users = 6;
const thinkMs = 200;
const pauseMs = 100;
/** Long enough that every user meets it. */
const shortMs = 500;
/** Long enough that a silent pod is given up and a silent store counts as down. */
const longMs = 2500;

const common = { seed: 20261123, elsewhere: 'forward', mayLose: 'nothing', skewsMs: [0, 0, 0], steps: [] } as const;

const deaths: readonly FaultName[] = [
  'kill-pod',
  'kill-sidecar',
  'kill-application',
  'kill-gateway',
  'kill-redis',
  'freeze-redis',
  'freeze-gateway',
  'freeze-application',
  'reset-stores',
  'slow-stores',
  'full-disk',
  'roll-gateway',
  'roll-pod',
  'scale-down',
];
const cuts: readonly FaultName[] = [
  'kill-pod-and-redis',
  'unplug-pod',
  'silence-pod',
  'freeze-pod',
  'freeze-sidecar',
  'cut-store',
  'half-open-store',
  'deaf-store',
  'late-store',
  'dropping-store',
];
const peers: readonly FaultName[] = [
  'cut-pod',
  'slow-pod',
  'cut-peer',
  'cut-peers',
  'silence-peer',
  'half-open-peer',
  'deaf-peer',
  'half-open-stores',
  'narrow-stores',
];

const groups: readonly { readonly name: string; readonly round: Round; readonly faults: readonly FaultName[] }[] = [
  {
    name: 'Laravel behind two gateways, onStoreDown: serve',
    round: { ...common, application: 'laravel', front: 'gateways', onStoreDown: 'serve' },
    faults: deaths,
  },
  {
    name: 'plain PHP behind two gateways, onStoreDown: refuse, a clock an hour off',
    round: {
      ...common,
      application: 'plain-php',
      front: 'gateways',
      onStoreDown: 'refuse',
      skewsMs: [3_600_000, 0, 0],
    },
    faults: cuts,
  },
  {
    name: 'Express behind a plain Service',
    round: { ...common, application: 'express', front: 'service', onStoreDown: 'refuse' },
    faults: peers,
  },
];

test('every kind of fault is in one of the short rounds', () => {
  assert.deepEqual(groups.flatMap(({ faults }) => faults).toSorted(), faultNames.toSorted());
});

test('short chaos', { concurrency: groups.length }, async (t) => {
  await Promise.all(
    groups.map(({ name, round, faults }) =>
      t.test(name, async (t) => {
        const steps = faults.map((fault, index) => ({
          fault,
          pod: index % 3,
          gateway: index % 2,
          pauseMs,
          forMs: /silence|unplug|half-open|freeze-(?:pod|sidecar)/.test(fault) ? longMs : shortMs,
        }));
        const running = await ChaosRound.start(
          { ...round, steps },
          { users, thinkMs, say: (line) => t.diagnostic(line) },
        );
        t.after(() => running.close());
        for (const step of steps) {
          await t.test(`no session is lost when ${faultKind(step.fault).is}`, async () => {
            const before = running.failures.length;
            await running.step(step);
            assert.deepEqual(running.failures.slice(before), []);
          });
        }
        const { verdict, failures } = await running.finish();
        t.diagnostic(describeVerdict(verdict));
        assert.deepEqual(failures, []);
        assert.ok(verdict.answers > 200, `too few answers to say anything: ${describeVerdict(verdict)}`);
      }),
    ),
  );
});
