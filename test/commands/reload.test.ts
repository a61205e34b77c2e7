/** SIGHUP where one process is everything: a sidecar, and a gateway with one worker. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from 'undici';

import { deploy } from '../support/deployment.ts';
import { until } from '../support/until.ts';

test('a process alone takes over what it can and names the rest; a bad file changes nothing', async (t) => {
  const deployment = await deploy(t, { application: 'plain-php', pods: 1 });
  const browser = deployment.browser();
  assert.equal(await browser.number('/inc'), 1);
  for (const part of [deployment.gateways[0]!, deployment.pods[0]!.sidecar]) {
    const reloads = (result: string): Promise<unknown> =>
      until(`a reload was ${result}`, async () =>
        (await part.probe('/metrics')).text.includes(`\nholdfast_reloads_total{result="${result}"} 1\n`),
      );
    await part.write({ log: { level: 'loud', access: false } });
    process.kill(part.process.pid, 'SIGHUP');
    await reloads('refused');
    assert.match(part.process.output, /log\.level: .*loud/);
    assert.match(part.process.output, /was not reloaded; nothing has changed/);

    await part.write({ log: { level: 'info', access: false }, limits: { bodyBytes: 5 }, store: { prefix: 'another' } });
    process.kill(part.process.pid, 'SIGHUP');
    await reloads('applied');
    await until('the rest is named', () => /"paths":\["store\.prefix"\]/.test(part.process.output));
  }
  const gateway = deployment.gateways[0]!;
  const seen = gateway.accessLines('/inc').length;
  assert.equal(seen, 1);
  assert.equal(await browser.number('/inc'), 2);
  const refused = await request(`${gateway.origin}/inc`, { method: 'POST', body: 'more than five' });
  await refused.body.dump();
  assert.equal(refused.statusCode, 413);
  await gateway.process.kill('SIGTERM');
  assert.equal(gateway.accessLines('/inc').length, seen, 'no access lines any more');
});
