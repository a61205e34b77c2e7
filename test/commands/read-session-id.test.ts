import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';

import { createSessionCodec } from '../../src/affinity/preset-codec.ts';
import type { Preset } from '../../src/affinity/session-codec.ts';
import { readSessionId } from '../../src/commands/read-session-id.ts';
import type { Config } from '../../src/config/config.ts';

function read(given: string, { preset, keys = [] }: { preset: Preset; keys?: readonly string[] }): string | undefined {
  const codec = createSessionCodec({ preset, cookie: undefined, keys });
  const config = { session: { preset, cookie: undefined } } as unknown as Config;
  return readSessionId(given, codec, config);
}

/** As cookie-signature makes it. */
function expressCookie(id: string, secret: string): string {
  const signature = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
  return encodeURIComponent(`s:${id}.${signature}`);
}

test('an id in its exact shape is read as it is', () => {
  const id = 'abcdefghijklmnopqrstuvwx12';
  assert.equal(read(id, { preset: 'php' }), id);
});

test('what is neither an id nor a cookie value of the preset is nothing', () => {
  for (const given of ['', '../../etc/passwd', 'a b', 'x; PHPSESSID=y', 'a,b;c', 'a\r\nb', '\0', 'é'.repeat(30)]) {
    assert.equal(read(given, { preset: 'php' }), undefined, JSON.stringify(given));
    assert.equal(read(given, { preset: 'laravel', keys: [`base64:${'A'.repeat(43)}=`] }), undefined);
  }
});

test("a signed cookie is read as the browser shows it, and not with somebody else's signature", () => {
  const id = 'A'.repeat(32);
  const keys = ['an example secret, open to all'];
  assert.equal(read(expressCookie(id, keys[0]!), { preset: 'express', keys }), id);
  assert.equal(read(expressCookie(id, 'another secret'), { preset: 'express', keys }), undefined);
  assert.equal(read(id, { preset: 'express', keys }), id);
});
