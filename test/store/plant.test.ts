/**
 * Imports and the mark, on every implementation of the store: bare and sealed, in memory and on a real redis-server.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Store } from '../../src/store/contract.ts';
import { content, create, freshName, ownerP, ownerQ, storeSubjects, take, ttlMs } from '../support/store-subjects.ts';
import type { StoreSubject } from '../support/store-subjects.ts';

const mtimeMs = 1_700_000_000_000;

function file(text: string, olderMs = 0): { bytes: Buffer; mtimeMs: number } {
  return { bytes: Buffer.from(text), mtimeMs: mtimeMs - olderMs };
}

for (const [kind, open] of Object.entries(storeSubjects)) {
  describe(`imports: ${kind}`, () => {
    let subject: StoreSubject;
    let store: Store;
    before(async () => {
      subject = await open();
      store = subject.store;
    });
    after(() => subject.close());

    test('an imported session is free, and the first pod that asks takes it as version 0', async () => {
      const name = freshName();
      assert.equal(await store.plant(name, file('old server'), ttlMs), 'planted');
      const record = await store.ownerOf(name);
      assert.equal(record?.owner, undefined);
      assert.equal(record?.tombstone, false);
      const taken = await take(store, name, ownerP);
      assert.equal(taken.previous.uid, undefined);
      assert.equal(taken.version, 0);
      assert.equal(taken.blob?.bytes.toString(), 'old server');
      assert.equal(taken.blob.mtimeMs, mtimeMs);
      assert.equal((await store.put(name, ownerP, taken.epoch, content(1, 'new'), ttlMs)).kind, 'stored');
    });

    test('an import changes nothing of a session that a keeper has, or had', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'kept'));
      assert.equal(await store.plant(name, file('import'), ttlMs), 'kept');
      await store.release(name, { epoch, uid: ownerP.uid });
      assert.equal(await store.plant(name, file('import'), ttlMs), 'kept');
      assert.equal((await take(store, name, ownerQ)).blob?.bytes.toString(), 'kept');
    });

    test('an import that was taken is no import any more, also when its pod gave it back unchanged', async () => {
      const name = freshName();
      await store.plant(name, file('first', 1000), ttlMs);
      const { epoch } = await take(store, name, ownerP);
      assert.equal(await store.plant(name, file('second'), ttlMs), 'kept');
      await store.release(name, { epoch, uid: ownerP.uid });
      assert.equal(await store.plant(name, file('second'), ttlMs), 'kept');
    });

    test('a second import brings what the old server has written since, and never what is older', async () => {
      const name = freshName();
      await store.plant(name, file('first', 1000), ttlMs);
      assert.equal(await store.plant(name, file('first', 1000), ttlMs), 'same');
      assert.equal(await store.plant(name, file('older', 2000), ttlMs), 'same');
      assert.equal(await store.plant(name, file('newer'), ttlMs), 'renewed');
      assert.equal((await take(store, name, ownerP)).blob?.bytes.toString(), 'newer');
    });

    test('a session that was logged out is not imported again', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'kept'));
      await store.bury(name, { epoch, uid: ownerP.uid }, ttlMs);
      assert.equal(await store.plant(name, file('import'), ttlMs), 'kept');
      assert.equal((await store.ownerOf(name))?.tombstone, true);
    });

    test('a first capture does not go over an import: its request has not seen it', async () => {
      const name = freshName();
      await store.plant(name, file('import'), ttlMs);
      assert.equal((await store.create(name, ownerP, content(1, 'empty'), ttlMs)).kind, 'refused');
    });

    test('the mark is changed only by who knows it', async () => {
      assert.equal(await store.mark('', 'one'), '');
      assert.equal(await store.mark('', 'two'), 'one');
      assert.equal(await store.mark('one', 'two'), 'one');
      assert.equal(await store.mark('two', 'two'), 'two');
    });
  });
}
