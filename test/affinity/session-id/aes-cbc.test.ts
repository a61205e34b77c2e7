import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import test from 'node:test';
import { fc } from '../../support/properties.ts';
import { AesCbc } from '../../../src/affinity/session-id/aes-cbc.ts';

const exactly = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const key = fc.oneof(exactly(16), exactly(32));

function byNode(message: Buffer, given: { key: Buffer; iv: Buffer }): Buffer | undefined {
  try {
    const decipher = createDecipheriv(`aes-${given.key.length * 8}-cbc`, given.key, given.iv);
    return Buffer.concat([decipher.update(message), decipher.final()]);
  } catch {
    return undefined;
  }
}

function encrypted(clear: Buffer, given: { key: Buffer; iv: Buffer; padded: boolean }): Buffer {
  const cipher = createCipheriv(`aes-${given.key.length * 8}-cbc`, given.key, given.iv).setAutoPadding(given.padded);
  return Buffer.concat([cipher.update(clear), cipher.final()]);
}

test('what was encrypted comes back, message after message of any length', () => {
  fc.assert(
    fc.property(key, fc.array(fc.tuple(bytes, exactly(16)), { maxLength: 5 }), (ofKey, messages) => {
      const cbc = new AesCbc(ofKey);
      for (const [clear, iv] of messages) {
        assert.deepEqual(cbc.decrypted(encrypted(clear, { key: ofKey, iv, padded: true }), iv), clear);
      }
    }),
  );
});

test('any bytes, IV and padding are judged as node:crypto judges them, and spoil nothing for the next message', () => {
  // Clear texts that end as paddings do, right ones and wrong ones.
  const tail = fc.tuple(fc.nat(17), fc.nat(17)).map(([value, count]) => Buffer.alloc(count, value));
  const padded = fc.tuple(bytes, tail).map(([start, end]) => {
    const joined = Buffer.concat([start, end]);
    return joined.subarray(joined.length % 16);
  });
  fc.assert(
    fc.property(key, padded, bytes, exactly(16), (ofKey, ending, random, iv) => {
      const cbc = new AesCbc(ofKey);
      const own = encrypted(ending, { key: ofKey, iv, padded: false });
      for (const message of [own, random, own.subarray(1), own]) {
        assert.deepEqual(cbc.decrypted(message, iv), byNode(message, { key: ofKey, iv }));
      }
    }),
    { numRuns: 500 },
  );
});

test('an IV of another length is refused', () => {
  const cbc = new AesCbc(Buffer.alloc(16));
  for (const length of [0, 12, 15, 17, 32])
    assert.equal(cbc.decrypted(Buffer.alloc(32), Buffer.alloc(length)), undefined);
});
