/**
 * The traces of the ownership protocol with real processes, those in which the store is slow, away or forgetful; the
 * others, and the table of all, are in traces.test.ts.
 */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { createScript, putScript } from '../../src/store/redis-scripts.ts';
import { RedisMonitor } from '../support/redis-monitor.ts';
import { until } from '../support/until.ts';
import { open, waitsAt } from '../support/gates.ts';
import { complete, gatedPods, storeIsUp, Visitor } from './gated-pods.ts';

test('the traces, with a store that fails', async (t) => {
  const pods = await gatedPods(t);
  const { p, q, deployment } = pods;
  const { redis } = deployment;

  await t.test('rule 2: a write that arrives after a newer one changes nothing', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(1));
    const monitor = await RedisMonitor.open(t, redis.port);
    // What is on its way in the connections there are stays there; P gives them up and makes new ones.
    p.network!.proxy('store').setOpen({ kind: 'hold' });
    assert.deepEqual(await visitor.at(p, '/inc'), complete(2));
    assert.deepEqual(await visitor.at(p, '/inc'), complete(3));
    await storeIsUp(pods);
    const before = monitor.calls(putScript);
    p.network!.proxy('store').setOpen({ kind: 'pass' });
    await until('the old write has arrived', () => monitor.calls(putScript) > before);
    assert.deepEqual(await visitor.at(q, '/inc'), complete(4));
  });

  await t.test('rules 11, 12: what was served without the store outlives its sidecar, and the store', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(1));
    await redis.process.kill('SIGKILL');
    assert.deepEqual(await visitor.at(p, '/inc'), complete(2));
    await p.killSidecar();
    await p.sidecar.launch();
    await redis.start();
    await until('the sidecar is ready', () => p.sidecar.isReady());
    await p.network!.listens(true);
    assert.deepEqual(await visitor.at(p, '/get'), complete(2));
    assert.deepEqual(await visitor.at(q, '/inc'), complete(3));
  });

  await t.test('rule 14: nobody uses a file of before a hand-off, whatever is done without a store', async (t) => {
    const [atP, atQ] = [new Visitor(t), new Visitor(t)];
    assert.deepEqual(await atQ.at(p, '/inc'), complete(1));
    assert.deepEqual(await atQ.at(q, '/inc'), complete(2));
    assert.deepEqual(await atP.at(q, '/inc'), complete(1));
    assert.deepEqual(await atP.at(p, '/inc'), complete(2));
    await redis.process.kill('SIGKILL');
    assert.deepEqual(await atQ.twin().at(p, '/get'), complete(0), 'serve: not logged in, for now');
    const refused = await atP.at(q, '/get');
    assert.equal(refused === 'cut' ? refused : refused.status, 503, 'refuse: an error');
    await redis.start();
    await storeIsUp(pods);
    assert.deepEqual(await atQ.at(p, '/inc'), complete(3));
    assert.deepEqual(await atP.at(q, '/inc'), complete(3));
  });

  await t.test('rule 20: nobody takes a session from an owner who only can not reach the store', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(1));
    await p.network!.set({ kind: 'cut' }, 'store');
    assert.deepEqual(await visitor.at(p, '/inc'), complete(2));
    assert.deepEqual(await visitor.at(q, '/inc'), complete(3), 'sent on to the owner');
    assert.deepEqual(await visitor.at(p, '/inc'), complete(4));
    await p.network!.set({ kind: 'pass' }, 'store');
    await storeIsUp(pods);
    assert.deepEqual(await visitor.at(q, '/inc'), complete(5));
    assert.ok(!existsSync(join(p.sessions, visitor.id!)), 'it was handed over now');
  });

  await t.test('rule 25: a login cut off between its two steps is no success, and no id is alive twice', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(q, '/inc'), complete(1));
    const old = visitor.id;
    const monitor = await RedisMonitor.open(t, redis.port);
    const line = q.network!.proxy('store');
    // The reply to the first step takes so long that nothing more is heard of Q from the first step on.
    await line.set({ kind: 'latency', ms: 400 });
    monitor.onNext(createScript, () => void line.set({ kind: 'one-way', swallows: 'requests' }));
    const ending = await visitor.at(q, '/login?by=100');
    assert.ok(ending === 'cut' || ending.status === 503, JSON.stringify(ending));
    assert.equal(monitor.calls(createScript), 1, 'the first step was made');
    assert.equal(visitor.id, old, 'the client has not seen the new id');
    await line.set({ kind: 'pass' });
    await storeIsUp(pods);
    const after = await visitor.at(p, '/inc');
    // The outcome of an error is unknown: the old session goes on or has ended, and that everywhere.
    assert.ok(after !== 'cut' && ['1', '2'].includes(after.text), JSON.stringify(after));
    assert.deepEqual(await visitor.at(q, '/inc'), complete(Number(after.text) + 1));
  });

  await t.test('rule 1: after the store came back with older data an old owner writes nothing', async (t) => {
    const visitor = new Visitor(t);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(1));
    // Free, with the epoch of P's term.
    assert.equal((await p.sidecar.process.kill('SIGTERM')).code, 0);
    await redis.backUp();
    await p.sidecar.start();
    const late = visitor.twin();
    // Several terms later Q is the owner, in memory and in nothing that the store will remember.
    assert.deepEqual(await visitor.at(q, '/inc?by=10'), complete(11));
    assert.deepEqual(await visitor.at(p, '/inc?by=10'), complete(21));
    assert.deepEqual(await visitor.at(q, '/inc?by=10'), complete(31));
    const writing = late.at(q, '/inc?gate=old-owner');
    await waitsAt(q, 'old-owner');
    await redis.restoreBackup();
    await storeIsUp(pods);
    assert.deepEqual(await visitor.at(p, '/inc'), complete(2), 'from what the store still has');
    await open(q, 'old-owner');
    const ending = await writing;
    assert.ok(ending === 'cut' || ending.status === 503, JSON.stringify(ending));
    assert.deepEqual(await visitor.at(q, '/inc'), complete(3));
    assert.deepEqual(await visitor.at(p, '/inc'), complete(4));
  });
});
