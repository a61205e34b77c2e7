/** What `store.url` may say, and that a refusal never repeats a password. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRedisUrl } from '../../src/store/redis-url.ts';

test('host, port, user, password and database are read', () => {
  assert.deepEqual(parseRedisUrl('redis://redis:6380/2'), { host: 'redis', port: 6380, db: 2, secure: false });
  assert.deepEqual(parseRedisUrl('rediss://u%40x:p%2Fw@[::1]'), {
    host: '::1',
    port: 6379,
    username: 'u@x',
    password: 'p/w',
    db: 0,
    secure: true,
  });
});

const refused = [
  'redis:',
  'redis://',
  'http://redis:6379',
  'redis://host:99999',
  'redis://host/first',
  'redis://host/1/2',
  'redis://host?db=1',
  'redis://:%zz@host',
  'redis+sentinel://a,b/mymaster/0',
  'redis+cluster://a,b',
];

for (const url of refused) {
  test(`refused: ${url}`, () => {
    assert.throws(() => parseRedisUrl(url), { kind: 'bad-configuration' });
  });
}

test('a refusal does not repeat the password', () => {
  assert.throws(
    () => parseRedisUrl('redis://:secret@host/first'),
    (error) => !String(error).includes('secret'),
  );
});
