/**
 * The traces of the ownership protocol with real processes: what goes wrong without a rule, played on deployed pods. P
 * owns first, Q is the other one; here the store is well, traces-store.test.ts has those in which it is not. Through
 * keepers alone, step by step, the same rows are in test/sessions/keeper-traces.test.ts.
 *
 * | rule | played by |
 * |---|---|
 * | 6 | here, through two gateways; for those who write: owner-away.test.ts, frozen and cut |
 * | 4, 10, 13, 22, 24 | here |
 * | 1, 2, 11 and 12, 14, 20, 25 | traces-store.test.ts |
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import { until } from '../support/until.ts';
import { open, waitsAt } from '../support/gates.ts';
import { complete, type Ending, gatedPods, Visitor } from './gated-pods.ts';

test('the traces, while the store is well', async (t) => {
  const pods = await gatedPods(t);
  const { p, q } = pods;

  await t.test('rule 4: two first requests of one new session at one pod end in one record with both', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(p, '/about'), { status: 200, text: 'a page that needs no session' });
    const twin = visitor.twin();
    // Slow enough that the second one ends while the first one's record is on its way.
    await p.network!.set({ kind: 'latency', ms: 100 }, 'store');
    const [first, second] = [visitor.at(p, '/inc?by=1'), twin.at(p, '/inc?by=10&gate=second')];
    await waitsAt(p, 'second');
    await open(p, 'second');
    assert.deepEqual([await first, await second].map(statusOf), [200, 200]);
    await p.network!.set({ kind: 'pass' }, 'store');
    const last = await visitor.at(p, '/get');
    assert.deepEqual(await visitor.at(q, '/get'), last, 'what P has is what the store has');
  });

  await t.test('rule 4: of two first requests of one new session at two pods one is no success', async (t) => {
    const visitor = new Visitor(t);
    await visitor.at(p, '/about');
    const twin = visitor.twin();
    const endings = [visitor.at(p, '/inc?by=1&gate=born'), twin.at(q, '/inc?by=10&gate=born')];
    // Neither is known to the store yet, both are with their application.
    await Promise.all([waitsAt(p, 'born'), waitsAt(q, 'born')]);
    await Promise.all([open(p, 'born'), open(q, 'born')]);
    const answered = (await Promise.all(endings)).filter((ending) => statusOf(ending) === 200);
    assert.equal(answered.length, 1, JSON.stringify(answered));
    assert.deepEqual(await visitor.at(q, '/get'), answered[0]);
    assert.deepEqual(await visitor.at(p, '/get'), answered[0]);
  });

  await t.test('rule 13: a slow request of an earlier term writes nothing into a later one', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(1));
    const slow = visitor.twin().at(p, '/inc?gate=slow');
    await waitsAt(p, 'slow');
    assert.deepEqual(await visitor.at(q, '/inc?by=10'), complete(11), 'P does not wait for it without a bound');
    assert.equal(statusOf(await visitor.at(p, '/inc')), 503, 'its file is still in the hands of the slow request');
    await open(p, 'slow');
    // It writes 2, from what it read when the session was 1.
    assert.notEqual(statusOf(await slow), 200);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(12));
    assert.deepEqual(await visitor.at(q, '/inc'), complete(13));
  });

  await t.test(
    'rule 22: an event stream that never ends holds no hand-off up, and its end is no success',
    async (t) => {
      const visitor = new Visitor(t);
      assert.deepEqual(await visitor.at(p, '/inc'), complete(1));
      const stream = visitor.twin().at(p, '/events?gate=stream');
      await waitsAt(p, 'stream');
      assert.deepEqual(await visitor.at(q, '/inc'), complete(3), 'with what the stream had written');
      await open(p, 'stream');
      assert.equal(await stream, 'cut');
      assert.deepEqual(await visitor.at(q, '/inc'), complete(4));
    },
  );

  await t.test('rule 10: an answer is held for a bounded time by the lock of a parallel request', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(1));
    const locked = visitor.twin().at(p, '/locked?gate=lock');
    await waitsAt(p, 'lock');
    const held = await visitor.at(p, '/about');
    assert.ok(statusOf(held) === 503 || held === 'cut', JSON.stringify(held));
    await open(p, 'lock');
    assert.deepEqual(await locked, complete(2));
    assert.deepEqual(await visitor.at(q, '/inc'), complete(3));
  });

  await t.test('rule 24: what ran beside a logout takes nothing from who begins anew with the same id', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(1));
    const [parallel, again] = [visitor.twin(), visitor.twin()];
    const poll = parallel.at(p, '/inc?gate=poll');
    await waitsAt(p, 'poll');
    assert.deepEqual(await visitor.at(p, '/logout'), complete('bye'));
    const login = again.at(p, '/inc?by=50');
    // It has long been with the application, if anything lets it through before the poll has ended.
    for (let other = 0; other < 5; other++) await new Visitor(t).at(p, '/about');
    await open(p, 'poll');
    await poll;
    assert.deepEqual(await login, complete(50), 'from nothing, with neither the old number nor the poll');
    assert.equal(await readFile(join(p.sessions, again.id!), 'utf8'), '50');
    assert.deepEqual(await again.at(p, '/inc'), complete(51));
    assert.deepEqual(await again.at(q, '/inc'), complete(52));
  });
});

for (const how of ['cut off from the others', 'frozen'] as const) {
  test(`rule 6: a gateway that still goes to an owner who is ${how} reads nothing old there as a success`, async (t) => {
    const { p, q, deployment } = await gatedPods(t, {
      gateways: 2,
      elsewhere: 'forward',
      // The second gateway reaches both where no fault comes between.
      configure({ deployment: { gateways, pods } }) {
        gateways[1]!.configure({ pods: { static: pods.map(({ name, dataPort }) => `${name}=127.0.0.1:${dataPort}`) } });
      },
    });
    await deployment.gatewaysKnowPods();
    const [first, second] = deployment.gateways.map(({ origin }) => origin) as [string, string];
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.from(first, '/inc'), complete(1));
    const who = await visitor.from(first, '/who');
    const [owner, other] = who !== 'cut' && who.text.endsWith(` ${p.applicationPort}`) ? [p, q] : [q, p];
    const pinned = visitor.twin();
    let ending: Ending;
    if (how === 'frozen') {
      owner.sidecar.process.signal('SIGSTOP');
      const late = pinned.from(second, '/get');
      assert.deepEqual(await visitor.at(other, '/inc'), complete(2), 'taken by force');
      owner.sidecar.process.signal('SIGCONT');
      ending = await late;
    } else {
      // As a rule of a firewall that rejects: it looks like a dead pod to all but the second gateway.
      await owner.network!.set({ kind: 'refuse' }, 'data', 'peer');
      assert.deepEqual(await visitor.from(first, '/inc'), complete(2), 'taken by force');
      ending = await pinned.from(second, '/get');
    }
    // A gateway slow enough to have found the owner unhealthy first has gone to the other pod: then it is the new number.
    // An owner frozen for so long that the gateway gave up is a 504.
    const isNew = isDeepStrictEqual(ending, complete(2));
    const status = statusOf(ending);
    assert.ok(isNew || status === 503 || status === 504 || status === 'cut', JSON.stringify(ending));
    if (!isNew && status !== 504) await until('the former owner was asked', () => linesOf(owner, '/get').length > 0);
    assert.deepEqual(await pinned.from(second, '/get'), complete(2));
    assert.deepEqual(await visitor.at(other, '/inc'), complete(3));
  });
}

function linesOf(
  pod: { readonly sidecar: { readonly process: { readonly logLines: readonly object[] } } },
  path: string,
) {
  return pod.sidecar.process.logLines.filter((line) => 'path' in line && line.path === path && 'affinity' in line);
}

function statusOf(ending: Ending): number | 'cut' {
  return ending === 'cut' ? 'cut' : ending.status;
}
