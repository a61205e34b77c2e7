import assert from 'node:assert/strict';
import { test } from 'node:test';

import { presets, type Preset } from '../../src/affinity/session-codec.ts';
import { fileNameOf, fileRules, hasSessionFiles, parseSavePath, sessionOf } from '../../src/sessions/session-name.ts';
import { expressId, laravelId, phpId, sessionId } from './session-sandbox.ts';

const names: readonly [Preset, string, string][] = [
  ['laravel', laravelId, laravelId],
  ['php', phpId, `sess_${phpId}`],
  ['php', 'a', 'sess_a'],
  ['php', 'Az09,-Az09,-Az09,-Az09', 'sess_Az09,-Az09,-Az09,-Az09'],
  ['php', 'a'.repeat(250), `sess_${'a'.repeat(250)}`],
  ['symfony', phpId, `sess_${phpId}`],
  ['codeigniter', 'c0ffee'.padEnd(32, '0'), `ci_session${'c0ffee'.padEnd(32, '0')}`],
  ['express', expressId, `${expressId}.json`],
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

test('each preset either has session files with rules or is known to have none', () => {
  assert.deepEqual(presets.filter(hasSessionFiles), ['laravel', 'php', 'symfony', 'codeigniter', 'express', 'plain']);
  assert.equal(fileNameOf('django', sessionId('a'.repeat(32))), undefined);
  assert.equal(fileRules('php')?.zeroBytesIsASession, true);
  assert.equal(fileRules('laravel')?.zeroBytesIsASession, false);
  assert.equal(fileRules('express')?.writesByRename, true);
});

test("PHP's session.save_path is read with its levels and its mode", () => {
  assert.deepEqual(parseSavePath('/p'), { directory: '/p', depth: 0, mode: undefined });
  assert.deepEqual(parseSavePath('2;/p'), { directory: '/p', depth: 2, mode: undefined });
  assert.deepEqual(parseSavePath('2;0660;/p;q'), { directory: '/p;q', depth: 2, mode: 0o660 });
  assert.deepEqual(parseSavePath('9;/p'), { directory: '9;/p', depth: 0, mode: undefined });
});
