import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeadBuffer } from '../../src/http1/head-buffer.ts';
import { headBytesCeiling } from '../../src/http1/head-lines.ts';
import { readRequestHead } from '../../src/http1/request-head.ts';
import { cutAt, usualLimits } from '../support/http1-stream.ts';

const head = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'latin1');

/** A buffer, and a reader that counts how often and over how many bytes it is asked. */
function counted(limits = usualLimits) {
  const buffer = new HeadBuffer(limits);
  const asked = { times: 0, bytes: 0, where: [] as Buffer[] };
  const step = (piece: Buffer, from: number) =>
    buffer.step(piece, from, (bytes, start) => {
      asked.times++;
      asked.bytes += bytes.length - start;
      asked.where.push(bytes);
      return readRequestHead(bytes, start, limits);
    });
  return { buffer, asked, step };
}

describe('the bytes of a head', () => {
  test('are read where they lie when they come whole, and the surplus is found', () => {
    const { buffer, asked, step } = counted();
    const piece = Buffer.concat([Buffer.from('before'), head, Buffer.from('after')]);
    const result = step(piece, 6);
    assert.deepEqual([result.kind, result.kind === 'head' && result.end], ['head', 6 + head.length]);
    assert.equal(asked.where[0], piece);
    assert.equal(buffer.length, 0);
  });

  test('are put together when they are cut, and the surplus is found in the last piece', () => {
    const { buffer, step } = counted();
    assert.equal(step(Buffer.concat([Buffer.from('xx'), head.subarray(0, 20)]), 2).kind, 'more');
    assert.equal(buffer.length, 20);
    const last = Buffer.concat([Buffer.from('yyy'), head.subarray(20), Buffer.from('after')]);
    const result = step(last, 3);
    assert.deepEqual([result.kind, result.kind === 'head' && result.end], ['head', 3 + head.length - 20]);
    assert.equal(buffer.length, 0);
  });

  test('are not kept alive with the buffer that they came in', () => {
    const { step } = counted();
    const piece = Buffer.from(head.subarray(0, 20));
    step(piece, 0);
    piece.fill(0);
    assert.equal(step(head.subarray(20), 0).kind, 'head');
  });

  test('are looked at a few times a line, however slowly they come', () => {
    const { asked, step } = counted();
    const long = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(30_000)}\r\n\r\n`, 'latin1');
    const pieces = cutAt(
      long,
      Array.from({ length: long.length }, (_, at) => at),
    );
    const results = pieces.map((piece) => step(piece, 0).kind);
    assert.equal(results.at(-1), 'head');
    assert(asked.times <= 16, `${asked.times} looks at 4 lines`);
  });

  test('of a line that is bad already are not looked at again for each CR', () => {
    const { asked, step } = counted();
    const bad = Buffer.from(`GET / HTTP/1.1\r\nBad Name\r\r\r\r\r`, 'latin1');
    const results = cutAt(
      bad,
      Array.from({ length: bad.length }, (_, at) => at),
    ).map((piece) => step(piece, 0).kind);
    assert.equal(results.indexOf('refused'), bad.length - 4);
    assert(asked.times <= 10);
  });

  test('are never kept beyond the limit', () => {
    const limits = { ...usualLimits, headBytes: 100 };
    const { buffer, step } = counted(limits);
    assert.equal(step(Buffer.alloc(60, 65), 0).kind, 'more');
    assert.equal(buffer.length, 60);
    assert.deepEqual(step(Buffer.alloc(60_000, 65), 0), { kind: 'refused', reason: 'head-too-large' });
    assert.equal(buffer.length, 0);
  });

  test('are bounded where the configuration names no limit', () => {
    const { step } = counted({ headBytes: 0, targetBytes: 0, fields: 0 });
    assert.equal(step(Buffer.alloc(headBytesCeiling - 1, 65), 0).kind, 'more');
    assert.equal(step(Buffer.alloc(1, 65), 0).kind, 'refused');
  });
});
