/**
 * Responses of a scripted upstream through a real gateway to real clients: what each of them takes for an answer is what a
 * strict reader finds in the upstream's bytes; anything else is a 502, or a cut that each of them sees.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { corpusMissing } from '../support/shared-corpus.ts';
import { chanceResponses, inPieces, ownResponses, sharedResponses } from './cases.ts';
import { responseReaders } from './clients.ts';
import { runResponses } from './responses.ts';

const chanceCount = 60;

test('what clients take for an answer is what the upstream sent as one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const known = [...ownResponses(), ...sharedResponses()];
  const cases = inPieces([...known, ...chanceResponses(known, 1, chanceCount)], 3);
  const { badPassed, goodRefused, ...counts } = await runResponses(cases, folder);
  if (corpusMissing !== undefined) t.diagnostic(`without the corpus: ${corpusMissing}`);
  t.diagnostic(
    `${responseReaders.length} clients, ${counts.cases} responses: good ones read ${counts.read} times, not taken ${counts.notTaken}; bad ones answered 502 ${counts.refused} times, cut ${counts.cut}; the request behind answered ${counts.next} times; ${badPassed.length} bad passed, ${goodRefused.length} good refused`,
  );
  assert.deepEqual(badPassed, []);
  assert.deepEqual(goodRefused, []);
  assert(counts.read > 100 && counts.refused > 100 && counts.next > 100, 'hardly anything was read');
});
