import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { HmacSha256 } from '../../../src/affinity/session-id/hmac-sha256.ts';

const textLengthMax = 300;
const bytes = (length: { minLength: number; maxLength: number }) =>
  fc.uint8Array(length).map((array) => Buffer.from(array));
const text = fc.oneof(
  fc.string({ maxLength: textLengthMax }),
  fc.base64String({ maxLength: textLengthMax }),
  fc.string({ maxLength: textLengthMax / 2, unit: 'binary' }),
  // Surrogates without their other half.
  fc.array(fc.nat(0xffff), { maxLength: textLengthMax }).map((units) => String.fromCharCode(...units)),
);

function expected(key: Buffer, of: string): string {
  return createHmac('sha256', key).update(of).digest('hex');
}

test('it is the HMAC-SHA256 of node:crypto, for keys up to a block and texts of any length, one after another', () => {
  fc.assert(
    fc.property(bytes({ minLength: 0, maxLength: 64 }), fc.array(text, { maxLength: 5 }), (key, texts) => {
      const hmac = new HmacSha256(key, { textLengthMax });
      for (const each of texts) assert.equal(hmac.hex(each), expected(key, each));
    }),
  );
});

test('the vector of RFC 4231, case 2', () => {
  const hmac = new HmacSha256(Buffer.from('Jefe'), { textLengthMax });
  const right = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
  assert.equal(hmac.hex('what do ya want for nothing?'), right);
  assert.ok(hmac.isRight('what do ya want for nothing?', right));
});

test('no other text of hexadecimal digits is right', () => {
  const key = Buffer.from('0123456789abcdef');
  const hmac = new HmacSha256(key, { textLengthMax });
  fc.assert(
    fc.property(text, fc.nat(63), fc.constantFrom('0', '9', 'a', 'f', 'A', 'F', ' ', 'é'), (of, at, digit) => {
      const right = expected(key, of);
      const changed = right.slice(0, at) + digit + right.slice(at + 1);
      assert.equal(hmac.isRight(of, changed), changed === right);
      assert.ok(hmac.isRight(of, right));
      for (const wrong of ['', right.slice(1), `${right}0`, right.slice(0, at)]) assert.ok(!hmac.isRight(of, wrong));
    }),
  );
});

test('a longer key or text than announced is our own mistake, and is not cut', () => {
  assert.throws(() => new HmacSha256(Buffer.alloc(65), { textLengthMax }));
  const hmac = new HmacSha256(Buffer.alloc(32), { textLengthMax });
  assert.throws(() => hmac.hex('x'.repeat(textLengthMax + 1)));
});
