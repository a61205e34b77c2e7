import assert from 'node:assert/strict';
import test from 'node:test';
import { cookieLife, hasAttribute, setCookieOf, splitSetCookie, withoutLife } from '../../src/affinity/set-cookie.ts';

const nowMs = Date.UTC(2026, 10, 23, 12, 0, 0);

test('attributes are everything after the first semicolon, byte for byte', () => {
  assert.deepEqual(setCookieOf('s=v;  Path=/ ;x;;Secure', 's'), { value: 'v', attributes: '  Path=/ ;x;;Secure' });
  assert.deepEqual(setCookieOf('s=v', 's'), { value: 'v', attributes: '' });
  assert.equal(setCookieOf('s2=v', 's'), undefined);
  assert.equal(setCookieOf('S=v', 's'), undefined);
});

test('a line without a name is nobody’s', () => {
  assert.equal(splitSetCookie('=v'), undefined);
  assert.equal(splitSetCookie('v; a=b'), undefined);
  assert.deepEqual(splitSetCookie('n=v=w;a'), { name: 'n', value: 'v=w', attributes: 'a' });
});

const lives: readonly (readonly [attributes: string, ended: boolean, lifetimeSeconds: number | undefined])[] = [
  ['', false, undefined],
  [' Path=/; HttpOnly', false, undefined],
  [' Max-Age=7200', false, 7200],
  [' max-age = 7200 ', false, 7200],
  [' Max-Age=0', true, undefined],
  [' Max-Age=-5', true, undefined],
  [' Max-Age=7e3', false, undefined],
  [' Max-Age=5; Max-Age=9', false, 9],
  [' Max-Age', false, undefined],
  [' expires=Mon, 23-Nov-2026 13:00:00 GMT', false, 3600],
  [' Expires=Mon, 23 Nov 2026 13:00:00 GMT; path=/', false, 3600],
  [' expires=Thu, 01-Jan-1970 00:00:01 GMT', true, undefined],
  [' expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=60', false, 60],
  [' expires=Mon, 23 Nov 2026 13:00:00 GMT; Max-Age=0', true, undefined],
  [' expires=soon', false, undefined],
];

for (const [attributes, ended, lifetimeSeconds] of lives) {
  test(`"${attributes}" ${ended ? 'ends the cookie' : `lives ${lifetimeSeconds ?? 'as long as the browser'}`}`, () => {
    assert.deepEqual(cookieLife(attributes, nowMs), { ended, lifetimeSeconds });
  });
}

test('attributes without their life keep the others as they are', () => {
  assert.equal(withoutLife(' Path=/ ; Expires=x, y; max-age=3;HttpOnly'), ' Path=/ ;HttpOnly');
  assert.equal(withoutLife(' Max-Age=3'), '');
});

test('an attribute is found by name in any case, not by part of a name or value', () => {
  assert.equal(hasAttribute(' Path=/; HTTPONLY', 'httponly'), true);
  assert.equal(hasAttribute(' HttpOnly=x', 'httponly'), true);
  assert.equal(hasAttribute(' Path=httponly; HttpOnlyX', 'httponly'), false);
});
