/** The shared corpus: every stream of it, cut in four ways, with one verdict. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { closeReasons } from '../../src/base/close-reasons.ts';
import type { RequestHead } from '../../src/http1/request-head.ts';
import type { ResponseHead } from '../../src/http1/response-head.ts';
import {
  readRequests,
  readResponses,
  type StreamMessage,
  type StreamResult,
  usualCuts,
} from '../support/http1-stream.ts';
import { type CorpusCase, corpusCases, corpusMissing, type ParsedMessage } from '../support/shared-corpus.ts';

type AnyHead = RequestHead | ResponseHead;

/** Answers that judge no syntax: right for a stream that the corpus accepts, too. */
const policyStatuses: readonly number[] = [414, 417, 431, 501];

for (const file of ['requests.jsonl', 'requests-bulk.jsonl'] as const) {
  describe(`the corpus ${file}`, { skip: corpusMissing ?? false }, () => {
    for (const entry of corpusMissing === undefined ? corpusCases(file) : []) {
      test(`${entry.strict} ${entry.id}`, () => {
        const results = [...usualCuts(entry.bytes), ['as sent', [...entry.steps]] as const].map(
          ([how, pieces]) => [how, readRequests(pieces)] as const,
        );
        for (const [how, result] of results) assert.deepEqual(result, results[0]![1], how);
        judge(entry, results[0]![1]);
      });
    }
  });
}

describe('the corpus responses.jsonl', { skip: corpusMissing ?? false }, () => {
  for (const entry of corpusMissing === undefined ? corpusCases('responses.jsonl') : []) {
    test(`${entry.strict} ${entry.id}`, () => {
      const results = usualCuts(entry.bytes).map(
        ([how, pieces]) => [how, readResponses(pieces, { method: entry.requestMethod })] as const,
      );
      for (const [how, result] of results) assert.deepEqual(result, results[0]![1], how);
      judge(entry, results[0]![1]);
    });
  }
});

function judge(entry: CorpusCase, result: StreamResult<AnyHead>): void {
  const { messages, refused } = result;
  const row: { readonly status?: number } | undefined = refused === undefined ? undefined : closeReasons[refused];
  const expected = entry.parsed ?? [];
  switch (entry.strict) {
    case 'reject':
      assert(refused !== undefined, `forwarded: ${entry.why}`);
      assert(
        (entry.kind === 'response' ? [502] : rightStatuses(entry.why)).includes(row?.status ?? 0),
        `${row?.status ?? 0}: ${entry.why}`,
      );
      if (entry.parsed !== undefined) assert(messages.length <= expected.length, entry.why);
      break;
    case 'accept':
      if (refused !== undefined && isPolicy(row?.status, expected[messages.length])) return;
      assert.equal(refused, undefined, entry.why);
      assert.equal(messages.length, expected.length, entry.why);
      for (const [index, message] of messages.entries()) compare(message, expected[index]!);
      assert.equal(
        messages.every((message) => message.complete || message.head.framing.kind === 'close'),
        entry.complete,
        entry.why,
      );
      break;
    case 'incomplete':
      assert(
        messages.every((message) => !message.complete || ('status' in message.head && message.head.status < 200)),
        entry.why,
      );
  }
}

/** What a refused request is answered. */
function rightStatuses(why: string): readonly number[] {
  if (why.startsWith('over a size limit')) return [414, 431];
  // A limit may be met before the fault is.
  return why.startsWith('major version is not 1') ? [505] : [400, 414, 431];
}

function isPolicy(status: number | undefined, next: ParsedMessage | undefined): boolean {
  if (status !== undefined && policyStatuses.includes(status)) return true;
  return status === 502 && next !== undefined && hasForeignCoding(next);
}

/** A transfer coding besides chunked: nobody here asked for one, and it can't be taken off (502 is allowed for it). */
function hasForeignCoding(message: ParsedMessage): boolean {
  return message.fields.some(
    ([name, value]) => name.toLowerCase() === 'transfer-encoding' && value.toLowerCase() !== 'chunked',
  );
}

function compare(message: StreamMessage<AnyHead>, expected: ParsedMessage): void {
  const { head } = message;
  if ('method' in head) {
    assert.equal(head.method, expected.method);
    assert.equal(head.target, reduced(expected));
    if (expected.close !== undefined) assert.equal(!head.keepAlive, expected.close);
  } else {
    assert.equal(head.status, expected.status);
    if (expected.close !== undefined) assert.equal(!head.keepAlive, expected.close);
  }
  assert.equal(head.minor, expected.version === '1.0' ? 0 : 1);
  assert.deepEqual(
    head.fields.map(({ name, value }) => [name, value]),
    expected.fields,
  );
  if (message.complete && expected.body_len !== undefined) assert.equal(message.body.length, expected.body_len);
  // A Content-Length of 0 frames no body: we call that 'none'.
  const framing = expected.framing === 'length' && expected.body_len === 0 ? 'none' : expected.framing;
  if (framing !== undefined) assert.equal(head.framing.kind, framing);
}

function reduced({ method, target }: ParsedMessage): string | undefined {
  const rest = target === undefined ? undefined : /^https?:\/\/[^/?]*(.*)$/i.exec(target)?.[1];
  if (rest === undefined) return target;
  if (rest === '' && method === 'OPTIONS') return '*';
  return rest.startsWith('/') ? rest : `/${rest}`;
}
