/**
 * All cases to all readers, and to each as many more as chance makes: `node run.ts [--count N] [--seed N] [--reader NAME]`.
 * Prints what it counted; ends with 1 where anything bad was forwarded, or anything good refused.
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { corpusMissing } from '../support/shared-corpus.ts';
import { chanceCases, inPieces, ownCases, sharedCases } from './cases.ts';
import { readers } from './readers.ts';
import { runRound } from './requests.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string', default: '' },
  },
});
if (corpusMissing !== undefined) console.log(`without the corpus: ${corpusMissing}`);
const known = [...ownCases(), ...sharedCases()];
/** As often as a line of the list below may be wrong before it is only counted. */
const shownMax = 20;

for (const reader of readers.filter(({ name }) => name.includes(values.reader))) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
  chmodSync(folder, 0o755);
  try {
    const chance = chanceCases(known, Number(values.seed), Number(values.count));
    const { badForwarded, goodRefused, ...counts } = await runRound(reader, inPieces([...known, ...chance], 3), folder);
    const said = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
    console.log(
      `${reader.name}: ${said.join(', ')}, bad forwarded ${badForwarded.length}, good refused ${goodRefused.length}`,
    );
    for (const line of [...badForwarded, ...goodRefused].slice(0, shownMax)) console.log(`  ${line}`);
    if (badForwarded.length + goodRefused.length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
