/**
 * The byte streams with verdicts in `../shared/corpus`, next to the repository. Read by path, never copied.
 */

import { existsSync, readFileSync } from 'node:fs';

const folder = new URL('../../../shared/corpus/', import.meta.url);

/** Why the corpus can't be read, in one line; undefined: it is there. */
export const corpusMissing: string | undefined = existsSync(folder)
  ? undefined
  : 'no ../shared/corpus next to the repository';

export interface ParsedMessage {
  readonly method?: string;
  readonly target?: string;
  readonly status?: number;
  readonly version: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body_len?: number;
  readonly framing?: 'none' | 'length' | 'chunked' | 'close';
  readonly close?: boolean;
}

export interface CorpusCase {
  readonly id: string;
  readonly bytes: Buffer;
  /** The sends of one connection; a single one in most cases. */
  readonly steps: readonly Buffer[];
  readonly strict: 'accept' | 'reject' | 'incomplete';
  readonly why: string;
  readonly kind: 'request' | 'response';
  /** What a strict reader sees before the verdict; undefined where the corpus does not say. */
  readonly parsed: readonly ParsedMessage[] | undefined;
  /** Responses: the method they answer. */
  readonly requestMethod: string;
  /** false: the last message is not complete. */
  readonly complete: boolean;
}

interface CorpusLine {
  readonly id: string;
  readonly bytes_b64: string;
  readonly steps_b64?: readonly string[];
  readonly strict: CorpusCase['strict'];
  readonly why: string;
  readonly kind: 'request' | 'response';
  readonly parsed?: readonly ParsedMessage[];
  readonly request_method?: string;
  readonly complete?: boolean;
}

/** The lines of one JSON-lines file of the corpus, as they are. */
export function corpusLines(file: string): unknown[] {
  const text = readFileSync(new URL(file, folder), 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as unknown]));
}

/** The byte streams of one file. */
export function corpusCases(file: 'requests.jsonl' | 'requests-bulk.jsonl' | 'responses.jsonl'): CorpusCase[] {
  return (corpusLines(file) as CorpusLine[]).map((line) => {
    const bytes = Buffer.from(line.bytes_b64, 'base64');
    return {
      id: line.id,
      bytes,
      steps: line.steps_b64?.map((step) => Buffer.from(step, 'base64')) ?? [bytes],
      strict: line.strict,
      why: line.why,
      kind: line.kind,
      parsed: line.parsed,
      requestMethod: line.request_method ?? 'GET',
      complete: line.complete ?? true,
    };
  });
}
