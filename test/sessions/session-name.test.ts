import assert from 'node:assert/strict';
import { test } from 'node:test';

import { presets, type Preset } from '../../src/affinity/session-codec.ts';
import { type FileRules, fileNameOf, fileRules, parseSavePath, sessionOf } from '../../src/sessions/session-name.ts';
import { expressId, laravelId, phpId, sessionId } from './session-sandbox.ts';

const djangoId = sessionId('0123456789abcdefghijklmnopqrstuv');
const tomcatId = '51AD11AEFC681BD7C2D627C34D742B72';

const names: readonly [Preset, string, string][] = [
  ['laravel', laravelId, laravelId],
  ['php', phpId, `sess_${phpId}`],
  ['php', 'a', 'sess_a'],
  ['php', 'Az09,-Az09,-Az09,-Az09', 'sess_Az09,-Az09,-Az09,-Az09'],
  ['php', 'a'.repeat(250), `sess_${'a'.repeat(250)}`],
  ['symfony', phpId, `sess_${phpId}`],
  ['codeigniter', 'c0ffee'.padEnd(32, '0'), `ci_session${'c0ffee'.padEnd(32, '0')}`],
  ['express', expressId, `${expressId}.json`],
  ['django', djangoId, `sessionid${djangoId}`],
  ['jsessionid', tomcatId, `${tomcatId}.session`],
  ['jsessionid', `${tomcatId}.node-1`, `${tomcatId}.node-1.session`],
  ['plain', 'session.1~x', 'session.1~x'],
];

for (const [preset, id, fileName] of names) {
  test(`${preset}: the id ${id.slice(0, 12)} and its file name lead to each other`, () => {
    assert.equal(fileNameOf(preset, sessionId(id)), fileName);
    assert.equal(sessionOf(preset, fileName), id);
  });
}

const strangers: readonly [Preset, string][] = [
  ['laravel', 'a'.repeat(39)],
  ['laravel', 'a'.repeat(41)],
  ['laravel', '-'.repeat(40)],
  ['laravel', `../${'a'.repeat(37)}`],
  ['php', ''],
  ['php', '../../etc/passwd'],
  ['php', 'a/b'],
  ['php', 'a\0b'],
  ['php', 'a.b'],
  ['php', 'é'],
  ['php', 'a\n'],
  ['php', 'a'.repeat(251)],
  ['codeigniter', 'C0FFEE'.padEnd(32, '0')],
  ['codeigniter', '0'.repeat(64)],
  ['express', '../../x'],
  ['express', `${expressId}x`],
  ['django', 'a'.repeat(31)],
  ['django', `../${'a'.repeat(29)}`],
  ['django', 'A'.repeat(32)],
  ['flask', ''],
  ['flask', '../../x'],
  ['flask', 'a.b'],
  ['jsessionid', 'a'.repeat(15)],
  ['jsessionid', `../${tomcatId}`],
  ['jsessionid', `${tomcatId}.`],
  ['jsessionid', `.${tomcatId}`],
  ['jsessionid', `${tomcatId}.a.b`],
  ['jsessionid', `${tomcatId}/x`],
  ['plain', '.'],
  ['plain', '..'],
  ['plain', '.holdfast'],
  ['plain', 'a/b'],
];

for (const [preset, id] of strangers) {
  test(`${preset}: ${JSON.stringify(id.slice(0, 24))} never becomes a file name`, () => {
    assert.equal(fileNameOf(preset, sessionId(id)), undefined);
  });
}

test("files that are no session's are not taken for one", () => {
  for (const fileName of ['.gitignore', '.holdfast', `${laravelId}.tmp`, `x${laravelId}`, '']) {
    assert.equal(sessionOf('laravel', fileName), undefined);
  }
  for (const fileName of [phpId, 'sess_', 'sess_a.b', 'SESS_a', 'xsess_a'])
    assert.equal(sessionOf('php', fileName), undefined);
  for (const fileName of [`sessionid${djangoId}_out_k3v0x9`, djangoId, `sessionid${djangoId}x`, 'sessionid']) {
    assert.equal(sessionOf('django', fileName), undefined);
  }
  for (const fileName of [tomcatId, `${tomcatId}.session.1`, '.session', `${tomcatId}.ser`]) {
    assert.equal(sessionOf('jsessionid', fileName), undefined);
  }
  for (const fileName of [expressId, `${expressId}.json.1234`, '.json', `${expressId}.jsonx`]) {
    assert.equal(sessionOf('express', fileName), undefined);
  }
});

test('a file that is named after the session cookie follows the configured name', () => {
  const id = sessionId('c0ffee'.padEnd(32, '0'));
  assert.equal(fileNameOf('codeigniter', id, { cookie: 'shop' }), `shop${id}`);
  assert.equal(sessionOf('codeigniter', `shop${id}`, { cookie: 'shop' }), id);
  assert.equal(sessionOf('codeigniter', `ci_session${id}`, { cookie: 'shop' }), undefined);
  assert.equal(fileNameOf('codeigniter', id, { cookie: 's'.repeat(224) }), undefined, 'too long for a file');
});

test("CodeIgniter's files with matchIP are strangers", () => {
  assert.equal(sessionOf('codeigniter', `ci_session${'0'.repeat(32)}${'1'.repeat(32)}`), undefined);
});

test('zero bytes are a session for PHP alone, and what is renamed into place needs no lock', () => {
  const which = (holds: (rules: FileRules) => boolean) => presets.filter((preset) => holds(fileRules(preset)));
  assert.deepEqual(
    which((rules) => rules.zeroBytesIsASession),
    ['php', 'symfony', 'codeigniter'],
  );
  assert.deepEqual(
    which((rules) => rules.guard === 'rename'),
    ['django', 'flask', 'express'],
  );
});

test("Django's files are named after the cookie, as SESSION_COOKIE_NAME is", () => {
  const options = { cookie: 'shop_id' };
  assert.equal(fileNameOf('django', djangoId, options), `shop_id${djangoId}`);
  assert.equal(sessionOf('django', `shop_id${djangoId}`, options), djangoId);
  assert.equal(sessionOf('django', `sessionid${djangoId}`, options), undefined);
});

test("Flask's file names are digests: no name leads to an id, so none in the directory is taken for a session", () => {
  assert.equal(fileNameOf('flask', sessionId('abc'), { hash: 'md5' }), '32607b0dcb9d5a58fbe913b473137833');
  assert.match(fileNameOf('flask', sessionId('abc')) ?? '', /^[0-9a-f]{64}$/);
  for (const fileName of ['32607b0dcb9d5a58fbe913b473137833', '2029240f6d1128be89ddc32729463129', 'abc']) {
    assert.equal(sessionOf('flask', fileName), undefined);
  }
});

test("PHP's session.save_path is read with its levels and its mode", () => {
  assert.deepEqual(parseSavePath('/p'), { directory: '/p', depth: 0, mode: undefined });
  assert.deepEqual(parseSavePath('2;/p'), { directory: '/p', depth: 2, mode: undefined });
  assert.deepEqual(parseSavePath('2;0660;/p;q'), { directory: '/p;q', depth: 2, mode: 0o660 });
  assert.deepEqual(parseSavePath('9;/p'), { directory: '9;/p', depth: 0, mode: undefined });
});
