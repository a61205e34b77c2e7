import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import { fc } from '../support/properties.ts';
import { isAuthority } from '../../src/http1/target.ts';

test('an address in brackets is legal exactly where it is an IPv6 address', () => {
  const parts = fc.constantFrom(
    ':',
    '::',
    '0',
    'a',
    '12',
    'FFFF',
    '12345',
    'g',
    '127.0.0.1',
    '1.2.3',
    '256.0.0.1',
    '01.2.3.4',
  );
  const near = fc.array(parts, { maxLength: 17 }).map((chosen) => chosen.join(''));
  const spaced = fc
    .array(fc.constantFrom('', '0', 'db8', 'FFFF', '1.2.3.4'), { maxLength: 9 })
    .map((groups) => groups.join(':'));
  const texts = fc.oneof(fc.ipV6(), near, spaced);
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(isAuthority(`[${text}]`), isIPv6(text), text);
    }),
    { numRuns: 5000 },
  );
});
