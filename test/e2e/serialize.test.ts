/** Two tabs at once in a framework that does not lock its session: what `sessions.serialize` is for. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, applications } from '../support/applications.ts';
import { Browser } from '../support/cookie-jar.ts';
import { deploy } from '../support/deployment.ts';

/** Laravel with workers, so that its requests do run at the same time. */
const laravel: Application = {
  ...applications.laravel,
  command(replica) {
    const { command, env } = applications.laravel.command(replica);
    return { command, env: { ...env, PHP_CLI_SERVER_WORKERS: '4' } };
  },
};

for (const [serialize, numbers, words] of [
  [false, [2, 2], 'side by side, and one of two changes is lost, as on a single server'],
  [true, [2, 3], 'one at a time with serialize, and no change is lost'],
] as const) {
  test(`two tabs of one Laravel session work ${words}`, async (t) => {
    const deployment = await deploy(t, { application: laravel, pods: 1, sidecar: { sessions: { serialize } } });
    const browser = deployment.browser();
    assert.equal(await browser.number('/inc'), 1);
    const tab = new Browser(deployment.gateways[0]!.origin, { jar: browser.jar.copy() });
    t.after(() => tab.close());
    // The second tab comes while the first is at work; without serialize it has read before the first writes.
    const both = await Promise.all([browser.number('/slow?ms=1000'), tab.number('/slow?ms=1000')]);
    assert.deepEqual(both.toSorted(), numbers);
    assert.equal(await browser.number('/get'), numbers[1]);
  });
}
