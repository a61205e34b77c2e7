/**
 * What callers see when Redis is killed, frozen, loading, full or refuses us: an answer in time, always.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { systemClock } from '../../src/base/clock.ts';
import { HoldfastError } from '../../src/base/errors.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { OpenedStore } from '../../src/store/open-store.ts';
import type { StoreState } from '../../src/store/store-health.ts';
import { freePort } from '../support/free-port.ts';
import { RedisServer } from '../support/redis-server.ts';
import { content, create, freshName, ownerP, ownerQ, ttlMs } from '../support/store-subjects.ts';
import { until } from '../support/until.ts';

const storeMs = 800;

const unavailable = { kind: 'store-unavailable' };

function open(url: string): OpenedStore {
  const secret = Buffer.alloc(32, 1);
  const timeouts = { storeMs, connectMs: 1000 };
  return openStore({ url, secrets: [secret], nameSecret: secret, prefix: 'shop', timeouts, clock: systemClock });
}

describe('a Redis that goes away', () => {
  let server: RedisServer;
  let opened: OpenedStore;
  before(async () => {
    server = await RedisServer.start({ appendOnly: true });
    opened = open(server.url);
    assert.equal(await opened.health.started(), 'up');
  });
  afterEach(() => until('the store is up again', () => opened.health.state === 'up'));
  after(async () => {
    await opened.store.close();
    await server.stop();
  });

  test('killed: calls under way and new ones fail, and all is back after its restart', async () => {
    const { store, health } = opened;
    const name = freshName();
    const epoch = await create(store, name, content(1, 'kept'));
    const states: StoreState[] = [];
    const stop = health.onChange((state) => states.push(state));
    server.freeze();
    const underWay = store.put(name, ownerP, epoch, content(2, 'unknown'), ttlMs);
    await Promise.all([assert.rejects(underWay, unavailable), server.kill()]);
    await until('the loss was noticed', () => health.state === 'down');
    await assert.rejects(store.confirm(name, { epoch, uid: ownerP.uid }, undefined), unavailable);
    assert.equal(health.why?.kind, 'store-unavailable');
    await server.run();
    await until('the store is up again', () => health.state === 'up');
    stop();
    assert.deepEqual(states, ['down', 'up']);
    assert.equal(health.why, undefined);
    assert.deepEqual(await store.take(name, ownerQ, ttlMs), { kind: 'owned', epoch, owner: ownerP });
  });

  test('frozen ourselves: what Redis answered meanwhile is read before its silence is judged', async () => {
    const { store, health } = opened;
    const name = freshName();
    const epoch = await create(store, name, content(1, 'kept'));
    const confirm = () => store.confirm(name, { epoch, uid: ownerP.uid }, undefined);
    await confirm();
    const calls = [confirm(), confirm(), confirm(), confirm()];
    // What was written in this turn leaves before the next one.
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * storeMs);
    for (const { kind } of await Promise.all(calls)) assert.equal(kind, 'stored');
    assert.equal(health.state, 'up');
  });

  test('frozen: every call ends although nothing is answered; three in a row and the store is down', async () => {
    const { store, health } = opened;
    const name = freshName();
    const epoch = await create(store, name, content(1, 'kept'));
    const term = { epoch, uid: ownerP.uid };
    server.freeze();
    try {
      for (const call of [1, 2, 3]) {
        assert.equal(health.state, 'up', `before call ${call}`);
        await assert.rejects(store.confirm(name, term, undefined), unavailable);
      }
      assert.equal(health.state, 'down');
      await assert.rejects(store.confirm(name, term, undefined), unavailable);
    } finally {
      server.thaw();
    }
    await until('the store is up again', () => health.state === 'up');
    assert.equal((await store.confirm(name, term, undefined)).kind, 'stored');
  });

  test('a write that was sent to a frozen server and answered for by nobody never undoes a newer one', async () => {
    const { store, health } = opened;
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    server.freeze();
    const late = store.put(name, ownerP, epoch, content(2, 'two'), ttlMs);
    await assert.rejects(late, unavailable);
    server.thaw();
    await until('the store is up', () => health.state === 'up');
    assert.equal((await store.put(name, ownerP, epoch, content(3, 'three'), ttlMs)).kind, 'stored');
    const taken = await store.force(name, ownerQ, { epoch, uid: ownerP.uid }, ttlMs);
    assert.equal(taken.kind === 'taken' && taken.blob?.bytes.toString(), 'three');
  });

  test('full: a server that takes no write is down and says why, although it can be read', async () => {
    const { store, health } = opened;
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    await server.command('CONFIG SET maxmemory 1');
    try {
      for (let call = 0; call < 3; call++) {
        const put = store.put(name, ownerP, epoch, content(2, 'two'), ttlMs);
        await assert.rejects(put, { kind: 'store-misconfigured', message: /OOM: Redis is full/ });
      }
      assert.equal(health.state, 'down');
      await until('a ping was refused', () => health.why?.message.includes('OOM') ?? false);
    } finally {
      await server.command('CONFIG SET maxmemory 0');
    }
    await until('it has room', () => health.state === 'up');
    assert.equal((await store.put(name, ownerP, epoch, content(2, 'two'), ttlMs)).kind, 'stored');
  });

  test('a replica: a server that only reads is down', async () => {
    const { store, health } = opened;
    const name = freshName();
    const epoch = await create(store, name, content(1, 'one'));
    await server.command('REPLICAOF 127.0.0.1 1');
    for (let call = 0; call < 3; call++) {
      await assert.rejects(store.put(name, ownerP, epoch, content(2, 'two'), ttlMs), unavailable);
    }
    assert.equal(health.state, 'down');
    await server.command('REPLICAOF NO ONE');
  });

  test('a server that forgot our scripts is told them again', async () => {
    const name = freshName();
    await create(opened.store, name, content(1, 'one'));
    await server.command('SCRIPT FLUSH');
    assert.equal((await opened.store.take(name, ownerP, ttlMs)).kind, 'taken');
  });

  test('a value that somebody else wrote under a session key is reported, not believed', async () => {
    const name = freshName();
    await server.command(`SET hf:shop:${name} x`);
    await assert.rejects(opened.store.take(name, ownerP, ttlMs), { kind: 'store-misconfigured' });
    await server.command(`DEL hf:shop:${name}`);
    await server.command(`HSET hf:shop:${name} e 5 u someone o nonsense v 1 s 1`);
    await assert.rejects(opened.store.ownerOf(name), { kind: 'store-misconfigured' });
  });

  test('a changed, moved or foreign blob is no session, and the term is taken all the same', async () => {
    const { store } = opened;
    const [first, second] = [freshName(), freshName()];
    await create(store, first, content(1, 'one'));
    await create(store, second, content(1, 'two'));
    const script = `redis.call('HSET',KEYS[2],'b',redis.call('HGET',KEYS[1],'b'))`;
    await server.command(`EVAL "${script}" 2 hf:shop:${first} hf:shop:${second}`);
    const moved = await store.take(second, ownerP, ttlMs);
    assert.ok(moved.kind === 'taken' && moved.unsealable === true && moved.blob === undefined);
    await server.command(`HSET hf:shop:${first} b unsealed`);
    const foreign = await store.take(first, ownerP, ttlMs);
    assert.ok(foreign.kind === 'taken' && foreign.unsealable === true && foreign.blob === undefined);
    assert.equal((await store.put(first, ownerP, foreign.epoch, content(2, 'new'), ttlMs)).kind, 'stored');
  });
});

test('a store that is not there at the start counts as down after a while, and is up once it comes', async () => {
  const port = await freePort();
  const opened = open(`redis://127.0.0.1:${port}`);
  try {
    assert.equal(opened.health.state, 'starting');
    await assert.rejects(opened.store.ping(), unavailable);
    await until('the failed connection is known', () => opened.health.why?.message.includes('ECONNREFUSED') ?? false);
  } finally {
    await opened.store.close();
  }
  assert.equal(await opened.health.started(), 'down');
});

test('a wrong password or a missing right is a fault of the configuration, and heals when it is put right', async () => {
  const server = await RedisServer.start({ args: ['--requirepass', 'right'] });
  const wrong = open(`redis://:wrong@127.0.0.1:${server.port}`);
  const none = open(server.url);
  const right = open(`redis://:right@127.0.0.1:${server.port}`);
  try {
    assert.equal(await right.health.started(), 'up');
    for (const { health, store } of [wrong, none]) {
      await until('the refusal is known', () => health.why?.kind === 'store-misconfigured');
      await assert.rejects(store.ping(), (error) => error instanceof HoldfastError);
      assert.notEqual(health.state, 'up');
    }
    assert.equal(await server.command('AUTH right', 'CONFIG SET requirepass wrong'), '+OK');
    await until('the password is right', () => wrong.health.state === 'up');
    assert.equal(await server.command('AUTH wrong', 'CONFIG SET requirepass ""'), '+OK');
    await until('none is needed', () => none.health.state === 'up');
  } finally {
    await Promise.all([wrong.store.close(), none.store.close(), right.store.close()]);
    await server.stop();
  }
});

test('a refused password is not repeated', async () => {
  const server = await RedisServer.start({ args: ['--requirepass', 'right'] });
  const { health, store } = open(`redis://:wr0ng@127.0.0.1:${server.port}`);
  try {
    await until('the refusal is known', () => health.why?.kind === 'store-misconfigured');
    assert.doesNotMatch(inspect(health.why), /wr0ng/);
  } finally {
    await store.close();
    await server.stop();
  }
});

test('closing ends calls under way, and may be done twice', async () => {
  const server = await RedisServer.start();
  const { store, health } = open(server.url);
  try {
    assert.equal(await health.started(), 'up');
    server.freeze();
    const underWay = store.ownerOf(freshName());
    await Promise.all([assert.rejects(underWay, unavailable), store.close()]);
    await store.close();
    await assert.rejects(store.ping(), unavailable);
  } finally {
    await server.stop();
  }
});
