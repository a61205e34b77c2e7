/** Two readers of one stream, and what they must agree on. */

import assert from 'node:assert/strict';
import type { Field } from '../../src/http1/fields.ts';
import type { Framing } from '../../src/http1/framing.ts';
import { cutAt, type StreamMessage, type StreamResult } from '../support/http1-stream.ts';
import type { Reading, ReadMessage } from '../support/strict-reader.ts';

type AnyHead = { readonly framing: Framing; readonly fields: readonly Field[]; readonly minor: 0 | 1 };

/** Limits, of which the other reader knows nothing. */
const limitReasons = ['head-too-large', 'too-many-fields', 'target-too-long', 'body-too-large'];

/** The verdicts fit, and so does the number of messages. */
export function agrees(result: StreamResult<AnyHead>, reading: Reading<ReadMessage>): void {
  const { refused, messages, surplus } = result;
  if (refused !== undefined && limitReasons.includes(refused)) return;
  // A malformed trailer section, or one too long, may be refused as either.
  const said = `${reading.verdict} ${reading.why}`;
  if (refused === undefined) assert(['clean', 'open', 'closed'].includes(reading.verdict), `not refused: ${said}`);
  else assert(['refused', 'policy', 'open'].includes(reading.verdict), `refused as ${refused}: ${said}`);
  assert.equal(messages.length, reading.messages.length, `as many messages: ${said}`);
  if (refused === undefined) assert.equal(surplus, reading.surplus, `surplus: ${said}`);
}

/** Fields, framing and body are the same. */
export function sameMessage(message: StreamMessage<AnyHead>, other: ReadMessage): void {
  const { head, body, complete } = message;
  assert.deepEqual(
    [head.minor, head.framing.kind, head.fields.map(({ name, value }) => [name, value])],
    [head.framing.kind === 'none' ? other.minor : other.minor, other.framing, other.fields.map((field) => [...field])],
  );
  assert.deepEqual([body, complete], [other.body, other.complete]);
}

/** The stream in pieces: one by one where it is short, else cut at places that its bytes decide. */
export function cutLike(bytes: Buffer): Buffer[] {
  if (bytes.length < 80) return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  const places: number[] = [];
  for (let at = 0; at < bytes.length; at++)
    if (((bytes[at]! * 31 + at * 7) & 15) < 2 || bytes[at] === 13) places.push(at, at + 1);
  return cutAt(bytes, places);
}
