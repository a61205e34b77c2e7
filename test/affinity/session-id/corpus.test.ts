/**
 * Every line of ../shared/corpus/session-vectors.jsonl that is about ids and cookies. Lines about files (names,
 * directories, temporary files) belong to test/sessions; the list below names them, so that none is left out silently.
 */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { createSessionCodec } from '../../../src/affinity/preset-codec.ts';
import type { Preset } from '../../../src/affinity/session-codec.ts';
import { parseSessionId } from '../../../src/affinity/session-id/presets.ts';
import { corpusLines, corpusMissing } from '../../support/shared-corpus.ts';

interface Vector {
  readonly id: string;
  readonly framework: string;
  readonly given: string | readonly string[];
  readonly expect: string;
  readonly why: string;
}

const presetOf: Readonly<Record<string, Preset>> = {
  php: 'php',
  laravel: 'laravel',
  django: 'django',
  'flask-session/cachelib': 'flask',
  'express-session': 'express',
  'session-file-store': 'express',
  codeigniter4: 'codeigniter',
};

/** About files, or about what PHP does with a missing one; or a framework without a preset. */
const elsewhere = new Set([
  'php-depth-short',
  'php-missing-file-nonstrict',
  'php-missing-file-strict',
  'django-temp',
  'flask-count',
  'flask-temp',
  'express-ext',
  'gorilla-traversal',
  'fatfree-traversal',
]);

if (corpusMissing !== undefined) test('session ids of the corpus', { skip: corpusMissing }, () => undefined);
else for (const vector of corpusLines('session-vectors.jsonl') as Vector[]) check(vector);

function check(vector: Vector): void {
  if (elsewhere.has(vector.id)) return;
  const preset = presetOf[vector.framework];
  test(`${vector.id}: ${vector.why} (${vector.expect})`, () => {
    assert.ok(preset !== undefined, `a framework nobody reads: ${vector.framework}`);
    if (vector.id.startsWith('php-cookie-')) checkPhpCookie(vector);
    else if (vector.id === 'laravel-cookie') checkOpaque();
    else if (vector.id === 'express-cookie') checkExpress(vector);
    else checkId(vector, preset);
  });
}

function checkId(vector: Vector, preset: Preset): void {
  const given = typeof vector.given === 'string' ? vector.given : vector.given[0]!;
  assert.equal(parseSessionId(preset, given), vector.expect === 'accept' ? given : undefined);
}

function checkPhpCookie(vector: Vector): void {
  const codec = createSessionCodec({ preset: 'php', cookie: undefined, keys: [] });
  // Two lines become the one that cli-server makes of them; Holdfast itself joins with "; ".
  const line = typeof vector.given === 'string' ? vector.given : vector.given.map((each) => each.slice(8)).join(', ');
  assert.equal(codec.fromRequest(line), vector.expect === 'new id' ? undefined : vector.expect);
}

/** The value alone, without the key, names no session. */
function checkOpaque(): void {
  const codec = createSessionCodec({ preset: 'laravel', cookie: 'laravel_session', keys: ['0123456789abcdef'] });
  assert.equal(codec.fromRequest('laravel_session=eyJpdiI6'), undefined);
  assert.equal(codec.fromRequest(`laravel_session=${'a'.repeat(40)}`), undefined);
}

function checkExpress(vector: Vector): void {
  const codec = createSessionCodec({ preset: 'express', cookie: undefined, keys: ['keyboard cat'] });
  const id = /s%3A(.{32})\./.exec(vector.given as string)![1]!;
  const signature = createHmac('sha256', 'keyboard cat').update(id).digest('base64').replace(/=+$/, '');
  const line = (vector.given as string).replace(/<.*>/, encodeURIComponent(signature));
  assert.equal(codec.fromRequest(line), id);
  assert.equal(codec.fromRequest(line.replace('s%3A', 's%3Ax')), undefined);
}
