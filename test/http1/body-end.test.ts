import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BodyOptions, createBodyReader } from '../../src/http1/body-end.ts';
import { chunkHead } from '../../src/http1/chunk-writer.ts';
import type { Framing } from '../../src/http1/framing.ts';

const options: BodyOptions = { sender: 'upstream', trailerBytesMax: 100 };

/** What each piece gives: state, end, markFrom, markSpans. */
function scans(framing: Framing, pieces: readonly string[], changes: Partial<BodyOptions> = {}): unknown[][] {
  const reader = createBodyReader(framing, { ...options, ...changes });
  return pieces.map((piece) => {
    const { state, end, markFrom, markSpans } = reader.scan(Buffer.from(piece, 'latin1'), 0);
    return [state, end, markFrom, markSpans];
  });
}

describe('where a body ends', () => {
  test('no body ends where it begins, without a mark', () => {
    assert.deepEqual(scans({ kind: 'none' }, ['next']), [['ended', 0, 0, 0]]);
  });

  test('the mark of a Content-Length is its last byte, and nothing before it', () => {
    assert.deepEqual(scans({ kind: 'length', length: 5 }, ['abc', 'd', 'e!']), [
      ['more', 3, 3, 0],
      ['more', 1, 1, 0],
      ['ended', 1, 0, 0],
    ]);
    assert.deepEqual(scans({ kind: 'length', length: 1 }, ['', 'a']), [
      ['more', 0, 0, 0],
      ['ended', 1, 0, 0],
    ]);
  });

  test('a close-delimited body never ends by itself', () => {
    assert.deepEqual(scans({ kind: 'close' }, ['abc', '']), [
      ['more', 3, 3, 0],
      ['more', 0, 0, 0],
    ]);
  });

  test('the mark of chunks is the last chunk, across as many pieces as it comes in', () => {
    assert.deepEqual(scans({ kind: 'chunked' }, ['1\r\na\r\n0', '0;x\r', '\nX: y\r\n', '\r', '\nnext']), [
      ['more', 7, 6, 0],
      ['more', 4, 0, 1],
      ['more', 7, 0, 5],
      ['more', 1, 0, 12],
      ['ended', 1, 0, 13],
    ]);
  });

  test('zeros that turn out to be a size are let go', () => {
    assert.deepEqual(scans({ kind: 'chunked' }, ['00', '0', '1\r\na\r\n', '0', '\r\n\r\n']), [
      ['more', 2, 0, 0],
      ['more', 1, 0, 2],
      ['more', 6, 6, 0],
      ['more', 1, 0, 0],
      ['ended', 4, 0, 1],
    ]);
  });

  test('an event of a stream is never held for the next one', () => {
    assert.deepEqual(scans({ kind: 'chunked' }, ['3\r\none\r\n', '3\r\ntwo\r\n']), [
      ['more', 8, 8, 0],
      ['more', 8, 8, 0],
    ]);
  });

  test('data is told without its frame', () => {
    const runs: [number, number][] = [];
    scans({ kind: 'chunked' }, ['3;x\r\nab', 'c\r\n1\r\nd\r\n0\r\n\r\n'], {
      onData: (start, end) => runs.push([start, end]),
    });
    assert.deepEqual(runs, [
      [5, 7],
      [0, 1],
      [6, 7],
    ]);
  });

  test('a chunked body behind other bytes of a piece is counted from where it begins', () => {
    const scan = createBodyReader({ kind: 'chunked' }, options).scan(Buffer.from('head0\r\n\r\nnext', 'latin1'), 4);
    assert.deepEqual([scan.state, scan.end, scan.markFrom], ['ended', 9, 4]);
  });

  test('a refusal names who sent it', () => {
    for (const [sender, reason] of [
      ['client', 'bad-chunk'],
      ['upstream', 'upstream-bad-response'],
    ] as const) {
      const scan = createBodyReader({ kind: 'chunked' }, { ...options, sender }).scan(Buffer.from('x'), 0);
      assert.deepEqual([scan.state, scan.reason], ['refused', reason]);
    }
  });

  test('extensions are paid for by data, so that a long signed upload passes', () => {
    const reader = createBodyReader({ kind: 'chunked' }, options);
    const extension = `;signature=${'f'.repeat(70)}`;
    const chunk = Buffer.from(`400${extension}\r\n${'a'.repeat(1024)}\r\n`, 'latin1');
    for (let sent = 0; sent < 5_000_000; sent += chunk.length) assert.equal(reader.scan(chunk, 0).state, 'more');
  });
});

test('a chunk is never written with the size of the last one', () => {
  for (const length of [0, -1, 1.5, NaN]) assert.throws(() => chunkHead(length), { name: 'RangeError' });
});
