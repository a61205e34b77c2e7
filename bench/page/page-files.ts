/** The page and its plots as files, by their places in the repository. */

import { benchmarksPage } from './benchmarks-page.ts';
import { plots } from './plots.ts';
import type { Results } from '../results.ts';

export const resultsFile = 'docs/benchmarks/results.json';

export function pageFiles(results: Results): readonly { readonly file: string; readonly content: string }[] {
  return [
    { file: 'docs/benchmarks.md', content: benchmarksPage(results) },
    ...plots(results).map(({ file, svg }) => ({ file: `docs/benchmarks/${file}`, content: svg })),
  ];
}
