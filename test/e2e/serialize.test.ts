/** Two tabs at once in a framework that does not lock its session: what `sessions.serialize` is for. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { type Application, applications } from '../support/applications.ts';
import { Browser } from '../support/cookie-jar.ts';
import { deploy } from '../support/deployment.ts';

/** Laravel with workers, so that its requests can run at the same time. */
const laravel: Application = {
  ...applications.laravel,
  command(replica) {
    const { command, env } = applications.laravel.command(replica);
    return { command, env: { ...env, PHP_CLI_SERVER_WORKERS: '4' } };
  },
};

/** One worker of `php -S` may take both requests of a round, one after the other: which does, is not ours to say. */
const roundsMax = 10;

test('two tabs of one Laravel session work side by side, and one of two changes is lost, as on a single server', async (t) => {
  const both = await twoTabs(t, { serialize: false });
  for (let round = 1, last = 1; round <= roundsMax; round++) {
    // The longer, the surer that the second one reads before the first one writes.
    const numbers = await both(`/slow?ms=${400 * round}`);
    if (numbers[0] === numbers[1]) return;
    assert.deepEqual(numbers, [last + 1, last + 2], `round ${round}`);
    last += 2;
  }
  assert.fail(`no change was lost in ${roundsMax} rounds`);
});

test('two tabs of one Laravel session work one at a time with serialize, and no change is lost', async (t) => {
  const both = await twoTabs(t, { serialize: true });
  for (let last = 1; last < 9; last += 2) assert.deepEqual(await both('/slow?ms=200'), [last + 1, last + 2]);
});

/** What loads a page in both tabs of one user at once and answers their numbers in order; the session begins at 1. */
async function twoTabs(t: TestContext, sessions: { readonly serialize: boolean }) {
  const deployment = await deploy(t, { application: laravel, pods: 1, sidecar: { sessions } });
  const first = deployment.browser();
  assert.equal(await first.number('/inc'), 1);
  const second = new Browser(deployment.gateways[0]!.origin, { jar: first.jar.copy() });
  t.after(() => second.close());
  return async (path: string) =>
    (await Promise.all([first.number(path), second.number(path)])).toSorted((a, b) => a - b);
}
