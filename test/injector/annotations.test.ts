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
