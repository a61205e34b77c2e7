/**
 * The project's own cases (cases/*.md), each fed in four cuts, and once more with bytes behind it: a verdict stands
 * whatever follows. How the files are written: ../support/http1-cases.ts.
 */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { outcome, parseCases, type StreamCase } from '../support/http1-cases.ts';
import { usualCuts } from '../support/http1-stream.ts';

const folder = new URL('cases/', import.meta.url);
const next = Buffer.from('GET /next HTTP/1.1\r\nHost: next\r\n\r\n', 'latin1');

for (const file of readdirSync(folder)) {
  describe(`cases/${file}`, () => {
    for (const entry of parseCases(readFileSync(new URL(file, folder), 'utf8'))) {
      test(entry.promise, () => {
        for (const [how, pieces] of usualCuts(entry.stream)) assert.equal(outcome(entry, pieces), entry.gives, how);
        const expected = withNext(entry);
        if (expected === undefined) return;
        for (const [how, pieces] of usualCuts(Buffer.concat([entry.stream, next]))) {
          assert.equal(outcome(entry, pieces), expected, `${how}, with another request behind it`);
        }
      });
    }
  });
}

/** What the case gives with one more request behind it; undefined where that request would be part of it. */
function withNext({ kind, gives }: StreamCase): string | undefined {
  const last = gives.split('\n').at(-1) ?? '';
  if (last.startsWith('refused ')) return gives;
  if (last === 'waits' || last.endsWith('goes-on') || last.startsWith('  ')) return undefined;
  const surplus = /^surplus (\d+)$/.exec(last);
  if (surplus !== null) return gives.replace(/\d+$/, (bytes) => `${Number(bytes) + next.length}`);
  const goesOn = kind === 'request' && / keeps(?: |$)/.test(last);
  return `${gives}\n${goesOn ? 'GET "/next" host=next none keeps' : `surplus ${next.length}`}`;
}
