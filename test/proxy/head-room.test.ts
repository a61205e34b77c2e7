import assert from 'node:assert/strict';
import test from 'node:test';
import { beyondLimits, withHeadRoom } from '../../src/proxy/head-room.ts';
import { readRequestHead, type RequestHead } from '../../src/http1/request-head.ts';
import { usualLimits } from '../support/proxy-under-test.ts';

function headOf(text: string, limits = withHeadRoom(usualLimits)): RequestHead {
  const step = readRequestHead(Buffer.from(text, 'latin1'), 0, limits);
  assert(step.kind === 'head', JSON.stringify(step));
  return step.head;
}

function withFields(count: number): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(count - 1)}\r\n`;
}

function withBytes(count: number): string {
  const empty = 'GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n';
  return empty.replace('X: ', `X: ${'x'.repeat(count - empty.length)}`);
}

test('a head at the limits, with what a gateway adds, is read with the room for it; for anybody else it is beyond them', () => {
  assert.equal(beyondLimits(headOf(withFields(usualLimits.fields)), usualLimits), undefined);
  assert.equal(beyondLimits(headOf(withFields(usualLimits.fields + 1)), usualLimits), 'too-many-fields');
  assert.equal(beyondLimits(headOf(withFields(usualLimits.fields + 8)), usualLimits), 'too-many-fields');
  assert.equal(beyondLimits(headOf(withBytes(usualLimits.headBytes)), usualLimits), undefined);
  assert.equal(beyondLimits(headOf(withBytes(usualLimits.headBytes + 1)), usualLimits), 'head-too-large');
  // Host is nearly all of it, and X-Forwarded-Host says it again.
  assert.equal(beyondLimits(headOf(withBytes(usualLimits.headBytes * 2)), usualLimits), 'head-too-large');
});

test('no limit stays none, and the others go on changing with the ones that were given', () => {
  const given = { ...usualLimits, headBytes: 0, fields: 0 };
  const roomy = withHeadRoom(given);
  assert.deepEqual([roomy.headBytes, roomy.fields], [0, 0]);
  assert.equal(beyondLimits(headOf(withFields(500), roomy), given), undefined);
  Object.assign(given, { bodyBytes: 17, connections: 5 });
  assert.deepEqual([roomy.bodyBytes, roomy.connections], [17, 5]);
});
