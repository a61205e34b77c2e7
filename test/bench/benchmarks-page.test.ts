/** The page of benchmarks is its results and nothing else. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pageFiles, resultsFile } from '../../bench/page/page-files.ts';
import type { Results } from '../../bench/results.ts';
import { repositoryRoot } from '../support/processes.ts';

const results = JSON.parse(readFileSync(join(repositoryRoot, resultsFile), 'utf8')) as Results;
const files = pageFiles(results);

test('docs/benchmarks.md and its plots are what the results say (make bench-page writes them)', () => {
  for (const { file, content } of files) {
    assert.ok(existsSync(join(repositoryRoot, file)), `${file} is there`);
    assert.equal(readFileSync(join(repositoryRoot, file), 'utf8'), content, file);
  }
});

test('there is no plot that the results do not give, and the page shows each', () => {
  const drawn = readdirSync(join(repositoryRoot, 'docs/benchmarks')).filter((name) => name.endsWith('.svg'));
  const given = files.map(({ file }) => file.replace('docs/benchmarks/', '')).filter((name) => name.endsWith('.svg'));
  assert.deepEqual(drawn.sort(), given.sort());
  const page = files.find(({ file }) => file === 'docs/benchmarks.md')!.content;
  for (const name of given) assert.ok(page.includes(`(benchmarks/${name})`), name);
});
