/** A gateway that is ended while it starts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { openGateway } from '../../src/commands/gateway.ts';
import { load } from '../config/config-case.ts';
import { ScriptedApiServer } from '../support/scripted-api-server.ts';

const yaml = `
role: gateway
listen: 127.0.0.1:0
session: { preset: php }
affinity: { pinKey: "a pin key of the tests, 32 bytes" }
pods: { sidecars: false, kubernetes: { service: app, port: http } }
`;

test('a gateway that is ended while its source of pods opens asks nobody and listens nowhere', async (t) => {
  const api = await ScriptedApiServer.start(t);
  const before = process.env.KUBECONFIG;
  process.env.KUBECONFIG = api.kubeconfig;
  t.after(() => {
    if (before === undefined) delete process.env.KUBECONFIG;
    else process.env.KUBECONFIG = before;
  });
  const loaded = load({ yaml });
  assert.ok(loaded.kind === 'config' && loaded.config.role === 'gateway', JSON.stringify(loaded));
  const parts = { log: createLog({ level: 'silent' }), metrics: new Metrics(), clock: systemClock };
  const gateway = await openGateway(loaded.config, parts);
  const started = gateway.start();
  gateway.kill();
  await started;
  assert.deepEqual([api.questions.length, gateway.addresses], [0, []]);
});
