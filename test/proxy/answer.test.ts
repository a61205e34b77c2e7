import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Answer } from '../../src/proxy/answer.ts';
import { readResponses } from '../support/http1-stream.ts';

/** An answer whose head is held, read byte by byte. @returns the pieces that leave with the head in the end */
function heldByteByByte(fields: string, body: string, end: 'complete' | 'closed'): readonly Buffer[] {
  const head = readResponses([Buffer.from(`HTTP/1.1 200 OK\r\n${fields}\r\n`, 'latin1')]).messages[0]!.head;
  const written: (readonly Buffer[])[] = [];
  const answer = new Answer(head, {
    hold: 'head',
    clientMinor: 1,
    holdBytesMax: 262_144,
    trailerBytesMax: 32_768,
    sink: { headText: () => 'head', writeAnswer: (_head, pieces) => void written.push(pieces) },
  });
  let step = 'more';
  for (const byte of Buffer.from(body, 'latin1')) step = answer.read(Buffer.from([byte]), 0);
  if (end === 'closed') answer.connectionEnded();
  else assert.equal(step, 'complete');
  assert.deepEqual(written, []);
  answer.leave();
  assert.equal(written.length, 1);
  return written[0]!;
}

test('what is held of an answer that comes byte by byte is held in few pieces: each pins what was read with it', () => {
  const data = 'abcdefghij'.repeat(2000);
  const length = heldByteByByte(`Content-Length: ${data.length}\r\n`, data, 'complete');
  assert.equal(Buffer.concat(length).toString('latin1'), data);
  assert.ok(length.length <= 10, `${length.length} pieces`);
  const stream = `${data.length.toString(16)}\r\n${data}\r\n0\r\nX-Long: ${data}\r\n\r\n`;
  const chunked = heldByteByByte('Transfer-Encoding: chunked\r\n', stream, 'complete');
  assert.equal(Buffer.concat(chunked).toString('latin1'), stream);
  assert.ok(chunked.length <= 20, `${chunked.length} pieces`);
  const closed = heldByteByByte('', data, 'closed');
  assert.equal(Buffer.concat(closed).length, data.length * 6 + 5);
  assert.ok(closed.length <= 40, `${closed.length} pieces`);
});
