/** A client's stream: one verdict however it is cut, the same as another reader's, and what is forwarded reads back. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { forwardRequestHead } from '../../../src/http1/forward-head.ts';
import type { RequestHead } from '../../../src/http1/request-head.ts';
import { parseCases } from '../../support/http1-cases.ts';
import { readRequests, type StreamMessage, usualLimits } from '../../support/http1-stream.ts';
import { type ReadRequest, strictRequests } from '../../support/strict-reader.ts';
import type { Target } from '../fuzzer.ts';
import { agrees, cutLike, sameMessage } from '../http1-agreement.ts';
import { requestStream, requestWords } from '../http1-grammar.ts';

const folder = new URL('../../http1/cases/', import.meta.url);

/** The streams of test/http1/cases. */
export function caseStreams(kind: 'request' | 'response'): Buffer[] {
  return readdirSync(folder)
    .flatMap((file) => parseCases(readFileSync(new URL(file, folder), 'utf8')))
    .filter((entry) => entry.kind === kind && entry.stream.length < 4096)
    .map((entry) => entry.stream);
}

/** More fields than an input has room for; targets and heads are bounded by the input's length. */
const options = { limits: { ...usualLimits, fields: 0 } };

export const http1Requests: Target = {
  name: 'http1-requests',
  seeds: caseStreams('request'),
  words: requestWords,
  generate: requestStream,
  turnsPerByte: 2000,
  run(input) {
    const result = readRequests([input], options);
    assert.deepEqual(readRequests(cutLike(input), options), result, 'how it is cut');
    const reading = strictRequests(input.toString('latin1'));
    agrees(result, reading);
    for (const [index, message] of result.messages.entries()) {
      const other = reading.messages[index]!;
      sameMessage(message, other);
      const { head } = message;
      assert.deepEqual(
        [head.method, head.target, head.host, head.cookie, head.keepAlive],
        [other.method, other.target, other.host, other.cookie, other.keepAlive],
      );
      if (message.complete) readsBack(message, other);
    }
  },
};

function readsBack({ head, body }: StreamMessage<RequestHead>, seen: ReadRequest): void {
  for (const forwarded of ['replace', 'append', 'keep'] as const) {
    const text = forwardRequestHead(head, {
      cookie: undefined,
      forwarded,
      client: { address: '192.0.2.1', secure: false },
      requestId: 'id',
      newTraceParent: () => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
      added: [['x-holdfast-from', 'us']],
    });
    const framed =
      head.framing.kind === 'chunked'
        ? `${body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`}0\r\n\r\n`
        : body;
    const { messages, verdict } = strictRequests(text + framed);
    assert.equal(verdict, 'clean', 'what is forwarded is legal');
    assert.equal(messages.length, 1);
    const [next] = messages;
    assert.deepEqual(
      [next!.method, next!.target, next!.host, next!.body, next!.complete, next!.cookie, next!.minor],
      [seen.method, seen.target, seen.host, seen.body, true, seen.cookie, 1],
    );
    onlyItsFields(next!, seen);
  }
}

/** Nothing that says who we are or how it is framed comes from outside, and nothing is read as such by its spelling. */
function onlyItsFields(next: ReadRequest, seen: ReadRequest): void {
  const internal = next.fields.filter(([name]) => /^x-holdfast-/i.test(name));
  assert.deepEqual(internal, [['x-holdfast-from', 'us']]);
  for (const [name, value] of next.fields) {
    assert(!/[_.]|^(?:te|keep-alive|proxy|proxy-connection)$/i.test(name), `${name} is forwarded`);
    const ours =
      /^(?:host|cookie|content-length|transfer-encoding|connection|upgrade|forwarded|x-forwarded-\w+|x-request-id|traceparent|x-holdfast-from)$/i;
    if (!ours.test(name))
      assert(
        seen.fields.some(([n, v]) => n === name && v === value),
        `${name} came from nowhere`,
      );
  }
}
