/** What `store.url` may say, and that a refusal never repeats a password. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRedisUrl } from '../../src/store/redis-url.ts';

test('host, port, user, password and database are read', () => {
  assert.deepEqual(parseRedisUrl('redis://redis:6380/2'), {
    kind: 'single',
    address: { host: 'redis', port: 6380 },
    db: 2,
    secure: false,
    shown: 'redis://redis:6380/2',
  });
  assert.deepEqual(parseRedisUrl('rediss://u%40x:p%2Fw@[::1]'), {
    kind: 'single',
    address: { host: '::1', port: 6379 },
    username: 'u@x',
    password: 'p/w',
    db: 0,
    secure: true,
    shown: 'rediss://[::1]',
  });
});

test("sentinels, the primary's name and the database are read", () => {
  assert.deepEqual(parseRedisUrl('redis+sentinel://:p@a,b:1,[::1]:2/main.x/3'), {
    kind: 'sentinel',
    sentinels: [
      { host: 'a', port: 26_379 },
      { host: 'b', port: 1 },
      { host: '::1', port: 2 },
    ],
    master: 'main.x',
    db: 3,
    password: 'p',
    secure: false,
    shown: 'redis+sentinel://a,b:1,[::1]:2/main.x/3',
  });
  assert.equal(parseRedisUrl('rediss+sentinel://a/main').secure, true);
});

test('the first contacts of a cluster are read', () => {
  assert.deepEqual(parseRedisUrl('rediss+cluster://u:p@a,b:7000/0'), {
    kind: 'cluster',
    seeds: [
      { host: 'a', port: 6379 },
      { host: 'b', port: 7000 },
    ],
    username: 'u',
    password: 'p',
    secure: true,
    shown: 'rediss+cluster://a,b:7000/0',
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
  'redis://a,b',
  'redis+sentinel://a,b',
  'redis+sentinel://a,b/0/main',
  'redis+sentinel:///main',
  'redis+sentinel://a b/main',
  'redis+cluster://a,,b',
  'redis+cluster://a/1',
  'redis+cluster://a:99999',
  'redis+other://a',
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
