import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RequestBody } from '../../src/proxy/request-body.ts';
import { usualLimits } from '../support/proxy-under-test.ts';

/** What goes on of a chunked body that arrives in these pieces, and what is kept of it for another attempt. */
function passed(pieces: readonly string[]): { readonly sent: string; readonly kept: string; readonly end: number } {
  const body = new RequestBody({ kind: 'chunked' }, usualLimits);
  let sent = '';
  let end = 0;
  for (const piece of pieces) {
    end = body.read(Buffer.from(piece, 'latin1'), 0, false);
    sent += body.passing.toString('latin1');
  }
  assert.equal(body.complete, true);
  return { sent, kept: Buffer.concat(body.kept).toString('latin1'), end };
}

test('trailers and chunk extensions stay behind, wherever the bytes were cut: some applications read them as something else', () => {
  const stream =
    '3;a=b\r\nabc\r\n1 ; c ; d="\\""\r\nx\r\n00;e\r\nCookie: PHPSESSID=x\r\nX-Sum: 1\r\nX-Forwarded-For: 1\r\n\r\n';
  const clean = '3\r\nabc\r\n1\r\nx\r\n00\r\n\r\n';
  const { sent, kept, end } = passed([`${stream}GET`]);
  assert.deepEqual([sent, kept, end], [clean, clean, stream.length]);
  for (let cut = 1; cut < stream.length; cut++) {
    const two = passed([stream.slice(0, cut), stream.slice(cut)]);
    assert.deepEqual([two.sent, two.kept], [clean, clean], `cut at ${cut}`);
  }
  const bytes = passed(Array.from(stream));
  assert.deepEqual([bytes.sent, bytes.kept], [clean, clean]);
});

test('a body without trailers goes on as it came', () => {
  const stream = '3\r\nabc\r\n0\r\n\r\n';
  assert.equal(passed([stream]).sent, stream);
  assert.equal(passed(Array.from(stream)).sent, stream);
});

test('a body that comes byte by byte is kept in few pieces: each costs more than its bytes', () => {
  const body = new RequestBody({ kind: 'length', length: 50_000 }, usualLimits);
  for (let count = 0; count < 50_000; count++) body.read(Buffer.from([count % 251]), 0, false);
  assert.equal(body.replayable, true);
  const kept = Buffer.concat(body.kept);
  assert.equal(kept.length, 50_000);
  assert.ok(
    kept.every((byte, at) => byte === at % 251),
    'in its order',
  );
  assert.ok(body.kept.length <= 20, `${body.kept.length} pieces`);
});

test('trailers have as many fields as a head may have, and not one more', () => {
  const stream = (fields: number) => Buffer.from(`1\r\na\r\n0\r\n${'A: 1\r\n'.repeat(fields)}\r\n`);
  const accepted = new RequestBody({ kind: 'chunked' }, usualLimits);
  accepted.read(stream(usualLimits.fields), 0, false);
  assert.equal(accepted.complete, true);
  const refused = new RequestBody({ kind: 'chunked' }, usualLimits);
  refused.read(stream(usualLimits.fields + 1), 0, false);
  assert.equal(refused.fault, 'too-many-fields');
});
