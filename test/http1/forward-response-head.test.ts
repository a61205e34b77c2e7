import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forwardResponseHead, type ResponseForwarding } from '../../src/http1/forward-response-head.ts';
import { readResponses } from '../support/http1-stream.ts';

const usual: ResponseForwarding = { added: [], framing: { kind: 'as-is' }, clientMinor: 1, closing: false };

interface Asked {
  readonly method?: string;
  readonly upgrade?: string;
}

/** The lines that go to the client for a head of these lines. */
function forwarded(lines: readonly string[], changes: Partial<ResponseForwarding> = {}, asked: Asked = {}): string[] {
  const { messages, refused } = readResponses([Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')], asked);
  assert.equal(refused, undefined);
  const text = forwardResponseHead(messages[0]!.head, { ...usual, ...changes });
  assert(text.endsWith('\r\n\r\n'));
  return text.slice(0, -4).split('\r\n');
}

describe('a forwarded response head', () => {
  test('keeps status, phrase, order and spelling, without hop-by-hop and internal fields', () => {
    const lines = forwarded([
      'HTTP/1.0 404 N\xf6pe',
      'dATE: d',
      'Connection: keep-alive, x-hop',
      'X-Hop: 1',
      'Keep-Alive: timeout=5',
      'X-Holdfast-Own: unsent',
      'Set-Cookie: a=1',
      'X-Y_Z:1',
      'Set-Cookie: b=2',
      'Content-Length: 005',
    ]);
    assert.deepEqual(lines, [
      'HTTP/1.1 404 N\xf6pe',
      'dATE: d',
      'Set-Cookie: a=1',
      'X-Y_Z: 1',
      'Set-Cookie: b=2',
      'Content-Length: 5',
    ]);
  });

  test('keeps Set-Cookie and the length even if Connection names them', () => {
    const lines = ['Set-Cookie: a=1', 'Content-Length: 1'];
    assert.deepEqual(forwarded(['HTTP/1.1 200 OK', 'Connection: set-cookie, content-length', ...lines]), [
      'HTTP/1.1 200 OK',
      ...lines,
    ]);
  });

  test('leaves Set-Cookie lines behind where it is told to', () => {
    const lines = ['HTTP/1.1 200 OK', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Content-Length: 0'];
    const dropSetCookies = (value: string): boolean => value.startsWith('a=');
    assert.deepEqual(forwarded(lines, { dropSetCookies }), [lines[0], lines[2], lines[3]]);
  });

  test('says how the connection goes on, as the client understands it', () => {
    const lines = ['HTTP/1.1 200 OK', 'Content-Length: 0'];
    assert.deepEqual(forwarded(lines), lines);
    assert.deepEqual(forwarded(lines, { closing: true }), [...lines, 'Connection: close']);
    assert.deepEqual(forwarded(lines, { clientMinor: 0 }), [...lines, 'Connection: keep-alive']);
    assert.deepEqual(forwarded(lines, { clientMinor: 0, closing: true }), [...lines, 'Connection: close']);
  });

  test('frames the body as it is written to this client', () => {
    const open = ['HTTP/1.1 200 OK', 'A: b'];
    assert.deepEqual(forwarded(open, { framing: { kind: 'chunked' } }), [...open, 'Transfer-Encoding: chunked']);
    assert.deepEqual(forwarded(open, { framing: { kind: 'length', length: 7 } }), [...open, 'Content-Length: 7']);
    assert.deepEqual(forwarded(open, { framing: { kind: 'close' }, closing: true }), [...open, 'Connection: close']);
    const chunked = ['HTTP/1.1 200 OK', 'transfer-encoding: Chunked', 'Trailer: X'];
    assert.deepEqual(forwarded(chunked), ['HTTP/1.1 200 OK', 'Trailer: X', 'Transfer-Encoding: chunked']);
    assert.deepEqual(forwarded(chunked, { clientMinor: 0, framing: { kind: 'close' }, closing: true }), [
      'HTTP/1.1 200 OK',
      'Trailer: X',
      'Connection: close',
    ]);
  });

  test('refuses chunks for HTTP/1.0, and an open connection for a body without a length', () => {
    const chunked = ['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'];
    assert.throws(() => forwarded(chunked, { clientMinor: 0 }), { name: 'AssertionError' });
    assert.throws(() => forwarded(['HTTP/1.1 200 OK']), { name: 'AssertionError' });
    assert.throws(() => forwarded(chunked, { framing: { kind: 'close' } }), { name: 'AssertionError' });
  });

  test('keeps the length of a body that is not sent, and never gives 1xx or 204 one', () => {
    assert(forwarded(['HTTP/1.1 200 OK', 'Content-Length: 5'], {}, { method: 'HEAD' }).includes('Content-Length: 5'));
    assert(forwarded(['HTTP/1.1 304 Not Modified', 'Content-Length: 5']).includes('Content-Length: 5'));
    assert(forwarded(['HTTP/1.1 200 OK', 'Content-Length: 0']).includes('Content-Length: 0'));
    assert.deepEqual(forwarded(['HTTP/1.1 204 No Content', 'Content-Length: 0']), ['HTTP/1.1 204 No Content']);
    assert.deepEqual(forwarded(['HTTP/1.1 103 Early Hints', 'Link: l', 'Content-Length: 0'], { closing: true }), [
      'HTTP/1.1 103 Early Hints',
      'Link: l',
    ]);
    assert.deepEqual(forwarded(['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'], {}, { method: 'HEAD' }), [
      'HTTP/1.1 200 OK',
    ]);
  });

  test('switches protocols in our own words', () => {
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'connection: Upgrade',
      'Sec-WebSocket-Accept: s',
      'upgrade: websocket',
    ];
    assert.deepEqual(forwarded(lines, {}, { upgrade: 'websocket' }), [
      'HTTP/1.1 101 Switching Protocols',
      'Sec-WebSocket-Accept: s',
      'Connection: upgrade',
      'Upgrade: websocket',
    ]);
  });

  test('bears added fields, which can not split it', () => {
    const lines = ['HTTP/1.1 200 OK', 'Content-Length: 0'];
    assert.deepEqual(forwarded(lines, { added: [['Set-Cookie', 'p=1; Path=/']] }), [
      ...lines,
      'Set-Cookie: p=1; Path=/',
    ]);
    assert.throws(() => forwarded(lines, { added: [['Set-Cookie', 'p=1\r\n\r\n<html>']] }), { name: 'AssertionError' });
  });
});
