/** A reload where one process is everything (a sidecar, and a gateway with one worker): by SIGHUP, or by a changed file alone. */

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
    const shows = (line: string): Promise<unknown> =>
      until(line, async () => new RegExp(`^holdfast_${line}$`, 'm').test((await part.probe('/metrics')).text));
    await part.write({ log: { level: 'loud', access: false } });
    process.kill(part.process.pid, 'SIGHUP');
    // Once for the signal, and perhaps once for the file.
    await shows('reloads_total\\{result="refused"\\} [12]');
    await shows('reload_refused 1');
    await until('it says what is wrong', () => /log\.level: .*loud/.test(part.process.output));
    assert.match(part.process.output, /was not reloaded; nothing has changed/);

    await part.write({ log: { level: 'info', access: false }, limits: { bodyBytes: 5 }, store: { prefix: 'another' } });
    await shows('reloads_total\\{result="applied"\\} 1');
    await shows('reload_refused 0');
    await shows('reload_keys_waiting 1');
    await until('the rest is named', () => /"paths":\["store\.prefix"\]/.test(part.process.output));
  }
  const gateway = deployment.gateways[0]!;
  await until('the line of before is written', () => gateway.accessLines('/inc').length === 1);
  assert.equal(await browser.number('/inc'), 2);
  const refused = await request(`${gateway.origin}/inc`, { method: 'POST', body: 'more than five' });
  await refused.body.dump();
  assert.equal(refused.statusCode, 413);
  await gateway.process.kill('SIGTERM');
  assert.equal(gateway.accessLines('/inc').length, 1, 'no access lines any more');
});
