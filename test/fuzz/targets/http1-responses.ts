/** An upstream's answer: one verdict however it is cut, the same as another reader's, and what is forwarded reads back. */

import assert from 'node:assert/strict';
import { type ClientFraming, forwardResponseHead } from '../../../src/http1/forward-response-head.ts';
import type { ResponseHead } from '../../../src/http1/response-head.ts';
import { readResponses, type StreamMessage, usualLimits } from '../../support/http1-stream.ts';
import { type ReadResponse, strictResponses } from '../../support/strict-reader.ts';
import type { Target } from '../fuzzer.ts';
import { agrees, cutLike, sameMessage } from '../http1-agreement.ts';
import { responseStream, responseWords } from '../http1-grammar.ts';
import { caseStreams } from './http1-requests.ts';

export const http1Responses: Target = {
  name: 'http1-responses',
  seeds: caseStreams('response').flatMap((stream) => [stream, Buffer.concat([Buffer.of(1), stream])]),
  words: responseWords,
  generate: responseStream,
  turnsPerByte: 2000,
  // A first byte below 3 says what the answer is for.
  run(input) {
    const kind = (input[0] ?? 3) < 3 ? input[0] : undefined;
    const bytes = kind === undefined ? input : input.subarray(1);
    const sent =
      kind === 1 ? { method: 'HEAD' } : kind === 2 ? { method: 'GET', upgrade: 'websocket, x' } : { method: 'GET' };
    const asked = { ...sent, limits: { ...usualLimits, fields: 0 } };
    const result = readResponses([bytes], asked);
    assert.deepEqual(readResponses(cutLike(bytes), asked), result, 'how it is cut');
    const reading = strictResponses(bytes.toString('latin1'), asked);
    agrees(result, reading);
    for (const [index, message] of result.messages.entries()) {
      const other = reading.messages[index]!;
      sameMessage(message, other);
      assert.deepEqual([message.head.status, message.head.phrase], [other.status, other.phrase]);
      if (message.head.status >= 200) assert.equal(message.head.keepAlive, other.keepAlive);
      if (message.complete) readsBack(message, other, asked);
    }
  },
};

function readsBack(
  { head, body }: StreamMessage<ResponseHead>,
  seen: ReadResponse,
  asked: { readonly method: string; readonly upgrade?: string },
): void {
  const framings: ClientFraming[] = [{ kind: 'as-is' }, { kind: 'chunked' }, { kind: 'length', length: body.length }];
  for (const framing of head.status < 200 ? framings.slice(0, 1) : framings) {
    const text = forwardResponseHead(head, {
      added: [],
      framing,
      clientMinor: 1,
      closing: head.framing.kind === 'close',
    });
    const kept = framing.kind === 'as-is' ? head.framing.kind : framing.kind;
    const chunks = kept === 'chunked' && head.framing.kind !== 'none';
    const framed = chunks ? `${body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`}0\r\n\r\n` : body;
    const { messages, verdict, surplus } = strictResponses(text + framed, asked);
    assert.equal(verdict, head.status < 200 && head.status !== 101 ? 'clean' : 'closed', 'what is forwarded is legal');
    assert.deepEqual([messages.length, surplus], [1, 0]);
    const [next] = messages;
    assert.deepEqual([next!.status, next!.phrase, next!.body], [seen.status, seen.phrase, seen.body]);
    if (head.framing.kind !== 'close') assert.equal(next!.complete, true);
  }
}
