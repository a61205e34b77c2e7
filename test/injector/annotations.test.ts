import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { presetDefaults } from '../../src/config/presets.ts';
import { keys } from '../../src/config/keys.ts';
import { annotationProblem, annotations } from '../../src/injector/annotations.ts';
import { needed } from '../../src/injector/application-keys.ts';
import { injectorPage } from '../../src/injector/reference.ts';

test('docs/injector.md is what the tables say (make docs writes it)', () => {
  assert.equal(readFileSync(new URL('../../docs/injector.md', import.meta.url), 'utf8'), injectorPage());
});

test("an annotation that becomes a variable names a key's", () => {
  const known = new Set(keys.map(({ environment }) => environment));
  const named = Object.values(annotations).flatMap(({ environment }) => environment ?? []);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
  assert.ok(named.length > 5);
});

test('every default is a value that the annotation takes', () => {
  for (const [name, { standard }] of Object.entries(annotations)) {
    if (standard !== undefined) assert.equal(annotationProblem(name, standard), undefined, name);
  }
});

test('the presets that need keys here are those of the configuration', () => {
  const theirs = Object.entries(presetDefaults).flatMap(([name, { needsKeys }]) => (needsKeys ? [name] : []));
  assert.deepEqual([...needed].sort(), theirs.sort());
});

test('a user or group is a number that the API server takes', () => {
  for (const name of ['uid', 'gid']) {
    for (const value of ['0', '33', '999999999', '1999999999', '2147483647'])
      assert.equal(annotationProblem(name, value), undefined, value);
    for (const value of ['2147483648', '2147483650', '2200000000', '9999999999', '-1', '01'])
      assert.notEqual(annotationProblem(name, value), undefined, value);
  }
});
