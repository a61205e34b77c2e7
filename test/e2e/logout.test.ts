/**
 * What ended stays ended: a session that was logged out, or whose id a login replaced, is not brought back by a pod
 * that dies or comes back with an old file.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser } from '../support/cookie-jar.ts';
import { deploy } from '../support/deployment.ts';
import type { Deployment } from '../support/deployment.ts';

for (const application of ['laravel', 'plain-php'] as const) {
  test(`${application}: a logout holds whatever pod dies or comes back afterwards`, async (t) => {
    const deployment = await deploy(t, { application });
    const browser = deployment.browser();
    for (let number = 1; number <= 3; number++) assert.equal(await browser.number('/inc'), number);
    // The session lives on two pods in turn, so that a second one has a file that could come back.
    const first = await deployment.podOf(browser);
    await first.kill();
    assert.equal(await browser.number('/inc'), 4);
    const second = await deployment.podOf(browser);
    await first.start();

    const old = browser.jar.copy();
    assert.equal(await browser.text('/logout'), 'bye');
    assert.equal(await numberOfOldCookie(deployment, old), '0');
    await second.kill();
    assert.equal(await numberOfOldCookie(deployment, old), '0');
    await second.start();
    for (const pod of deployment.pods) {
      if (pod !== second) await pod.kill();
    }
    assert.equal(await numberOfOldCookie(deployment, old), '0');
    assert.equal(await browser.number('/inc'), 1, 'the user who logged out begins again');
  });

  test(`${application}: the id that a login replaced stays dead after its pod died`, async (t) => {
    const deployment = await deploy(t, { application });
    const browser = deployment.browser();
    assert.equal(await browser.number('/inc'), 1);
    const old = browser.jar.copy();
    const pod = await deployment.podOf(browser);
    assert.equal(await browser.number('/login'), 2);
    await pod.kill();
    assert.equal(await numberOfOldCookie(deployment, old), '0');
    assert.equal(await browser.number('/inc'), 3);
    await pod.start();
    assert.equal(await numberOfOldCookie(deployment, old), '0');
    assert.equal(await browser.number('/inc'), 4);
  });
}

/** What somebody who kept the cookies of before is answered. */
async function numberOfOldCookie(deployment: Deployment, old: Browser['jar']): Promise<string> {
  const ghost = new Browser(deployment.gateways[0]!.origin, { jar: old.copy() });
  try {
    return await ghost.text('/get');
  } finally {
    await ghost.close();
  }
}
