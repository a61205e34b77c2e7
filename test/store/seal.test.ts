/** What a sealed session is bound to, and which keys open it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../support/properties.ts';
import type { StoreName } from '../../src/store/contract.ts';
import { Sealer } from '../../src/store/seal.ts';

const oldKey = Buffer.alloc(32, 1);
const newKey = Buffer.alloc(32, 2);
const as = { name: 'name' as StoreName, version: 3, mtimeMs: 1_700_000_000_000.25 };
const bytes = Buffer.from('O:8:"stdClass":0:{}');

test('what was sealed opens, whatever the bytes', () => {
  const sealer = new Sealer([oldKey], 'shop');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (array) => {
      const plain = Buffer.from(array);
      const opened = sealer.open(sealer.seal(plain, as), as);
      return opened !== undefined && opened.equals(plain);
    }),
  );
});

test('nothing of the content shows, and the same content never looks the same', () => {
  const sealer = new Sealer([oldKey], 'shop');
  const sealed = sealer.seal(bytes, as);
  assert.equal(sealed.includes('stdClass'), false);
  assert.equal(sealed.equals(sealer.seal(bytes, as)), false);
  assert.equal(sealed.length, bytes.length + 33);
});

test('it opens under no other name, version, mtime or application', () => {
  const sealer = new Sealer([oldKey], 'shop');
  const sealed = sealer.seal(bytes, as);
  assert.equal(sealer.open(sealed, { ...as, name: 'other' as StoreName }), undefined);
  assert.equal(sealer.open(sealed, { ...as, version: 4 }), undefined);
  assert.equal(sealer.open(sealed, { ...as, mtimeMs: as.mtimeMs + 1 }), undefined);
  assert.equal(new Sealer([oldKey], 'shop2').open(sealed, as), undefined);
});

test('every flipped bit and every cut is noticed', () => {
  const sealer = new Sealer([oldKey], 'shop');
  const sealed = sealer.seal(bytes, as);
  for (let i = 0; i < sealed.length * 8; i++) {
    const changed = Buffer.from(sealed);
    changed[i >> 3]! ^= 1 << (i & 7);
    assert.equal(sealer.open(changed, as), undefined, `bit ${i}`);
  }
  for (let length = 0; length < sealed.length; length++) {
    assert.equal(sealer.open(sealed.subarray(0, length), as), undefined, `${length} bytes`);
  }
});

test('a rotation: the first key seals, all keys open, a dropped key does not', () => {
  const before = new Sealer([oldKey], 'shop');
  const appended = new Sealer([oldKey, newKey], 'shop');
  const moved = new Sealer([newKey, oldKey], 'shop');
  const dropped = new Sealer([newKey], 'shop');
  assert.ok(before.open(appended.seal(bytes, as), as)?.equals(bytes));
  assert.ok(appended.open(moved.seal(bytes, as), as)?.equals(bytes));
  assert.ok(moved.open(before.seal(bytes, as), as)?.equals(bytes));
  assert.ok(dropped.open(moved.seal(bytes, as), as)?.equals(bytes));
  assert.equal(dropped.open(before.seal(bytes, as), as), undefined);
});
