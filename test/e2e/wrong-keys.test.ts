/** Keys that are wrong say so, each in the places where somebody looks: real processes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from 'undici';
import { deploy } from '../support/deployment.ts';
import { requireFile } from '../support/processes.ts';
import { until } from '../support/until.ts';

const wrongKey = 'a store key that nobody else has, alas';

test('a gateway with a wrong store.key names it: in its log, at /pods and at /readyz; with Redis it ends with 1', async (t) => {
  const deployment = await deploy(t, { application: 'plain-php', pods: 1, gateways: 1 });
  const [gateway] = deployment.gateways;
  const [pod] = deployment.pods;
  assert.ok(gateway && pod);
  await gateway.process.kill('SIGTERM');

  // Beside its sessions there is the mark of their keys.
  // The variable of the deployment wins over the file, unless the file refers to it.
  gateway.configure({ store: { key: wrongKey, nameKey: 'env:HOLDFAST_STORE_KEY' } });
  await gateway.launch();
  await until('it has ended', () => !gateway.process.running);
  assert.equal((await gateway.process.ended).code, 1);
  const mark =
    /These are not the keys of the sessions under store\.prefix .*store\.key has the fingerprint [0-9a-f]{8}/;
  assert.match(gateway.process.output, mark);
  assert.doesNotMatch(gateway.process.output, /that nobody else has/);

  // Without, it is the sidecar that tells.
  gateway.configure({ store: { url: 'memory:' }, pods: { sidecars: true } });
  await gateway.launch();
  const told = /pod-a.*another store\.key than ours \(ours has the fingerprint [0-9a-f]{8}\)/;
  await gateway.process.ready('tells of the key at /readyz', async () =>
    told.test((await gateway.probe('/readyz')).text),
  );
  const pods = await (await request(`http://${String(gateway.admin)}/pods`)).body.text();
  assert.match(pods, /another store\.key than ours/);
  await until('the log has it, as an error', () =>
    gateway.process.logLines.some((line) => line['level'] === 'error' && told.test(JSON.stringify(line))),
  );
  await until('so has the sidecar', () => pod.sidecar.process.output.includes('another store.key than ours'));
});

test('session.keys that are not the application’s are an error in the log of gateway and sidecar', async (t) => {
  requireFile('/usr/share/php/Illuminate/autoload.php', 'php-laravel-framework');
  const wrong = { session: { keys: [`base64:${Buffer.alloc(32, 'x').toString('base64')}`] } };
  const deployment = await deploy(t, { application: 'laravel', pods: 1, sidecar: wrong, gateway: wrong });
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  for (const process of [deployment.gateways[0]!.process, deployment.pods[0]!.sidecar.process]) {
    await until(`${process.name} tells`, async () => {
      // A gateway looks at answers as soon as it knows the pod's sidecar.
      await browser.get('/inc');
      return process.logLines.some(
        (line) => line['level'] === 'error' && /^session\.keys are not those/.test(String(line['why'])),
      );
    });
  }
});
