/**
 * All requests to all readers, all responses to all clients (`--reader responses`: only those), all upgrades (`--reader upgrades`), and to each as many more as chance makes: `node run.ts [--count N] [--seed N] [--reader NAME]`.
 * Prints what it counted; ends with 1 where anything bad has passed, or anything good was refused.
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { corpusMissing } from '../support/shared-corpus.ts';
import {
  chanceCases,
  chanceResponses,
  inPieces,
  ownCases,
  ownResponses,
  sharedCases,
  sharedResponses,
} from './cases.ts';
import { readers } from './readers.ts';
import { runRound } from './requests.ts';
import { runResponses } from './responses.ts';
import { runUpgrades, upgradeCases } from './upgrades.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string', default: '' },
    /** Behind a sidecar. */
    chain: { type: 'boolean', default: false },
  },
});
if (corpusMissing !== undefined) console.log(`without the corpus: ${corpusMissing}`);
const known = [...ownCases(), ...sharedCases()];
/** As often as a line of the list below may be wrong before it is only counted. */
const shownMax = 20;

const seed = Number(values.seed);
const count = Number(values.count);

async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
  chmodSync(folder, 0o755);
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tell(
  name: string,
  counts: Readonly<Record<string, number>>,
  wrong: Readonly<Record<string, readonly string[]>>,
): void {
  const said = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
  for (const [what, lines] of Object.entries(wrong)) said.push(`${what} ${lines.length}`);
  console.log(`${name}: ${said.join(', ')}`);
  for (const line of Object.values(wrong).flat().slice(0, shownMax)) console.log(`  ${line}`);
  if (Object.values(wrong).flat().length > 0) process.exitCode = 1;
}

for (const reader of readers.filter(({ name }) => name.includes(values.reader))) {
  const cases = inPieces([...known, ...chanceCases(known, seed, count)], 3);
  const { badForwarded, goodRefused, ...counts } = await inFolder((folder) =>
    runRound(reader, cases, { folder, chain: values.chain }),
  );
  tell(values.chain ? `${reader.name}, behind a sidecar` : reader.name, counts, {
    'bad forwarded': badForwarded,
    'good refused': goodRefused,
  });
}

if ('responses'.includes(values.reader)) {
  const all = [...ownResponses(), ...sharedResponses()];
  const cases = inPieces([...all, ...chanceResponses(all, seed, count)], 3);
  const { badPassed, goodRefused, ...counts } = await inFolder((folder) => runResponses(cases, folder));
  tell('responses', counts, { 'bad passed': badPassed, 'good refused': goodRefused });
}

if ('upgrades'.includes(values.reader)) {
  const { chain } = values;
  for (const turn of [0, 1, 2]) {
    const { badPassed, goodRefused, ...counts } = await inFolder((folder) =>
      runUpgrades(upgradeCases(turn), { folder, chain }),
    );
    tell('upgrades', counts, { 'bad passed': badPassed, 'good refused': goodRefused });
  }
}
