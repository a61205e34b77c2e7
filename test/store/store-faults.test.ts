/**
 * What a Redis may do besides being there or not: hang without an RST, be slow, load, run somebody's script, forget,
 * or move to another address. Real servers, and a real line between that goes wrong.
 */

import assert from 'node:assert/strict';
import dns from 'node:dns';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { FaultProxy } from '../support/fault-proxy.ts';
import { openedStore } from '../support/opened-store.ts';
import { RedisServer } from '../support/redis-server.ts';
import type { RedisServerOptions } from '../support/redis-server.ts';
import { content, create, freshName, ownerP, ownerQ, take, ttlMs } from '../support/store-subjects.ts';
import { until } from '../support/until.ts';

const unavailable = { kind: 'store-unavailable' };

async function serve(t: TestContext, options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  t.after(() => server.stop());
  return server;
}

describe('a line to Redis that goes wrong', { concurrency: true }, () => {
  test('half-open: three calls without a reply and the store is down; a new connection ends it', async (t) => {
    const server = await serve(t);
    const line = await FaultProxy.listen({ target: { host: '127.0.0.1', port: server.port } });
    t.after(() => line.close());
    const { store, health } = openedStore(`redis://127.0.0.1:${line.port}`);
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up');
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    await line.set({ kind: 'black-hole' });
    const confirm = () => store.confirm(name, { epoch, uid: ownerP.uid }, undefined);
    for (let call = 0; call < 3; call++) await assert.rejects(confirm(), unavailable);
    assert.equal(health.state, 'down');
    await line.set({ kind: 'pass' });
    await until('the store is up again', () => health.state === 'up');
    assert.equal((await confirm()).kind, 'stored');
  });

  test('answers that are swallowed: what was written is there, and the next version goes over it', async (t) => {
    const server = await serve(t);
    const line = await FaultProxy.listen({ target: { host: '127.0.0.1', port: server.port } });
    t.after(() => line.close());
    const { store, health } = openedStore(`redis://127.0.0.1:${line.port}`);
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up');
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    // The server knows the script from now on: the next put is one command.
    assert.equal((await store.put(name, ownerP, epoch, content(1, 'one'), ttlMs)).kind, 'stored');
    await line.set({ kind: 'one-way', swallows: 'answers' });
    await assert.rejects(store.put(name, ownerP, epoch, content(2, 'two'), ttlMs), unavailable);
    assert.equal(String(await server.execute('HGET', `hf:shop:${name}`, 'v')), '2', 'unknown is not undone');
    await line.set({ kind: 'pass' });
    await until(
      'a put is stored',
      async () => (await store.put(name, ownerP, epoch, content(3, 'three'), ttlMs)).kind === 'stored',
    );
  });

  test('slow by less than the bound of a call: slower, and up. By more: every call ends, and the store is down', async (t) => {
    const server = await serve(t);
    const line = await FaultProxy.listen({ target: { host: '127.0.0.1', port: server.port } });
    t.after(() => line.close());
    const timeouts = { storeMs: 1000, connectMs: 1000 };
    const { store, health } = openedStore(`redis://127.0.0.1:${line.port}`, { timeouts });
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up');
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    const confirm = () => store.confirm(name, { epoch, uid: ownerP.uid }, undefined);
    await line.set({ kind: 'latency', ms: 50 });
    for (const { kind } of await Promise.all([confirm(), confirm(), confirm()])) assert.equal(kind, 'stored');
    await line.set({ kind: 'latency', ms: 600 });
    for (let call = 0; call < 3; call++) await assert.rejects(confirm(), unavailable);
    assert.equal(health.state, 'down');
    await line.set({ kind: 'pass' });
    await until('the store is up again', () => health.state === 'up');
  });
});

describe('a Redis with something else to do', { concurrency: true }, () => {
  test("it loads its data, runs somebody's script, or is a replica without its primary: down, with the reason", async (t) => {
    const server = await serve(t, { args: ['--busy-reply-threshold', '1'] });
    const { store, health } = openedStore(server.url);
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up');
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    const put = () => store.put(name, ownerP, epoch, content(2, 'two'), ttlMs);

    const endless = server.execute('EVAL', 'while true do end', 0).catch(() => undefined);
    await until('it is busy', () =>
      put().then(
        () => false,
        (error: unknown) => String(error).includes('BUSY'),
      ),
    );
    for (let call = 0; call < 3; call++) await assert.rejects(put(), unavailable);
    assert.equal(health.state, 'down');
    await server.execute('SCRIPT', 'KILL');
    await endless;
    await until('the store is up again', () => health.state === 'up');

    await server.command('CONFIG SET replica-serve-stale-data no', 'REPLICAOF 127.0.0.1 1');
    await until('the reason is known', () => put().catch(() => /MASTERDOWN|READONLY/.test(health.why?.message ?? '')));
    await server.command('REPLICAOF NO ONE');
    await until('the store is up again', () => health.state === 'up');

    await server.command('CONFIG SET min-replicas-to-write 1');
    for (let call = 0; call < 3; call++)
      await assert.rejects(put(), { kind: 'store-unavailable', message: /NOREPLICAS/ });
    await server.command('CONFIG SET min-replicas-to-write 0');
    await until('the store is up again', () => health.state === 'up');

    const lasting = await serve(t, { appendOnly: true, args: ['--key-load-delay', '200'] });
    await lasting.execute('EVAL', "for i = 1, 40000 do redis.call('SET', 'x' .. i, 'x') end", 0);
    await lasting.kill();
    const loading = openedStore(lasting.url);
    t.after(() => loading.store.close());
    const running = lasting.run();
    await until('it loads', () => /LOADING/.test(loading.health.why?.message ?? ''));
    await lasting.command('CONFIG SET key-load-delay 0');
    await running;
    await until('it has loaded', () => loading.health.state === 'up');
  });

  for (const fsync of ['everysec', 'always']) {
    test(`killed and started again with appendfsync ${fsync}: every acknowledged write and every term is there`, async (t) => {
      const server = await serve(t, { args: ['--appendonly', 'yes', '--appendfsync', fsync] });
      const { store, health } = openedStore(server.url, { timeouts: { storeMs: 5000, connectMs: 1000 } });
      t.after(() => store.close());
      await until('the store is up', () => health.state === 'up');
      const sessions = Array.from({ length: 50 }, () => freshName());
      const epochs = await Promise.all(sessions.map((name) => create(store, name, content(1, 'one'))));
      const puts = sessions.map((name, i) => store.put(name, ownerP, epochs[i]!, content(2, name), ttlMs));
      for (const { kind } of await Promise.all(puts)) assert.equal(kind, 'stored');
      await server.restart();
      await until('the store is up again', () => health.state === 'up');
      for (const [i, name] of sessions.entries()) {
        const taken = await store.force(name, ownerQ, { epoch: epochs[i]!, uid: ownerP.uid }, ttlMs);
        assert.ok(taken.kind === 'taken');
        assert.equal(taken.blob?.bytes.toString(), name);
      }
    });
  }

  test('killed and started again without its data: absent is what it says, and epochs rise on', async (t) => {
    const server = await serve(t);
    const { store, health } = openedStore(server.url);
    t.after(() => store.close());
    await until('the store is up', () => health.state === 'up');
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    await server.restart();
    await until('the store is up again', () => health.state === 'up');
    assert.deepEqual(await store.confirm(name, { epoch, uid: ownerP.uid }, undefined), {
      kind: 'refused',
      absent: true,
    });
    assert.equal((await store.put(name, ownerP, epoch, content(2, 'two'), ttlMs)).kind, 'stored');
    assert.ok((await take(store, name, ownerP)).epoch > epoch);
  });
});

test('a name that gets another address is found there with the next connection', async (t) => {
  const [first, second] = [await serve(t), await serve(t)];
  const listening = async (host: string, server: RedisServer, port = 0): Promise<FaultProxy> => {
    const line = await FaultProxy.listen({ target: { host: '127.0.0.1', port: server.port }, listen: { host, port } });
    t.after(() => line.close());
    return line;
  };
  const old = await listening('127.0.0.1', first);
  await listening('127.0.0.2', second, old.port);
  let address = '127.0.0.1';
  // The system's resolver is the one thing that a test can not change for itself.
  t.mock.method(dns, 'lookup', (...args: unknown[]) => {
    const [, options, callback] = args as [string, { all?: boolean }, (...results: unknown[]) => void];
    if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  });
  const { store, health } = openedStore(`redis://redis.test:${old.port}`);
  t.after(() => store.close());
  await until('the store is up', () => health.state === 'up');
  const name = freshName();
  await create(store, name, content(1, 'one'));
  address = '127.0.0.2';
  await old.set({ kind: 'refuse' });
  await until('the other server answers', async () => (await store.take(name, ownerP, ttlMs)).kind === 'absent');
});
