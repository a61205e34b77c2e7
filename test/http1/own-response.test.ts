import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CloseReason, closeReasons } from '../../src/base/close-reasons.ts';
import { ownResponse } from '../../src/http1/own-response.ts';
import { readResponses } from '../support/http1-stream.ts';

describe('an answer of our own', () => {
  test('is a legal response that names its reason, for every reason that has a status', () => {
    for (const [reason, row] of Object.entries(closeReasons) as [CloseReason, { status?: number; words: string }][]) {
      const { status } = row;
      if (status === undefined) continue;
      const text = ownResponse({ status, reason, closing: true });
      const { messages, refused, surplus } = readResponses([Buffer.from(text, 'latin1')]);
      assert.deepEqual([refused, surplus, messages.length], [undefined, 0, 1], reason);
      const { head, body, complete } = messages[0]!;
      assert.deepEqual([head.status, head.keepAlive, complete], [status, false, true], reason);
      assert.notEqual(head.phrase, '', reason);
      assert.equal(body, `Holdfast: ${row.words} (${reason})\n`);
      assert.equal(
        head.fields.some((field) => field.lower === 'retry-after'),
        status === 503,
        reason,
      );
    }
  });

  test('is told byte for byte', () => {
    assert.equal(
      ownResponse({
        status: 503,
        reason: 'draining',
        closing: false,
        fields: [['x-holdfast-own', 'unsent; draining']],
      }),
      'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 45\r\n' +
        'Cache-Control: no-store\r\nRetry-After: 1\r\nx-holdfast-own: unsent; draining\r\n\r\n' +
        'Holdfast: This pod is going away. (draining)\n',
    );
  });

  test('to HEAD has the length of a body that stays behind', () => {
    const text = ownResponse({ status: 404, body: 'nothing', toHead: true, closing: false });
    assert(text.includes('Content-Length: 7\r\n') && text.endsWith('\r\n\r\n'));
  });

  test('keeps an HTTP/1.0 connection only by saying so', () => {
    assert(
      ownResponse({ status: 200, body: 'x', closing: false, clientMinor: 0 }).includes('Connection: keep-alive\r\n'),
    );
  });

  test('can not be split by a field', () => {
    assert.throws(() => ownResponse({ status: 200, closing: false, fields: [['X', 'a\r\nb']] }), {
      name: 'AssertionError',
    });
  });
});
