/** Every key that can end or refuse something is seen in the metrics when it does. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type CloseReason, closeReasons } from '../../src/base/close-reasons.ts';
import { limits, timeouts } from '../../src/config/limits-schema.ts';
import { deploy } from '../support/deployment.ts';

/** Reasons are labels of holdfast_exchange_failures_total; names are families; unseen: why nobody needs to see it. */
interface Seen {
  readonly reasons?: readonly CloseReason[];
  readonly families?: readonly string[];
  /** Its row in limit_use and limit_maximum. */
  readonly population?: true;
  readonly unseen?: string;
}

const table: Readonly<Record<string, Seen>> = {
  'timeouts.head': { reasons: ['head-timeout'] },
  'timeouts.connect': { reasons: ['upstream-connect-timeout'], families: ['pod_ejections_total'] },
  'timeouts.response': { reasons: ['upstream-response-timeout'] },
  'timeouts.bodyIdle': { reasons: ['request-body-timeout', 'upstream-body-timeout', 'client-stalled'] },
  'timeouts.keepAlive': { unseen: 'ends what nobody uses' },
  'timeouts.upstreamIdle': { unseen: 'ends what nobody uses' },
  'timeouts.tunnelIdle': { reasons: ['tunnel-idle'] },
  'timeouts.drain': { reasons: ['shutting-down'] },
  'timeouts.drainDelay': { unseen: 'refuses nothing' },
  'timeouts.store': { reasons: ['adopt-failed'], families: ['keeper_unsynced_total'] },
  'timeouts.sync': { reasons: ['store-timeout'] },
  'timeouts.handoff': { reasons: ['handoff-timeout'], families: ['keeper_forced_total'] },
  'timeouts.lock': { reasons: ['lock-timeout'], families: ['keeper_lock_timeouts_total'] },
  'timeouts.turn': { reasons: ['turn-timeout'] },
  'timeouts.lookup': { families: ['lookups_late_total', 'lookups_skipped_total'] },
  'limits.headBytes': { reasons: ['head-too-large'] },
  'limits.targetBytes': { reasons: ['target-too-long'] },
  'limits.fields': { reasons: ['too-many-fields'] },
  'limits.bodyBytes': { reasons: ['body-too-large'] },
  'limits.connections': { reasons: ['overloaded'], population: true },
  'limits.perSession': { reasons: ['overloaded'], population: true },
  'limits.holdBytes': { families: ['held_in_vain_total'] },
  // A larger body is sent once, and what then fails has its own reason.
  'limits.replayBytes': { reasons: ['upstream-refused', 'upstream-connect-timeout'] },
  'limits.adopts': { reasons: ['overloaded'], population: true },
  'limits.unsynced': { families: ['keeper_unsynced_full_total'], population: true },
};

test('each limit and each timeout has a counter that says it was reached, and each population a gauge beside its maximum', async (t) => {
  const keys = Object.entries({ timeouts, limits }).flatMap(([section, schema]) =>
    Object.keys(schema.unwrap().in.shape).map((key) => `${section}.${key}`),
  );
  assert.deepEqual(Object.keys(table).toSorted(), keys.toSorted(), 'a key that is new needs its row');

  const { gateways, pods } = await deploy(t, { application: 'plain-php', pods: 1 });
  const processes = [gateways[0]!, pods[0]!.sidecar];
  const pages = await Promise.all(processes.map(async (each) => (await each.probe('/metrics')).text));
  const text = pages.join('\n');
  for (const [key, { reasons = [], families = [], population, unseen }] of Object.entries(table)) {
    assert.ok(reasons.length + families.length > 0 || unseen !== undefined, `${key} has no counter`);
    for (const reason of reasons) assert.ok(Object.hasOwn(closeReasons, reason), reason);
    for (const family of families) assert.ok(text.includes(`# TYPE holdfast_${family} counter`), `${key}: ${family}`);
    if (population !== true) continue;
    const limit = key.slice('limits.'.length);
    for (const gauge of ['limit_use', 'limit_maximum'])
      assert.ok(text.includes(`holdfast_${gauge}{limit="${limit}"}`), `${key}: ${gauge}`);
  }
});
