/** What can be held of the house style by looking at the files. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceFiles } from './source-files.ts';

const linesMax = 350;
const files = sourceFiles();

function offenders(offends: (file: (typeof files)[number]) => boolean): readonly string[] {
  return files.filter(offends).map((file) => file.path);
}

test(`no source file has more than ${linesMax} lines`, () => {
  assert.deepEqual(
    offenders((file) => file.text.split('\n').length - 1 > linesMax),
    [],
  );
});

test('every source file opens with a comment that says what it is for', () => {
  assert.deepEqual(
    offenders((file) => !/^(?:#!.*\n)?\/\*\*[\s\S]{20,}?\*\//.test(file.text)),
    [],
  );
});

test('only cli.ts ends the process', () => {
  assert.deepEqual(
    offenders((file) => file.path !== 'cli.ts' && /\bprocess\.(?:exit|abort|reallyExit)\(/.test(file.text)),
    [],
  );
});

test('file names are kebab-case, and none is a drawer for odds and ends', () => {
  const drawers = /(?:^|\/)(?:index|utils?|types|helpers?|misc|common)\.ts$/;
  assert.deepEqual(
    offenders(
      (file) =>
        drawers.test(file.path) || !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/.test(file.path),
    ),
    [],
  );
});

test('no check of the compiler or the linter is switched off', () => {
  assert.deepEqual(
    offenders((file) => /@ts-(?:ignore|expect-error|nocheck)|eslint-disable|prettier-ignore/.test(file.text)),
    [],
  );
});
