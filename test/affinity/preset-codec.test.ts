import assert from 'node:assert/strict';
import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import test from 'node:test';
import type { CookieNotice } from '../../src/affinity/cookie-choice.ts';
import { createSessionCodec } from '../../src/affinity/preset-codec.ts';
import { presets, type Preset } from '../../src/affinity/session-codec.ts';
import { presetProblems } from '../../src/affinity/session-id/presets.ts';

const appKey = '0123456789abcdef0123456789abcdef';
const nowMs = Date.UTC(2026, 10, 23);
const id = 'a'.repeat(40);
const otherId = 'b'.repeat(40);

/** As Laravel writes it (test/affinity/session-id/laravel.test.ts reads those of Laravel itself). */
function laravelCookie(name: string, value: string, isPrefixed = true): string {
  const prefix = isPrefixed ? `${createHmac('sha1', appKey).update(`${name}v2`).digest('hex')}|` : '';
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', appKey, iv);
  const text = cipher.update(prefix + value, 'utf8', 'base64') + cipher.final('base64');
  const mac = createHmac('sha256', appKey)
    .update(iv.toString('base64') + text)
    .digest('hex');
  const json = JSON.stringify({ iv: iv.toString('base64'), value: text, mac, tag: '' });
  return `${name}=${encodeURIComponent(Buffer.from(json).toString('base64'))}`;
}

function laravel(cookie?: string) {
  const notices: CookieNotice[] = [];
  const codec = createSessionCodec({
    preset: 'laravel',
    cookie,
    keys: [appKey],
    notice: (notice) => notices.push(notice),
  });
  return { codec, notices };
}

function php(cookie?: string) {
  return createSessionCodec({ preset: 'php', cookie, keys: [] });
}

test('the last session Set-Cookie of an answer counts', () => {
  const change = php().fromAnswer(['PHPSESSID=old; Path=/a', 'x=1', 'PHPSESSID=new; Path=/b', 'y=2'], nowMs);
  assert.deepEqual(change, { kind: 'set', session: 'new', attributes: ' Path=/b', lifetimeSeconds: undefined });
});

test('an answer without the session’s cookie changes nothing', () => {
  assert.deepEqual(php().fromAnswer([], nowMs), { kind: 'none' });
  assert.deepEqual(php().fromAnswer(['x=1', 'PHPSESSID2=1', 'phpsessid=1'], nowMs), { kind: 'none' });
  assert.deepEqual(php().fromAnswer(['PHPSESSID=a_b'], nowMs), { kind: 'none' });
});

test('an empty value, Max-Age of 0 and a past Expires end the session', () => {
  for (const line of [
    'PHPSESSID=; path=/x',
    'PHPSESSID=abc; path=/x; Max-Age=0',
    'PHPSESSID=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/x',
    'PHPSESSID=a_b; expires=Thu, 01-Jan-1970 00:00:01 GMT',
  ]) {
    const change = php().fromAnswer(['PHPSESSID=before', line], nowMs);
    assert.deepEqual(change, { kind: 'ended', attributes: line.slice(line.indexOf(';') + 1) });
  }
});

test('a session set after it was ended in one answer is set', () => {
  const change = php().fromAnswer(['PHPSESSID=; Max-Age=0', 'PHPSESSID=next'], nowMs);
  assert.equal(change.kind, 'set');
});

test('the life of a session’s cookie is told', () => {
  const change = php().fromAnswer(['PHPSESSID=abc; Max-Age=7200'], nowMs);
  assert.ok(change.kind === 'set');
  assert.equal(change.lifetimeSeconds, 7200);
});

test('each preset takes the occurrence that its framework takes', () => {
  const one = '1'.repeat(32);
  const two = '2'.repeat(32);
  const read = (preset: Preset, name: string) =>
    createSessionCodec({ preset, cookie: undefined, keys: [] }).fromRequest(`${name}=${one}; ${name}=${two}`);
  assert.equal(read('php', 'PHPSESSID'), one);
  assert.equal(read('symfony', 'PHPSESSID'), one);
  assert.equal(read('codeigniter', 'ci_session'), one);
  assert.equal(read('flask', 'session'), one);
  assert.equal(read('django', 'sessionid'), two);
  assert.equal(read('jsessionid', 'JSESSIONID'), undefined, 'Tomcat takes the one that lives');
});

test('a first cookie without a valid id hides a second one with it, as in the framework', () => {
  assert.equal(php().fromRequest('PHPSESSID=../x; PHPSESSID=good'), undefined);
});

test('no id of any preset can leave a directory or hide', () => {
  for (const preset of presets.filter((each) => each !== 'laravel' && each !== 'express')) {
    const codec = createSessionCodec({ preset, cookie: 's', keys: [] });
    for (const value of ['..', '../x', '.x', 'a/b', 'a%2Fb', 'a%00b', '%2e%2e', '', 'é', 'a b', 'x'.repeat(251)]) {
      const read = codec.fromRequest(`s=${value}`);
      assert.ok(read === undefined || /^[^./\0][^/\0]{0,249}$/.test(read), `${preset} ${value}`);
    }
  }
});

test('a value that was decoded is known again without its key', () => {
  const line = laravelCookie('laravel_session', id);
  const { codec } = laravel('laravel_session');
  const change = codec.fromAnswer([`${line}; Max-Age=7200; path=/`], nowMs);
  assert.ok(change.kind === 'set');
  assert.equal(codec.fromRequest(`x=1; ${line}`), id);
  // The very same text under the cookie's name is the memory's key; under another name it is not even looked at.
  assert.equal(codec.fromRequest(line.replace('laravel_session', 'other_session')), undefined);
});

test('an answer for the request’s session is told by the text of the request', () => {
  const { codec } = laravel('laravel_session');
  const known = codec.fromRequest(laravelCookie('laravel_session', id));
  for (const [value, session] of [
    [id, id],
    [otherId, otherId],
  ] as const) {
    const change = codec.fromAnswer([laravelCookie('laravel_session', value)], nowMs, known);
    assert.ok(change.kind === 'set');
    assert.equal(change.session, session);
  }
});

test('a life remembered from the answer before counts from now, and for the same attributes only', () => {
  const codec = php();
  const until = (seconds: number) => `PHPSESSID=abc; Expires=${new Date(nowMs + seconds * 1000).toUTCString()}`;
  const life = (line: string, laterMs: number) => {
    const change = codec.fromAnswer([line], nowMs + laterMs);
    return change.kind === 'set' ? change.lifetimeSeconds : change.kind;
  };
  assert.equal(life(until(60), 0), 60);
  assert.equal(life(until(60), 10_000), 50);
  assert.equal(life(until(60), 60_000), 'ended');
  assert.equal(life(until(61), 0), 61);
  assert.equal(life('PHPSESSID=abc', 0), undefined);
});

test('memory of decoded values is bounded and forgetting changes nothing', () => {
  const codec = createSessionCodec({ preset: 'php', cookie: undefined, keys: [], decodedMax: 2 });
  for (let round = 0; round < 2; round++) {
    for (const value of ['a', 'b', 'c', 'd']) assert.equal(codec.fromRequest(`PHPSESSID=${value}`), value);
  }
});

test('laravel without a configured cookie takes the one with a session’s name, and says so once', () => {
  const { codec, notices } = laravel();
  assert.equal(codec.cookieName, undefined);
  const lines = [
    laravelCookie('cart', otherId),
    laravelCookie('shop-session', id),
    laravelCookie('XSRF-TOKEN', otherId),
  ];
  const change = codec.fromAnswer(lines, nowMs);
  assert.ok(change.kind === 'set');
  assert.equal(change.session, id);
  assert.equal(codec.fromRequest(lines.join('; ')), id);
  assert.deepEqual(notices, [{ kind: 'cookie-chosen', cookie: 'shop-session' }]);
});

test('a request alone shows the session’s cookie by its name', () => {
  const { codec, notices } = laravel();
  assert.equal(
    codec.fromRequest(`a=1; ${laravelCookie('XSRF-TOKEN', otherId)}; ${laravelCookie('x_session', id)}`),
    id,
  );
  assert.deepEqual(notices, [{ kind: 'cookie-chosen', cookie: 'x_session' }]);
});

test('a long-lived token that a browser still sends is not taken for the session', () => {
  const { codec } = laravel();
  assert.equal(codec.fromRequest(laravelCookie('cart', otherId)), undefined);
  const change = codec.fromAnswer([laravelCookie('cart', otherId), laravelCookie('my_session', id)], nowMs);
  assert.ok(change.kind === 'set');
  assert.equal(codec.cookieName, 'my_session');
});

test('a cookie with a name of its own is taken from an answer', () => {
  const { codec } = laravel();
  const line = laravelCookie('sid', id);
  assert.equal(codec.fromAnswer([laravelCookie('XSRF-TOKEN', otherId), line], nowMs).kind, 'set');
  assert.equal(codec.fromRequest(line), id);
});

test('a client can not choose the cookie with a value that names none', () => {
  const { codec } = laravel();
  assert.equal(codec.fromRequest(laravelCookie('evil_session', otherId, false)), undefined);
  assert.equal(codec.cookieName, undefined);
});

test('a hundred answers with a session under another name are told once', () => {
  const { codec, notices } = laravel('laravel_session');
  const lines = [laravelCookie('XSRF-TOKEN', otherId), laravelCookie('shop_session', id)];
  for (let answer = 0; answer < 99; answer++) assert.equal(codec.fromAnswer(lines, nowMs).kind, 'none');
  assert.deepEqual(notices, []);
  for (let answer = 0; answer < 200; answer++) codec.fromAnswer(lines, nowMs);
  assert.deepEqual(notices, [{ kind: 'cookie-missing', configured: 'laravel_session', found: 'shop_session' }]);
});

test('a session cookie of an answer that our keys do not open is told once, whatever its name', () => {
  for (const [name, cookie] of [
    ['shop_session', undefined],
    ['XSRF-TOKEN', undefined],
    ['sid', 'sid'],
  ] as const) {
    const notices: CookieNotice[] = [];
    const keys = ['another key of 32 bytes, as it is'.slice(0, 32)];
    const codec = createSessionCodec({ preset: 'laravel', cookie, keys, notice: (notice) => notices.push(notice) });
    for (let answer = 0; answer < 3; answer++) {
      assert.equal(codec.fromAnswer(['a=1', laravelCookie(name, id)], nowMs).kind, 'none');
    }
    assert.deepEqual(notices, [{ kind: 'cookie-unreadable', cookie: name }]);
  }
});

test('keys that open what they should are told nothing of, nor are cookies that no Laravel made', () => {
  const { codec, notices } = laravel();
  codec.fromRequest(laravelCookie('shop_session', id).replace('eyJ', 'eyK'));
  codec.fromAnswer(['other_session=eyJhbGciOiJIUzI1NiJ9.e30.x', 'flask_session=abc', 'XSRF-TOKEN=plain'], nowMs);
  codec.fromAnswer([laravelCookie('XSRF-TOKEN', id), laravelCookie('cart', 'not an id')], nowMs);
  codec.fromAnswer(['shop_session=; Max-Age=0'], nowMs);
  assert.deepEqual(notices, []);
});

test('other encrypted cookies are no reason to warn once the configured one was seen', () => {
  const { codec, notices } = laravel('laravel_session');
  codec.fromAnswer([laravelCookie('laravel_session', id)], nowMs);
  for (let answer = 0; answer < 200; answer++) codec.fromAnswer([laravelCookie('cart', otherId)], nowMs);
  assert.deepEqual(notices, []);
});

test('every problem of a session block is named by its key', () => {
  const keysOf = (preset: Preset, cookie: string | undefined, keys: string[]) =>
    presetProblems(preset, { cookie, keys }).map((each) => each.key);
  assert.deepEqual(keysOf('laravel', undefined, [appKey]), []);
  assert.deepEqual(keysOf('laravel', 'a b', []), ['cookie', 'keys']);
  assert.deepEqual(keysOf('laravel', undefined, [appKey, 'base64:AAAA']), ['keys']);
  assert.deepEqual(keysOf('express', undefined, []), ['keys']);
  assert.deepEqual(keysOf('express', undefined, ['short']), []);
  assert.deepEqual(keysOf('express', undefined, ['']), ['keys']);
  assert.deepEqual(keysOf('plain', undefined, []), ['cookie']);
  assert.deepEqual(keysOf('plain', 'sid', []), []);
  assert.deepEqual(keysOf('php', undefined, []), []);
});
