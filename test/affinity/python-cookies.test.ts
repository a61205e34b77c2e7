import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import { findDjangoCookie, findWerkzeugCookie, pythonUnquoted } from '../../src/affinity/python-cookies.ts';
import { requireFile } from '../support/processes.ts';

/** For each line of standard input, JSON of a field's bytes: what both frameworks find under the name `s`. */
const program = `
import json, sys
from django.http.cookie import parse_cookie as django_cookies
from werkzeug.http import parse_cookie as werkzeug_cookies
for line in sys.stdin:
    field = json.loads(line)
    django = django_cookies(field.encode('latin1').decode('utf8', 'replace')).get('s')
    print(json.dumps([django, werkzeug_cookies(field).get('s')]))`;

/** Pieces that the readers disagree about, in any order; no control characters: no request with them is legal. */
const piece = fc.constantFrom(
  's',
  '=',
  ';',
  '"',
  ' ',
  '\t',
  '\\',
  '\\"',
  '\\101',
  '\\1',
  'a',
  'Z9',
  's=',
  '; ',
  '="',
  '%41',
  '\xc2\xa0',
  '\xe2\x80\x83',
);

test('Django and Werkzeug themselves find the same cookies in any line', () => {
  requireFile('/usr/lib/python3/dist-packages/django', 'python3-django');
  requireFile('/usr/lib/python3/dist-packages/werkzeug', 'python3-werkzeug');
  const lines = fc
    .sample(fc.array(piece, { maxLength: 14 }), { numRuns: 4000, seed: 4 })
    .map((parts) => parts.join(''));
  const input = lines.map((line) => JSON.stringify(line)).join('\n');
  const output = execFileSync('/usr/bin/python3', ['-c', program], { input, encoding: 'utf8' });
  const found = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as (string | null)[]);
  assert.equal(found.length, lines.length);
  for (const [index, line] of lines.entries()) {
    const [django, werkzeug] = [findDjangoCookie(line, 's'), findWerkzeugCookie(line, 's')].map((value) =>
      value === undefined ? null : pythonUnquoted(value),
    );
    assert.equal(django, found[index]![0], `Django: ${JSON.stringify(line)}`);
    // Before 2.3 Werkzeug trims ASCII alone; a name or value with other space around it is then another one.
    if (/[^\x00-\x7f]/.test(line)) continue;
    // And it takes values with spaces and stray quotes, which newer ones pass over.
    if (/[ \t"]/.test(found[index]![1] ?? '')) continue;
    assert.equal(werkzeug, found[index]![1], `Werkzeug: ${JSON.stringify(line)}`);
  }
});
