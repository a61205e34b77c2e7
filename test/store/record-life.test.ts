/**
 * How long a record lives, on every implementation of the store.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Store, StoreName } from '../../src/store/contract.ts';
import { content, create, freshName, ownerP, ownerQ, storeSubjects, ttlMs } from '../support/store-subjects.ts';
import type { StoreSubject } from '../support/store-subjects.ts';
import { until } from '../support/until.ts';

const renewals: Readonly<Record<string, (store: Store, name: StoreName, epoch: number) => Promise<unknown>>> = {
  take: (store, name) => store.take(name, ownerP, ttlMs),
  force: (store, name, epoch) => store.force(name, ownerQ, { epoch, uid: ownerP.uid }, ttlMs),
  put: (store, name, epoch) => store.put(name, ownerP, epoch, content(2, 'two'), ttlMs),
  "a put's own repeat": (store, name, epoch) => store.put(name, ownerP, epoch, content(1, 'one'), ttlMs),
  'confirm with touch': (store, name, epoch) => store.confirm(name, { epoch, uid: ownerP.uid }, { ttlMs }),
  bury: (store, name, epoch) => store.bury(name, { epoch, uid: ownerP.uid }, ttlMs),
};

for (const [kind, open] of Object.entries(storeSubjects)) {
  describe(`life of a record: ${kind}`, { concurrency: true }, () => {
    let subject: StoreSubject;
    let store: Store;
    before(async () => {
      subject = await open();
      store = subject.store;
    });
    after(() => subject.close());

    test('a record expires, and the next epoch is above it', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'one'), 30);
      await until('the record is gone', async () => (await store.ownerOf(name)) === undefined);
      assert.equal((await store.take(name, ownerQ, ttlMs)).kind, 'absent');
      const created = await store.create(name, ownerQ, content(1, 'next'), ttlMs);
      assert.ok(created.kind === 'created' && created.epoch > epoch);
    });

    test('a tombstone expires too', async () => {
      const name = freshName();
      await store.bury(name, { epoch: 1, uid: ownerP.uid }, 30);
      await until('the tombstone is gone', async () => (await store.ownerOf(name)) === undefined);
    });

    // Side by side: a life has to be long enough for a machine that is busy with something else.
    for (const [what, renew] of Object.entries(renewals)) {
      test(`${what} prolongs a record's life`, async () => {
        const [name, control] = [freshName(), freshName()];
        const epoch = await create(store, name, content(1, 'one'), 1500);
        await renew(store, name, epoch);
        // The control is written last with the same life, so once it has expired the first life is over as well.
        await create(store, control, content(1, 'one'), 1500);
        await until('the control is gone', async () => (await store.ownerOf(control)) === undefined);
        assert.notEqual(await store.ownerOf(name), undefined);
      });
    }

    test("nothing shortens a record's life", async () => {
      const [name, control] = [freshName(), freshName()];
      const epoch = await create(store, name, content(1, 'one'), ttlMs);
      assert.equal((await store.put(name, ownerP, epoch, content(2, 'two'), 20)).kind, 'stored');
      assert.equal((await store.confirm(name, { epoch, uid: ownerP.uid }, { ttlMs: 20 })).kind, 'stored');
      await store.take(name, ownerP, 20);
      await create(store, control, content(1, 'one'), 20);
      await until('the control is gone', async () => (await store.ownerOf(control)) === undefined);
      assert.notEqual(await store.ownerOf(name), undefined);
    });

    test('confirm without touch renews nothing', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'one'), 100);
      await until('the record is gone although it is confirmed', async () => {
        const result = await store.confirm(name, { epoch, uid: ownerP.uid }, undefined);
        return result.kind === 'refused' && result.absent === true;
      });
    });
  });
}
