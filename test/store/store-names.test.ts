/** Names of sessions in the store. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionId } from '../../src/affinity/session-codec.ts';
import { StoreNames } from '../../src/store/store-names.ts';

const secret = Buffer.alloc(32, 9);
const session = 'a'.repeat(40) as SessionId;

test('a name is stable, opaque and of 32 characters', () => {
  const name = new StoreNames(secret, 'shop').of(session);
  // Frozen: another value would lose every stored session at an upgrade.
  assert.equal(name, '8rGUATPZbEPkrc00QJudyLAMaiYwEsiL');
  assert.match(name, /^[\w-]{32}$/);
});

test('another session, application or secret gives another name', () => {
  const names = new Set([
    new StoreNames(secret, 'shop').of(session),
    new StoreNames(secret, 'shop').of('b'.repeat(40) as SessionId),
    new StoreNames(secret, 'shopa').of('a'.repeat(39) as SessionId),
    new StoreNames(secret, 'blog').of(session),
    new StoreNames(Buffer.alloc(32, 8), 'shop').of(session),
  ]);
  assert.equal(names.size, 5);
});
