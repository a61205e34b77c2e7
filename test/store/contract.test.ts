/**
 * The store's contract, run on every implementation: bare and sealed, in memory and on a real redis-server. How
 * long records live is in record-life.test.ts.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Store } from '../../src/store/contract.ts';
import { content, create, freshName, ownerP, ownerQ, storeSubjects, take, ttlMs } from '../support/store-subjects.ts';
import type { StoreSubject } from '../support/store-subjects.ts';

for (const [kind, open] of Object.entries(storeSubjects)) {
  describe(`store contract: ${kind}`, () => {
    let subject: StoreSubject;
    let store: Store;
    before(async () => {
      subject = await open();
      store = subject.store;
    });
    after(() => subject.close());

    test('nothing is known of a name that was never written', async () => {
      const name = freshName();
      assert.equal((await store.take(name, ownerP, ttlMs)).kind, 'absent');
      assert.equal(await store.ownerOf(name), undefined);
      assert.deepEqual(await store.force(name, ownerP, { epoch: 1, uid: 'x' }, ttlMs), { kind: 'changed' });
      assert.deepEqual(await store.confirm(name, { epoch: 1, uid: 'x' }, undefined), { kind: 'refused', absent: true });
      assert.deepEqual(await store.release(name, { epoch: 1, uid: 'x' }), { kind: 'refused', absent: true });
      assert.equal(await store.ownerOf(name), undefined, 'looking leaves no record');
    });

    test('a created session is owned, and its owner is told to others whole', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'one'));
      assert.deepEqual(await store.take(name, ownerQ, ttlMs), { kind: 'owned', epoch, owner: ownerP });
      const record = await store.ownerOf(name);
      assert.deepEqual(
        { ...record, storedAtMs: undefined },
        { epoch, owner: ownerP, tombstone: false, version: 1, storedAtMs: undefined },
      );
      assert.ok(record !== undefined && record.storedAtMs > 0);
    });

    test('epochs are microseconds of the store and keep every digit', async () => {
      const name = freshName();
      const beforeMs = await store.ping();
      const epoch = await create(store, name, content(1, 'one'));
      const afterMs = await store.ping();
      assert.ok(epoch >= beforeMs * 1000 && epoch < (afterMs + 1) * 1000, `${beforeMs} <= ${epoch} us <= ${afterMs}`);
      assert.ok(Number.isSafeInteger(epoch));
      assert.equal((await store.ownerOf(name))?.epoch, epoch);
      assert.equal((await store.put(name, ownerP, epoch, content(2, 'two'), ttlMs)).kind, 'stored');
    });

    test('a take brings the newest content and what was there before', async () => {
      const name = freshName();
      const first = await create(store, name, content(1, 'one'));
      assert.equal(
        (await store.put(name, ownerP, first, content(2, 'two', 1_700_000_000_123.456), ttlMs)).kind,
        'stored',
      );
      assert.equal((await store.release(name, { epoch: first, uid: ownerP.uid })).kind, 'stored');
      const taken = await take(store, name, ownerQ);
      assert.ok(taken.epoch > first);
      assert.deepEqual(taken.previous, { epoch: first, uid: undefined, sinceEpoch: first });
      assert.equal(taken.tombstone, false);
      assert.equal(taken.version, 2);
      assert.equal(taken.blob?.bytes.toString(), 'two');
      assert.equal(taken.blob.version, 2);
      assert.equal(taken.blob.mtimeMs, 1_700_000_000_123.456);
      assert.ok(Math.abs(taken.storeTimeMs - taken.blob.storedAtMs) < ttlMs);
    });

    test('taking what is already ours starts a new term', async () => {
      const name = freshName();
      const first = await create(store, name, content(1, 'one'));
      const again = await take(store, name, ownerP);
      assert.ok(again.epoch > first);
      assert.deepEqual(again.previous, { epoch: first, uid: ownerP.uid, sinceEpoch: first });
      assert.deepEqual(await store.put(name, ownerP, first, content(2, 'late'), ttlMs), { kind: 'refused' });
    });

    test('the record knows since when its owner has had it without a break', async () => {
      const name = freshName();
      const first = await create(store, name, content(1, 'one'));
      const second = (await take(store, name, ownerP)).epoch;
      const third = await take(store, name, ownerP);
      assert.deepEqual(third.previous, { epoch: second, uid: ownerP.uid, sinceEpoch: first });
      assert.equal((await store.release(name, { epoch: third.epoch, uid: ownerP.uid })).kind, 'stored');
      const fourth = await take(store, name, ownerP);
      const fifth = await take(store, name, ownerP);
      assert.equal(fifth.previous.sinceEpoch, fourth.epoch, 'a release ends it');
      await store.force(name, ownerQ, { epoch: fifth.epoch, uid: ownerP.uid }, ttlMs);
      const seventh = await take(store, name, ownerQ);
      assert.equal(seventh.previous.sinceEpoch, seventh.previous.epoch, 'another owner too');
    });

    test('the bytes come back as they were, whatever they are', async () => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      const big = Buffer.alloc(1_048_576);
      for (let i = 0; i < big.length; i++) big[i] = (i * 31 + (i >> 8)) & 0xff;
      for (const bytes of [Buffer.alloc(0), all, Buffer.from('\r\n$5\r\n*1\r\n'), big]) {
        const name = freshName();
        await create(store, name, { version: 1, bytes, mtimeMs: 5 });
        const taken = await take(store, name, ownerP);
        assert.ok(taken.blob?.bytes.equals(bytes), `${bytes.length} bytes`);
      }
    });

    test('what a caller does with its buffer afterwards changes nothing stored', async () => {
      const name = freshName();
      const bytes = Buffer.from('before');
      await create(store, name, { version: 1, bytes, mtimeMs: 5 });
      bytes.fill('x');
      const taken = await take(store, name, ownerP);
      taken.blob?.bytes.fill('y');
      assert.equal((await take(store, name, ownerP)).blob?.bytes.toString(), 'before');
    });

    test('an old owner can not write, confirm, release or bury after a take', async () => {
      const name = freshName();
      const old = await create(store, name, content(1, 'one'));
      const term = { epoch: old, uid: ownerP.uid };
      const forced = await store.force(name, ownerQ, term, ttlMs);
      assert.equal(forced.kind, 'taken');
      assert.deepEqual(await store.put(name, ownerP, old, content(9, 'fenced'), ttlMs), { kind: 'refused' });
      assert.deepEqual(await store.confirm(name, term, { ttlMs }), { kind: 'refused' });
      assert.deepEqual(await store.release(name, term), { kind: 'refused' });
      assert.deepEqual(await store.bury(name, term, ttlMs), { kind: 'refused' });
      assert.equal((await take(store, name, ownerQ)).blob?.bytes.toString(), 'one');
    });

    test('a put under the epoch of a term is refused when somebody else holds that epoch, or nobody', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'one'));
      assert.deepEqual(await store.put(name, ownerQ, epoch, content(2, 'stranger'), ttlMs), { kind: 'refused' });
      await store.release(name, { epoch, uid: ownerP.uid });
      assert.deepEqual(await store.put(name, ownerP, epoch, content(2, 'late'), ttlMs), { kind: 'refused' });
      assert.equal((await take(store, name, ownerQ)).blob?.bytes.toString(), 'one');
    });

    test('of one term the higher version stays, whatever order the writes arrive in', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'one'));
      assert.equal((await store.put(name, ownerP, epoch, content(3, 'three'), ttlMs)).kind, 'stored');
      assert.equal((await store.put(name, ownerP, epoch, content(2, 'two'), ttlMs)).kind, 'stored');
      assert.equal((await store.put(name, ownerP, epoch, content(3, 'other'), ttlMs)).kind, 'stored');
      const taken = await take(store, name, ownerP);
      assert.equal(taken.blob?.bytes.toString(), 'three');
      assert.equal(taken.version, 3);
    });

    test('versions compare as numbers', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(9, 'nine'));
      await store.put(name, ownerP, epoch, content(10, 'ten'), ttlMs);
      assert.equal((await take(store, name, ownerP)).blob?.bytes.toString(), 'ten');
    });

    test('create stores into absence and over its own lost reply, and never over anything else', async () => {
      const name = freshName();
      const first = await create(store, name, content(1, 'one'));
      assert.deepEqual(await store.create(name, ownerP, content(1, 'again'), ttlMs), { kind: 'refused' });
      assert.deepEqual(await store.create(name, ownerQ, content(7, 'other'), ttlMs), { kind: 'refused' });
      const second = await create(store, name, content(2, 'two'));
      assert.ok(second > first);
      assert.deepEqual(await store.create(name, ownerP, content(1, 'late'), ttlMs), { kind: 'refused' });
      assert.equal((await take(store, name, ownerP)).blob?.bytes.toString(), 'two');
      assert.deepEqual(await store.create(name, ownerP, content(9, 'not a create of ours'), ttlMs), {
        kind: 'refused',
      });
      await store.release(name, { epoch: (await take(store, name, ownerP)).epoch, uid: ownerP.uid });
      assert.deepEqual(await store.create(name, ownerP, content(9, 'free'), ttlMs), { kind: 'refused' });
    });

    test('of many creates at once one wins', async () => {
      const name = freshName();
      const owners = Array.from({ length: 20 }, (_, i) => ({ ...ownerP, uid: `uid-${i}` }));
      const results = await Promise.all(owners.map((owner) => store.create(name, owner, content(1, owner.uid), ttlMs)));
      const winners = owners.filter((_, i) => results[i]?.kind === 'created');
      assert.equal(winners.length, 1);
      assert.equal((await store.ownerOf(name))?.owner?.uid, winners[0]?.uid);
    });

    test('of many takes of a free session at once one wins, and all others are told who', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'one'));
      await store.release(name, { epoch, uid: ownerP.uid });
      const owners = Array.from({ length: 20 }, (_, i) => ({ ...ownerP, uid: `uid-${i}` }));
      const results = await Promise.all(owners.map((owner) => store.take(name, owner, ttlMs)));
      const winner = owners[results.findIndex((result) => result.kind === 'taken')];
      assert.ok(winner !== undefined);
      for (const result of results) {
        if (result.kind === 'owned') assert.equal(result.owner.uid, winner.uid);
      }
      assert.equal(results.filter((result) => result.kind === 'owned').length, 19);
    });

    test('force takes only the term it saw', async () => {
      const name = freshName();
      const first = await create(store, name, content(1, 'one'));
      const second = (await take(store, name, ownerP)).epoch;
      const wrong = [
        { epoch: first, uid: ownerP.uid },
        { epoch: second, uid: ownerQ.uid },
        { epoch: second + 1, uid: ownerP.uid },
      ];
      for (const seen of wrong) assert.deepEqual(await store.force(name, ownerQ, seen, ttlMs), { kind: 'changed' });
      const forced = await store.force(name, ownerQ, { epoch: second, uid: ownerP.uid }, ttlMs);
      assert.ok(forced.kind === 'taken' && forced.epoch > second);
      assert.deepEqual(forced.previous, { epoch: second, uid: ownerP.uid, sinceEpoch: first });
      assert.equal(forced.blob?.bytes.toString(), 'one');
      const free = await store.release(name, { epoch: forced.epoch, uid: ownerQ.uid });
      assert.equal(free.kind, 'stored');
      const seen = { epoch: forced.epoch, uid: ownerQ.uid };
      assert.deepEqual(await store.force(name, ownerP, seen, ttlMs), { kind: 'changed' }, 'released meanwhile');
    });

    test('confirm says whether the term holds', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'one'));
      const held = await store.confirm(name, { epoch, uid: ownerP.uid }, undefined);
      assert.ok(held.kind === 'stored' && held.storeTimeMs > 0);
      assert.deepEqual(await store.confirm(name, { epoch: epoch - 1, uid: ownerP.uid }, undefined), {
        kind: 'refused',
      });
      assert.deepEqual(await store.confirm(name, { epoch, uid: ownerQ.uid }, undefined), { kind: 'refused' });
      await store.release(name, { epoch, uid: ownerP.uid });
      assert.deepEqual(await store.confirm(name, { epoch, uid: ownerP.uid }, undefined), { kind: 'refused' });
    });

    test('a release keeps epoch and content, and may be repeated', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'one'));
      assert.equal((await store.release(name, { epoch, uid: ownerP.uid })).kind, 'stored');
      assert.equal((await store.release(name, { epoch, uid: ownerP.uid })).kind, 'stored');
      const record = await store.ownerOf(name);
      assert.equal(record?.epoch, epoch);
      assert.equal(record.owner, undefined);
      assert.equal(record.tombstone, false);
    });

    test('a tombstone ends the term, and what comes late changes nothing', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(4, 'one'));
      const term = { epoch, uid: ownerP.uid };
      assert.equal((await store.bury(name, term, ttlMs)).kind, 'stored');
      assert.equal((await store.bury(name, term, ttlMs)).kind, 'stored', 'own repeat');
      assert.deepEqual(await store.bury(name, { epoch, uid: ownerQ.uid }, ttlMs), { kind: 'refused' });
      assert.deepEqual(await store.put(name, ownerP, epoch, content(5, 'resurrected'), ttlMs), { kind: 'refused' });
      assert.deepEqual(await store.create(name, ownerP, content(5, 'resurrected'), ttlMs), { kind: 'refused' });
      assert.deepEqual(await store.confirm(name, term, undefined), { kind: 'refused' });
      const record = await store.ownerOf(name);
      assert.ok(record !== undefined && record.epoch > epoch);
      assert.equal(record.tombstone, true);
      assert.equal(record.owner, undefined);
    });

    test('a tombstone can be taken, stays one, and ends with what its new term writes', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(4, 'one'));
      await store.bury(name, { epoch, uid: ownerP.uid }, ttlMs);
      const taken = await take(store, name, ownerQ);
      assert.equal(taken.tombstone, true);
      assert.equal(taken.blob, undefined);
      assert.equal(taken.version, 4);
      assert.equal((await store.ownerOf(name))?.tombstone, true);
      assert.deepEqual(await store.bury(name, { epoch, uid: ownerP.uid }, ttlMs), { kind: 'refused' });
      assert.equal((await store.put(name, ownerQ, taken.epoch, content(5, 'new'), ttlMs)).kind, 'stored');
      const record = await store.ownerOf(name);
      assert.equal(record?.tombstone, false);
      await store.release(name, { epoch: taken.epoch, uid: ownerQ.uid });
      assert.deepEqual(
        await store.bury(name, { epoch, uid: ownerP.uid }, ttlMs),
        { kind: 'refused' },
        'a repeat that comes after others have written is no repeat',
      );
      assert.equal((await take(store, name, ownerP)).blob?.bytes.toString(), 'new');
    });

    test('burying what has no record makes a tombstone above the term', async () => {
      const name = freshName();
      const epoch = (await store.ping()) * 1000 + 60_000_000;
      assert.equal((await store.bury(name, { epoch, uid: ownerP.uid }, ttlMs)).kind, 'stored');
      const record = await store.ownerOf(name);
      assert.ok(record !== undefined && record.epoch > epoch && record.tombstone && record.owner === undefined);
      assert.deepEqual(await store.put(name, ownerP, epoch, content(1, 'late'), ttlMs), { kind: 'refused' });
    });

    test('after a loss of all data epochs rise on, and an owner stores its session again in its term', async () => {
      const [kept, retaken] = [freshName(), freshName()];
      const keptEpoch = await create(store, kept, content(3, 'kept'));
      const oldEpoch = await create(store, retaken, content(3, 'old'));
      await subject.lose();
      assert.equal((await store.take(kept, ownerQ, ttlMs)).kind, 'absent');
      const term = { epoch: keptEpoch, uid: ownerP.uid };
      assert.deepEqual(await store.confirm(kept, term, { ttlMs }), { kind: 'refused', absent: true });
      assert.equal((await store.put(kept, ownerP, keptEpoch, content(4, 'kept'), ttlMs)).kind, 'stored');
      assert.deepEqual(await store.take(kept, ownerQ, ttlMs), { kind: 'owned', epoch: keptEpoch, owner: ownerP });

      const created = await store.create(retaken, ownerQ, content(1, 'new'), ttlMs);
      assert.ok(created.kind === 'created' && created.epoch > oldEpoch);
      assert.deepEqual(await store.put(retaken, ownerP, oldEpoch, content(9, 'old'), ttlMs), { kind: 'refused' });
    });

    test('a put of a higher epoch wins over a record that a restored store brought back', async () => {
      const name = freshName();
      const epoch = await create(store, name, content(1, 'restored'));
      assert.equal((await store.put(name, ownerQ, epoch + 1_000_000, content(1, 'newer'), ttlMs)).kind, 'stored');
      const record = await store.ownerOf(name);
      assert.equal(record?.owner?.uid, ownerQ.uid);
      assert.equal(record.epoch, epoch + 1_000_000);
      assert.deepEqual(await store.put(name, ownerP, epoch, content(2, 'older'), ttlMs), { kind: 'refused' });
      const taken = await take(store, name, ownerQ);
      assert.equal(taken.epoch > epoch + 1_000_000, true, 'also above an epoch that is ahead of the clock');
    });

    test('a closed store says so', async () => {
      const other = await open();
      await other.close();
      await assert.rejects(other.store.ping(), { kind: 'store-unavailable' });
      await assert.rejects(other.store.take(freshName(), ownerP, ttlMs), { kind: 'store-unavailable' });
    });
  });
}
