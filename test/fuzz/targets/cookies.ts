/**
 * Cookies of every preset, in requests and answers: an id has its preset's shape, names one file in the directory, and is
 * the same after our own cookie has been taken out.
 */

import assert from 'node:assert/strict';
import { createCipheriv, createHmac } from 'node:crypto';
import { type CookieReader, findCookie, withoutCookie } from '../../../src/affinity/cookie-line.ts';
import { createSessionCodec } from '../../../src/affinity/preset-codec.ts';
import { type Preset, presets, type SessionId } from '../../../src/affinity/session-codec.ts';
import { parseSessionId } from '../../../src/affinity/session-id/presets.ts';
import { hasAttribute, readLifetime, splitSetCookie, withoutLife } from '../../../src/affinity/set-cookie.ts';
import { fileNameOf, sessionOf } from '../../../src/sessions/session-name.ts';
import type { Target } from '../fuzzer.ts';

const appKey = '0123456789abcdef0123456789abcdef';
const secret = 'a secret';
const nowMs = Date.UTC(2026, 10, 23);
const pin = 'hf_01234567';
const readers: readonly CookieReader[] = ['php', 'first', 'only', 'django', 'werkzeug'];
const cookieNames: Readonly<Record<Preset, string>> = {
  laravel: 'laravel_session',
  php: 'PHPSESSID',
  symfony: 'PHPSESSID',
  codeigniter: 'ci_session',
  django: 'sessionid',
  flask: 'session',
  express: 'connect.sid',
  jsessionid: 'JSESSIONID',
  plain: 'sid',
};

function keysOf(preset: Preset): readonly string[] {
  return preset === 'laravel' ? [appKey] : preset === 'express' || preset === 'flask' ? [secret] : [];
}

/** As Laravel writes it, with a fixed vector. */
function laravelValue(value: string): string {
  const prefix = `${createHmac('sha1', appKey).update('laravel_sessionv2').digest('hex')}|`;
  const iv = Buffer.alloc(16, 7);
  const cipher = createCipheriv('aes-256-cbc', appKey, iv);
  const text = cipher.update(prefix + value, 'utf8', 'base64') + cipher.final('base64');
  const mac = createHmac('sha256', appKey)
    .update(iv.toString('base64') + text)
    .digest('hex');
  return encodeURIComponent(
    Buffer.from(JSON.stringify({ iv: iv.toString('base64'), value: text, mac, tag: '' })).toString('base64'),
  );
}

const expressId = '2o7sOpgMqMGWem0IxddjE0DkR3-jqUPS';
const expressValue = encodeURIComponent(
  `s:${expressId}.${createHmac('sha256', secret).update(expressId).digest('base64').replace(/=+$/, '')}`,
);
const samples: readonly string[] = [
  `laravel_session=${laravelValue('A'.repeat(40))}`,
  `XSRF-TOKEN=${laravelValue('B'.repeat(40))}; laravel_session=${laravelValue('C'.repeat(40))}`,
  `connect.sid=${expressValue}`,
  'PHPSESSID=abc,-1; PHPSESSID=other; PHPSESSID[]=x; PHP.SESSID=%41',
  `sessionid="${'a'.repeat(32)}"; sessionid=${'b'.repeat(32)}`,
  'session="a\\054b; c"; session=d',
  `ci_session=${'0a'.repeat(16)}`,
  `JSESSIONID=${'0A'.repeat(16)}.route1; sid=x.y`,
  `${pin}=1abc; PHPSESSID=a; ${pin}="x;y"`,
];
const attributes = [
  ' Path=/; HttpOnly; Max-Age=7200',
  'expires=Mon, 23-Nov-2026 10:00:00 GMT; Max-Age=0',
  ' Max-Age=-1;;=x; SameSite=Lax',
  '',
];

export const cookies: Target = {
  name: 'cookies',
  seeds: [
    ...samples,
    ...samples.flatMap((sample) => attributes.map((text) => `\0${sample.split(';', 1)[0]!};${text}`)),
  ],
  words: [
    ...Object.values(cookieNames),
    pin,
    '; ',
    '=',
    '"',
    '\\',
    '%',
    '\\073',
    '%3b',
    '[',
    ']',
    '__Host-',
    '\xc2\xa0',
    '\xe2\x80\x80',
    'Max-Age=',
    'Expires=',
    'HttpOnly',
    's:',
    '%3A',
    '.',
    'eyJ',
    'deleted',
    '""',
  ],
  turnsPerByte: 4000,
  // A NUL in front: lines of Set-Cookie. Else the Cookie field of a request.
  run(input) {
    const text = input.toString('latin1');
    if (text.startsWith('\0')) answer(text.slice(1).split('\n'));
    // No head brings control bytes this far.
    else if (!/[\0-\x08\n-\x1f\x7f]/.test(text)) request(text.replace(/^[ \t]+|[ \t]+$/g, ''));
  },
};

function request(line: string): void {
  const stripped = withoutCookie(line, pin);
  const left = stripped === undefined ? line : (stripped ?? '');
  assert.equal(findCookie(left, pin, 'first'), undefined, 'our own cookie is gone');
  for (const reader of readers) {
    for (const name of new Set(Object.values(cookieNames))) {
      // Werkzeug lets a quoted value hold a ';', and a pin in it: whoever sends that changes nobody's session but their own.
      if (reader === 'werkzeug' && line.includes('"')) continue;
      assert.equal(findCookie(left, name, reader), findCookie(line, name, reader), `${name} as ${reader} reads it`);
    }
  }
  for (const preset of presets) {
    const codec = createSessionCodec({ preset, cookie: cookieNames[preset], keys: keysOf(preset), decodedMax: 8 });
    const session = codec.fromRequest(line);
    if (session !== undefined) wellShaped(preset, session);
  }
  const free = createSessionCodec({ preset: 'laravel', cookie: undefined, keys: [appKey], decodedMax: 8 });
  const session = free.fromRequest(line);
  if (session !== undefined) wellShaped('laravel', session);
}

function answer(lines: readonly string[]): void {
  for (const preset of presets) {
    const codec = createSessionCodec({ preset, cookie: cookieNames[preset], keys: keysOf(preset), decodedMax: 8 });
    const change = codec.fromAnswer(lines, nowMs);
    if (change.kind === 'set') {
      wellShaped(preset, change.session);
      assert((change.lifetimeSeconds ?? 1) > 0, 'what is set lives');
    }
    if (change.kind !== 'none')
      assert(
        lines.some((line) => line.includes(change.attributes)),
        'attributes are byte for byte',
      );
  }
  for (const line of lines) {
    const { attributes } = splitSetCookie(line) ?? { attributes: line };
    const endless = withoutLife(attributes);
    assert.deepEqual(readLifetime(endless), { maxAgeSeconds: undefined, untilMs: undefined });
    assert.equal(withoutLife(endless).replace(/;+$/, ''), endless.replace(/;+$/, ''));
    assert(!hasAttribute(endless, 'max-age') && !hasAttribute(endless, 'expires'));
    for (const name of ['httponly', 'secure', 'path'])
      assert.equal(hasAttribute(endless, name), hasAttribute(attributes, name));
  }
}

function wellShaped(preset: Preset, session: SessionId): void {
  assert.equal(parseSessionId(preset, session), session);
  const name = fileNameOf(preset, session);
  assert(name !== undefined && /^[^./\0][^/\0]{0,254}$/.test(name), 'one file of the directory');
  if (preset !== 'flask') assert.equal(sessionOf(preset, name), session);
}
