/** What the documentation names is there: files of the repository, and pages it links to. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/processes.ts';

const pages = readdirSync(join(repositoryRoot, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs', name));

function missing(page: string, pattern: RegExp, placeOf: (name: string) => string): readonly string[] {
  const text = readFileSync(join(repositoryRoot, page), 'utf8');
  const names = [...text.matchAll(pattern)].map(([, name = '']) => name);
  return names.filter((name) => !existsSync(join(repositoryRoot, placeOf(name))));
}

for (const page of ['README.md', ...pages]) {
  test(`${page} names only files that exist`, () => {
    const named = /`((?:src|test|bench|docs|examples|manifests)\/[\w./-]*)`/g;
    assert.deepEqual(
      missing(page, named, (name) => name),
      [],
    );
  });

  test(`${page} links only to pages that exist`, () => {
    const linked = /\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g;
    assert.deepEqual(
      missing(page, linked, (name) => join(dirname(page), name)),
      [],
    );
  });
}
