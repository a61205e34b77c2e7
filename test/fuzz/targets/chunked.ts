/** A chunked request body: what goes on to the pod is the same body, without trailers. */

import assert from 'node:assert/strict';
import { RequestBody, illegal } from '../../../src/proxy/request-body.ts';
import { usualLimits } from '../../support/proxy-under-test.ts';
import { strictRequests } from '../../support/strict-reader.ts';
import type { Target } from '../fuzzer.ts';
import { cutLike } from '../http1-agreement.ts';
import { chunkedBody, chunkWords } from '../http1-grammar.ts';

const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const limitsOfItsOwn = { ...usualLimits, headBytes: 1_000_000, fields: 10_000, bodyBytes: 0 };

export const chunked: Target = {
  name: 'chunked',
  seeds: ['0\r\n\r\n', '3\r\nabc\r\n0\r\nX: y\r\nCookie: a=b\r\n\r\n', '1;a="\\"";b\r\nx\r\n00\r\n\r\nGET /'],
  words: chunkWords,
  generate: chunkedBody,
  turnsPerByte: 2000,
  run(input) {
    const whole = passedOn([input]);
    assert.deepEqual(passedOn(cutLike(input)), whole, 'how it is cut');
    const { messages, verdict, why } = strictRequests(head + input.toString('latin1'));
    const [seen] = messages;
    if (whole.faulty) {
      assert(seen?.complete !== true, `refused: ${verdict} ${why}`);
      return;
    }
    assert.equal(whole.complete, seen?.complete ?? false, `${verdict} ${why}`);
    if (!whole.complete) return;
    assert.equal(whole.taken, seen!.end - head.length);
    const next = strictRequests(head + whole.text);
    assert.deepEqual([next.verdict, next.messages.length, next.messages[0]?.body], ['clean', 1, seen!.body]);
    assert.deepEqual(next.messages[0]?.trailers, [], 'trailers stay here');
  },
};

function passedOn(pieces: readonly Buffer[]) {
  const body = new RequestBody({ kind: 'chunked' }, limitsOfItsOwn);
  let text = '';
  let taken = 0;
  for (const piece of pieces) {
    if (body.complete) break;
    const end = body.read(piece, 0, false);
    if (end === illegal) return { faulty: true, complete: false, text: '', taken: 0 };
    text += body.passing.toString('latin1');
    taken += end;
  }
  return { faulty: false, complete: body.complete, text, taken };
}
