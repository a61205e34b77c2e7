/**
 * Requests through a real gateway to real readers: what each of them saw is what a strict reader finds in the client's
 * bytes, no more, no less, and nothing else. Every case meets one reader here, the legal ones three; `make differential`
 * shows all to all.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { corpusMissing } from '../support/shared-corpus.ts';
import { chanceCases, inPieces, ownCases, sharedCases, type StreamCase } from './cases.ts';
import { readers } from './readers.ts';
import { runRound } from './requests.ts';

const chanceCasesEach = 100;
const known = [...ownCases(), ...sharedCases()];
/** The same in every run; `make differential SEED=` takes others. */
const seed = 1;
/** Enough for any legal case to meet three readers. */
const third = Math.ceil(readers.length / 3);

function share(reader: number): StreamCase[] {
  const mine = known.filter(({ strict }, index) =>
    strict === 'accept' ? index % third === reader % third : index % readers.length === reader,
  );
  return inPieces([...mine, ...chanceCases(known, seed, chanceCasesEach)], 8);
}

describe('what readers see is what was sent', { concurrency: 2 }, () => {
  for (const [index, reader] of readers.entries()) {
    test(`${reader.name} sees exactly the requests that are legal`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      chmodSync(folder, 0o755);
      const { badForwarded, goodRefused, ...counts } = await runRound(reader, share(index), { folder });
      if (corpusMissing !== undefined) t.diagnostic(`without the corpus: ${corpusMissing}`);
      t.diagnostic(
        `${reader.name}, chance ${seed}: ${counts.cases} streams, ${counts.legal} legal requests, ${counts.forwarded} forwarded, ${counts.seen} seen, ${counts.notTaken} not taken by it, ${counts.refused} streams refused, ${badForwarded.length} bad forwarded, ${goodRefused.length} good refused`,
      );
      assert.deepEqual(badForwarded, []);
      assert.deepEqual(goodRefused, []);
      assert(counts.seen > 20, 'hardly anything was seen');
    });
  }
});

/** Their cases together are all there are; which two is no matter: what leaves the sidecar is what is looked at. */
const behindSidecar = ['node:http', 'php -S'];

describe('what readers behind a sidecar see is what was sent to the gateway', { concurrency: 2 }, () => {
  for (const [index, name] of behindSidecar.entries()) {
    test(`${name} behind gateway and sidecar sees exactly the requests that are legal`, async (t) => {
      const reader = readers.find((each) => each.name.startsWith(name));
      assert(reader !== undefined);
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      chmodSync(folder, 0o755);
      const mine = known.filter((_, number) => number % behindSidecar.length === index);
      const cases = inPieces([...mine, ...chanceCases(known, seed + 1 + index, chanceCasesEach)], 8);
      const { badForwarded, goodRefused, ...counts } = await runRound(reader, cases, { folder, chain: true });
      t.diagnostic(
        `${reader.name} behind a sidecar: ${counts.cases} streams, ${counts.legal} legal requests, ${counts.forwarded} forwarded, ${counts.seen} seen, ${counts.notTaken} not taken by it, ${counts.refused} streams refused, ${badForwarded.length} bad forwarded, ${goodRefused.length} good refused`,
      );
      assert.deepEqual(badForwarded, []);
      assert.deepEqual(goodRefused, []);
      assert(counts.seen > 20, 'hardly anything was seen');
    });
  }
});
