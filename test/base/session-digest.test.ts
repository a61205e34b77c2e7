import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionDigest } from '../../src/base/session-digest.ts';

test('the same key gives the same digest, another key another one, and none shows the id', () => {
  const secret = Buffer.alloc(32, 1);
  const digest = new SessionDigest(secret).of('abc123');
  assert.match(digest, /^[0-9a-f]{16}$/);
  assert.equal(new SessionDigest(secret).of('abc123'), digest);
  assert.notEqual(new SessionDigest(Buffer.alloc(32, 2)).of('abc123'), digest);
  assert.notEqual(new SessionDigest(undefined).of('abc123'), new SessionDigest(undefined).of('abc123'));
});
