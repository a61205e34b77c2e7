/** The byte streams that clients and upstreams send: the project's own cases, the corpus, and what chance makes of them. */

import { readdirSync, readFileSync } from 'node:fs';
import { mutated } from '../fuzz/mutate.ts';
import { requestStream, requestWords, responseStream, responseWords } from '../fuzz/http1-grammar.ts';
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

/** What an upstream answers to one request. */
export interface ResponseCase extends StreamCase {
  readonly method: 'GET' | 'HEAD';
}

function answering(method: string): 'GET' | 'HEAD' {
  return method === 'HEAD' ? 'HEAD' : 'GET';
}

/** The responses of test/http1/cases; an upgrade is asked for by nobody here. */
export function ownResponses(): ResponseCase[] {
  return readdirSync(folder)
    .flatMap((file) => parseCases(readFileSync(new URL(file, folder), 'utf8')))
    .filter(({ kind, words }) => kind === 'response' && !words.includes('CONNECT'))
    .map(({ promise, stream, words }) => ({
      id: promise,
      bytes: stream,
      pieces: [stream],
      method: answering(words.includes('HEAD') ? 'HEAD' : 'GET'),
    }));
}

/** The corpus' responses, without those to CONNECT, which is never sent. */
export function sharedResponses(): ResponseCase[] {
  if (corpusMissing !== undefined) return [];
  return corpusCases('responses.jsonl')
    .filter(({ requestMethod }) => requestMethod !== 'CONNECT')
    .map(({ id, bytes, steps, requestMethod, strict }) => ({
      id,
      bytes,
      pieces: steps,
      strict,
      method: answering(requestMethod),
    }));
}

/** New ones, the same for the same seed: half by the grammar, half from `from`. */
export function chanceResponses(from: readonly ResponseCase[], seed: number, count: number): ResponseCase[] {
  const chance = seeded(seed);
  const pool = from.map(({ bytes }) => bytes).filter(({ length }) => length < 2000);
  const words = responseWords.map((word) => Buffer.from(word, 'latin1'));
  return Array.from({ length: count }, (_, index) => {
    // Without the fuzzer's first byte, which says what is asked.
    const made = Buffer.from(responseStream(chance).replace(/^[\0-\x02]/, ''), 'latin1');
    const bytes = chance() < 0.4 ? made : mutated(pool[below(chance, pool.length)]!, { pool, words }, chance);
    const method = chance() < 0.85 ? 'GET' : 'HEAD';
    return { id: `chance ${seed} ${index}`, bytes, pieces: [bytes], method };
  });
}

/** The same cases in pieces: every `nth` of them cut around its CR, LF, colons and semicolons, or byte by byte. */
export function inPieces<Of extends StreamCase>(cases: readonly Of[], nth: number): Of[] {
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
