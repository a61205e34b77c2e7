/**
 * What every framework with file sessions must be able to do behind Holdfast, as one list of promises that is run on
 * each real application: three pods, a gateway and a Redis, deployed once, and the steps in an order in which each
 * begins where the one before ended.
 *
 * An application answers, as plain text: `/inc` the visitor's next number (1 for a new visitor), `/get` the number as
 * it is (0 for a new visitor; must not change the session), `/id` the session's id, `/login` the next number under a
 * new id whose old one the framework's own means have ended, `/logout` anything, and `/who` a text that ends with a
 * space and the port it listens on.
 *
 * Must not know any framework.
 */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type { Application } from '../support/applications.ts';
import { Browser } from '../support/cookie-jar.ts';
import type { CookieJar } from '../support/cookie-jar.ts';
import { deploy } from '../support/deployment.ts';
import type { DeployedPod, Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

export interface FrameworkOptions {
  /** A function: making it may find out that a program is missing, which then fails this framework's test alone. */
  readonly application: () => Application;
  /** Keys of `session` besides the preset and, where the framework signs or encrypts, `keys`: none, if all is well. */
  readonly session?: Readonly<Record<string, unknown>>;
  /** More promises of this framework alone, on the same deployment and with a user who has a session. */
  readonly more?: (given: FrameworkUnderTest) => Promise<void>;
}

export interface FrameworkUnderTest {
  readonly t: TestContext;
  readonly deployment: Deployment;
  readonly user: FrameworkUser;
}

/** The shortest there is, so that a session which is only read has to be renewed within seconds: every tenth of it. */
const lifetime = '60s';
const tabs = 8;

/** Declares one test; its steps are its subtests. */
export function frameworkCase(name: string, options: FrameworkOptions): void {
  test(name, async (t) => {
    const session = { lifetime, ...options.session };
    const deployment = await deploy(t, {
      application: options.application(),
      sidecar: { session },
      gateway: { session },
    });
    await deployment.gatewaysKnowPods();
    const user = new FrameworkUser(deployment);
    const given = { t, deployment, user };
    await staysAndMoves(given);
    await loginAndLogout(given);
    await parallelTabs(given);
    await options.more?.(given);
  });
}

async function staysAndMoves({ t, deployment, user }: FrameworkUnderTest): Promise<void> {
  await t.test('20 requests of a session stay on one pod', async () => {
    await user.counts(5);
    const { name } = await user.pod();
    for (let turn = 0; turn < 20; turn++) {
      if (turn % 4 === 0) await user.counts();
      assert.equal((await user.pod()).name, name, `turn ${turn}`);
    }
  });

  await t.test('a session that is only read does not end', async (step) => {
    const redis = new Redis(deployment.redis.url);
    step.after(() => redis.disconnect());
    await user.reads();
    let before = await lifeLeftMs(redis);
    await until('reading has renewed it', async () => {
      await user.reads();
      const now = await lifeLeftMs(redis);
      const isRenewed = now > before;
      before = now;
      return isRenewed;
    });
  });

  await t.test(
    'a pod killed with kill -9: the next request is served elsewhere, same session, next number',
    async () => {
      const first = await user.pod();
      const id = await user.id();
      await first.kill();
      await user.counts();
      const second = await user.pod();
      assert.notEqual(second.name, first.name);
      assert.equal(await user.id(), id);
      await user.counts();

      // Back with the file of before: it must not win, neither now nor when it is the only pod left.
      await whileReading(user, first.start());
      await user.counts();
      const others = deployment.pods.filter((pod) => pod !== first);
      await Promise.all(others.map((pod) => pod.kill()));
      await user.counts();
      assert.equal((await user.pod()).name, first.name);
      assert.equal(await user.id(), id);
      await whileReading(user, Promise.all(others.map((pod) => pod.start())));
      await user.counts();
    },
  );
}

async function loginAndLogout({ t, deployment, user }: FrameworkUnderTest): Promise<void> {
  await t.test('a login keeps the data under a new id, and the old id is dead, also after a kill', async (step) => {
    const before = await user.id();
    const thief = user.thief(step);
    await user.counts(1, '/login');
    const id = await user.id();
    assert.notEqual(id, before);
    await user.counts();
    await thief.findsNothing();
    await (await user.pod()).kill();
    await user.counts();
    assert.equal(await user.id(), id);
    await thief.findsNothing();
    await whileReading(user, revive(deployment));
    await user.counts();
    await thief.findsNothing();
  });

  await t.test('a logout ends the session everywhere, also after a kill', async (step) => {
    const thief = user.thief(step);
    const { name } = await user.pod();
    await user.logsOut();
    await thief.findsNothing();
    await deployment.pods.find((pod) => pod.name === name)!.kill();
    await thief.findsNothing();
    await revive(deployment);
    await thief.findsNothing();
    await user.counts(3);
  });
}

async function parallelTabs({ t, deployment, user }: FrameworkUnderTest): Promise<void> {
  const { locks } = deployment.application.traits;
  const promise = locks ? 'each counts, because the framework locks' : 'none fails, and the session stays';
  await t.test(`${tabs} parallel requests of a session: ${promise}`, async () => {
    const id = await user.id();
    const before = user.number;
    const numbers = await Promise.all(Array.from({ length: tabs }, () => user.browser.number('/inc')));
    numbers.sort((one, other) => one - other);
    user.number = await user.browser.number('/get');
    if (locks) {
      const expected = Array.from({ length: tabs }, (_, index) => before + 1 + index);
      assert.deepEqual(numbers, expected);
      assert.equal(user.number, before + tabs);
    } else {
      assert.ok(numbers.every((number) => number > before && number <= before + tabs));
      assert.ok(user.number > before && user.number <= numbers.at(-1)!, 'what is kept is one of the answers');
    }
    assert.equal(await user.id(), id);
    await (await user.pod()).kill();
    await user.counts();
    assert.equal(await user.id(), id);
    await whileReading(user, revive(deployment));
    await user.counts();
  });
}

/** A browser with one session, and the number that it must be answered next. */
export class FrameworkUser {
  readonly browser: Browser;
  number = 0;
  readonly #deployment: Deployment;

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
    this.browser = deployment.browser({ timeoutMs: 30_000 });
  }

  /** Each request must be answered, at once, with the number after the last one. */
  async counts(times = 1, path = '/inc'): Promise<void> {
    for (let turn = 0; turn < times; turn++) {
      assert.equal(await this.browser.number(path), this.number + 1, path);
      this.number += 1;
    }
  }

  async reads(): Promise<void> {
    assert.equal(await this.browser.number('/get'), this.number, '/get');
  }

  id(): Promise<string> {
    return this.browser.text('/id');
  }

  pod(): Promise<DeployedPod> {
    return this.#deployment.podOf(this.browser);
  }

  async logsOut(): Promise<void> {
    await this.browser.text('/logout');
    this.number = 0;
  }

  /** Someone who has a copy of the cookies of this moment. */
  thief(t: TestContext): Thief {
    const thief = new Thief(this.browser.origin, this.browser.jar);
    t.after(() => thief.close());
    return thief;
  }
}

class Thief {
  readonly #origin: string;
  readonly #jar: CookieJar;
  readonly #browsers: Browser[] = [];

  constructor(origin: string, jar: CookieJar) {
    this.#origin = origin;
    this.#jar = jar.copy();
  }

  /** The copied cookies as they were, each time: what an answer sets is not kept. */
  async findsNothing(): Promise<void> {
    const browser = new Browser(this.#origin, { jar: this.#jar.copy(), timeoutMs: 30_000 });
    this.#browsers.push(browser);
    assert.equal(await browser.number('/get'), 0, 'the copied cookies open no session');
  }

  async close(): Promise<void> {
    await Promise.all(this.#browsers.map((browser) => browser.close()));
  }
}

/** Starts what is dead. */
async function revive(deployment: Deployment): Promise<void> {
  const dead = deployment.pods.filter(({ sidecar }) => !sidecar.process.running);
  await Promise.all(dead.map((pod) => pod.start()));
}

/** Goes on reading, so that the short lifetime does not pass while something takes its time. */
async function whileReading(user: FrameworkUser, work: Promise<unknown>): Promise<void> {
  const state = { isWorking: true };
  const done = work.finally(() => (state.isWorking = false));
  // It is awaited below; until then its failure must not count as unhandled.
  done.catch(() => undefined);
  while (state.isWorking) await user.reads();
  await done;
}

/** Milliseconds, of the session record that lives longest; the store has only this user's. */
async function lifeLeftMs(redis: Redis): Promise<number> {
  const keys = await redis.keys('*');
  const records = await Promise.all(
    keys.map(async (key) => ((await redis.type(key)) === 'hash' ? redis.pttl(key) : 0)),
  );
  return Math.max(0, ...records);
}
