/** The byte streams that clients send: the project's own cases, the corpus, and what chance makes of them. */

import { readdirSync, readFileSync } from 'node:fs';
import { mutated } from '../fuzz/mutate.ts';
import { requestStream, requestWords } from '../fuzz/http1-grammar.ts';
import { parseCases } from '../support/http1-cases.ts';
import { cutAt } from '../support/http1-stream.ts';
import { below, seeded } from '../support/seeded.ts';
import { corpusCases, corpusMissing } from '../support/shared-corpus.ts';
import type { Case } from './ask.ts';

export interface StreamCase extends Case {
  readonly bytes: Buffer;
  /** What the corpus says; undefined: the strict reader alone decides. */
  readonly strict?: 'accept' | 'reject' | 'incomplete';
}

const folder = new URL('../http1/cases/', import.meta.url);

/** The requests of test/http1/cases. */
export function ownCases(): StreamCase[] {
  return readdirSync(folder)
    .flatMap((file) => parseCases(readFileSync(new URL(file, folder), 'utf8')))
    .filter(({ kind }) => kind === 'request')
    .map(({ promise, stream }) => ({ id: promise, bytes: stream, pieces: [stream] }));
}

/** The corpus' requests; none where it is not there. */
export function sharedCases(): StreamCase[] {
  if (corpusMissing !== undefined) return [];
  return (['requests.jsonl', 'requests-bulk.jsonl'] as const).flatMap((file) =>
    corpusCases(file).map(({ id, bytes, steps, strict }) => ({ id, bytes, pieces: steps, strict })),
  );
}

/** New ones, the same for the same seed: half by the grammar, half from `from`. */
export function chanceCases(from: readonly StreamCase[], seed: number, count: number): StreamCase[] {
  const chance = seeded(seed);
  const pool = from.map(({ bytes }) => bytes).filter(({ length }) => length < 2000);
  const words = requestWords.map((word) => Buffer.from(word, 'latin1'));
  return Array.from({ length: count }, (_, index) => {
    const made = Buffer.from(requestStream(chance), 'latin1');
    const bytes = chance() < 0.5 ? made : mutated(pool[below(chance, pool.length)]!, { pool, words }, chance);
    return { id: `chance ${seed} ${index}`, bytes, pieces: [bytes] };
  });
}

/** The same cases in pieces: every `nth` of them cut around its CR, LF, colons and semicolons, or byte by byte. */
export function inPieces(cases: readonly StreamCase[], nth: number): StreamCase[] {
  return cases.map((entry, index) => (index % nth === nth - 1 ? { ...entry, pieces: pieces(entry.bytes) } : entry));
}

const piecesMax = 200;

function pieces(bytes: Buffer): Buffer[] {
  const places: number[] = [];
  for (let at = 0; at < bytes.length && places.length < piecesMax; at++) {
    if (bytes.length <= piecesMax || [10, 13, 58, 59].includes(bytes[at]!)) places.push(at, at + 1);
  }
  return cutAt(bytes, places);
}
