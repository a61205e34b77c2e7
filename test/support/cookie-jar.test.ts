/** The browser that judges: what it keeps, sends and forgets, and that a cut answer is an error to it. */

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Browser, CookieJar } from './cookie-jar.ts';

const nowMs = Date.UTC(2026, 10, 23);

test('a cookie is sent back until Max-Age or Expires has passed, and Max-Age wins', () => {
  const jar = new CookieJar();
  jar.store(['a=1; path=/; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT', 'b=2; path=/'], '/', nowMs);
  jar.store(['c=3; path=/; expires=Mon, 23-Nov-2026 00:00:20 GMT'], '/', nowMs);
  assert.equal(jar.header('/', { nowMs }), 'a=1; b=2; c=3');
  assert.equal(jar.header('/', { nowMs: nowMs + 10_000 }), 'b=2; c=3');
  assert.equal(jar.header('/', { nowMs: nowMs + 20_000 }), 'b=2');
});

test('an expired Set-Cookie removes the cookie of the same name and path only', () => {
  const jar = new CookieJar();
  jar.store(['a=1; path=/', 'a=2; path=/shop'], '/', nowMs);
  jar.store(['a=; path=/; Max-Age=0'], '/', nowMs);
  assert.equal(jar.header('/shop/cart', { nowMs }), 'a=2');
  assert.equal(jar.header('/', { nowMs }), undefined);
});

test('paths match whole segments, and longer paths come first', () => {
  const jar = new CookieJar();
  jar.store(['a=1; path=/', 'a=2; path=/shop'], '/', nowMs);
  assert.equal(jar.header('/shop?x=/', { nowMs }), 'a=2; a=1');
  assert.equal(jar.header('/shopping', { nowMs }), 'a=1');
});

test('a cookie without Path belongs to the folder of the page that set it', () => {
  const jar = new CookieJar();
  jar.store(['a=1'], '/shop/cart?x=1', nowMs);
  assert.equal(jar.header('/shop/pay', { nowMs }), 'a=1');
  assert.equal(jar.header('/other', { nowMs }), undefined);
});

test('a Secure cookie is not sent over plain HTTP', () => {
  const jar = new CookieJar();
  jar.store(['a=1; path=/; Secure'], '/', nowMs);
  assert.equal(jar.header('/', { nowMs }), undefined);
  assert.equal(jar.header('/', { nowMs, secure: true }), 'a=1');
});

test('a copied jar does not follow what happens to the first', () => {
  const jar = new CookieJar();
  jar.store(['a=1; path=/'], '/', nowMs);
  const copy = jar.copy();
  jar.store(['a=2; path=/'], '/', nowMs);
  assert.deepEqual([copy.get('a'), jar.get('a')], ['1', '2']);
});

test('an answer that is cut is an error', async (t) => {
  const origin = await serve(t, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal');
  const browser = new Browser(origin);
  t.after(() => browser.close());
  await assert.rejects(browser.get('/'));
});

test('a redirect is followed at its head, with the cookie it set', async (t) => {
  const seen: string[] = [];
  const head = 'HTTP/1.1 302 Found\r\nSet-Cookie: a=1; path=/\r\nLocation: /next\r\nContent-Length: 5\r\n\r\n';
  const origin = await serve(t, (request) => {
    seen.push(request);
    return request.startsWith('GET /next ') ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' : head;
  });
  const browser = new Browser(origin);
  t.after(() => browser.close());
  assert.equal(await browser.text('/'), 'ok');
  assert.match(seen[1]!, /\r\ncookie: a=1\r\n/i);
});

/** A peer that answers each request head with a script and, where the script is one text, closes after it. */
async function serve(t: TestContext, script: string | ((request: string) => string)): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      if (typeof script === 'string') socket.end(script);
      else socket.write(script(data.toString('latin1')));
    });
    t.after(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
