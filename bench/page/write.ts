/** Writes docs/benchmarks.md and its plots from docs/benchmarks/results.json: `make bench-page`. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pageFiles, resultsFile } from './page-files.ts';
import { repositoryRoot } from '../../test/support/processes.ts';
import type { Results } from '../results.ts';

const results = JSON.parse(await readFile(join(repositoryRoot, resultsFile), 'utf8')) as Results;
for (const { file, content } of pageFiles(results)) {
  await mkdir(dirname(join(repositoryRoot, file)), { recursive: true });
  await writeFile(join(repositoryRoot, file), content);
  console.log(file);
}
