import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import { HmacSha256 } from '../../src/base/hmac-sha256.ts';
import { deriveKey, Signer } from '../../src/base/keyring.ts';

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

test('a longer key than a block is our own mistake; a longer text than announced is signed all the same', () => {
  assert.throws(() => new HmacSha256(Buffer.alloc(65), { textLengthMax }));
  const key = Buffer.alloc(32, 7);
  const long = 'ä'.repeat(textLengthMax + 1);
  assert.equal(new HmacSha256(key, { textLengthMax }).hex(long), expected(key, long));
});

test('a signature is 24 bytes of the HMAC over all parts with their lengths, however long, and no other text verifies', () => {
  const secret = Buffer.from('a secret of some length');
  const signer = new Signer([secret], 'pin');
  for (const parts of [['token', 'shop', 'x'], ['ä', ''], ['y'.repeat(5000)]]) {
    const hmac = createHmac('sha256', deriveKey(secret, 'pin'));
    for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:${part},`);
    const signature = hmac.digest().subarray(0, 24).toString('base64url');
    assert.equal(signer.sign(parts), signature);
    assert.ok(signer.verify(parts, signature));
    const [first] = signature;
    // The second has the same low byte as the first character: it must not be cut to it.
    for (const wrong of ['', `${signature}A`, String.fromCharCode(first!.charCodeAt(0) + 0x100) + signature.slice(1)]) {
      assert.ok(!signer.verify(parts, wrong));
    }
  }
});

test('no other spelling of a right signature is right, also after the right one was seen', () => {
  const signer = new Signer([Buffer.alloc(32, 7)], 'pin');
  const signature = signer.sign(['a', 'b']);
  const hmac = new HmacSha256(Buffer.alloc(32, 7), { textLengthMax });
  const hex = hmac.hex('text');
  assert.ok(signer.verify(['a', 'b'], signature));
  assert.ok(hmac.isRight('text', hex));
  // Cut off behind the last whole character, or to its low byte, these would be the right ones.
  for (const character of ['é', '\u{10000}', String.fromCharCode(signature.charCodeAt(31) + 0x100)]) {
    assert.equal(signer.verify(['a', 'b'], signature.slice(0, -1) + character), false);
    assert.equal(signer.verify(['a', 'b'], signature.slice(0, -character.length) + character), false);
  }
  assert.equal(hmac.isRight('text', hex.slice(0, -1) + String.fromCharCode(hex.charCodeAt(63) + 0x100)), false);
});
