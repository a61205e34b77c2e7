/**
 * Properties of whole streams: how they are cut changes nothing, and what we write we read back.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../support/properties.ts';
import { chunkEnd, chunkHead, lastChunk } from '../../src/http1/chunk-writer.ts';
import { forwardRequestHead } from '../../src/http1/forward-head.ts';
import { forwardResponseHead } from '../../src/http1/forward-response-head.ts';
import { cutAt, readRequests, readResponses, type StreamOptions } from '../support/http1-stream.ts';

/** Limits so small that generated streams meet them. */
const tight: StreamOptions = {
  limits: { headBytes: 90, targetBytes: 12, fields: 3, bodyBytes: 12 },
  trailerBytesMax: 12,
  bodyBytesMax: 12,
};

const requestLine = fc.constantFrom(
  'GET / HTTP/1.1',
  'POST /x?y HTTP/1.1',
  'OPTIONS http://b HTTP/1.7',
  'POST * HTTP/1.0',
  'GET  /',
);
const statusLine = fc.constantFrom(
  'HTTP/1.1 200 OK',
  'HTTP/1.1 204 ',
  'HTTP/1.1 100 Continue',
  'HTTP/1.0 200',
  'HTTP/2.0 200 OK',
);
const goodField = fc.constantFrom(
  'Connection: keep-alive, upgrade',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'Cookie: a=1',
  'X-Y:  \t z \t',
  'X_Y: \xff',
);
const badField = fc.constantFrom(
  'Host: b',
  'Connection: close',
  'Content-Length: 0',
  'Bad Name: x',
  ' folded',
  'nocolon',
  'X: a\rb',
  'X: a\nb',
  'X: \0',
);
const fieldLine = fc.oneof({ weight: 12, arbitrary: goodField }, { weight: 1, arbitrary: badField });
const goodChunk = fc.constantFrom('3\r\nabc\r\n', '01;a="b\\"";c\r\nx\r\n', 'a ; b = c\r\n0123456789\r\n');
const badChunk = fc.constantFrom('3 \r\nabc\r\n', '1\r\nab', '\r\n', '2\nab\r\n', '0', '0x1\r\na\r\n', '1;\r\na\r\n');
const lastChunks = fc.constantFrom(
  '0\r\n\r\n',
  '000;x\r\nX: t\r\n\r\n',
  '0\r\nX: t\r\nY:\r\n\r\n',
  '0\r\n t\r\n\r\n',
  '0\r\nX: t',
);
const chunkedBody = fc
  .tuple(
    fc.array(fc.oneof({ weight: 8, arbitrary: goodChunk }, { weight: 1, arbitrary: badChunk }), { maxLength: 4 }),
    lastChunks,
  )
  .map(([chunks, last]) => chunks.join('') + last);
const framedBody = fc.oneof(
  fc.constant(['', ''] as const),
  fc.constant(['Content-Length: 3\r\n', 'abc'] as const),
  chunkedBody.map((body) => ['Transfer-Encoding: chunked\r\n', body] as const),
);

/** Streams of messages that are legal, except that now and then a line is not or some bytes were changed. */
function streamsOf(firstLine: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const message = fc
    .tuple(firstLine, fc.array(fieldLine, { maxLength: 4 }), framedBody)
    .map(([first, fields, [framing, body]]) => [first, 'Host: a', ...fields, `${framing}\r\n${body}`].join('\r\n'));
  const edit = fc.record({
    at: fc.nat(300),
    added: fc.constantFrom('', '\r', '\n', ' ', ':', '\0', '\r\n', '0', '\x80'),
    removed: fc.nat(3),
  });
  return fc.tuple(fc.array(message, { maxLength: 4 }), fc.option(edit)).map(([messages, change]) => {
    const text = messages.join('');
    if (change === null) return Buffer.from(text, 'latin1');
    const { at, added, removed } = change;
    return Buffer.from(text.slice(0, at) + added + text.slice(at + removed), 'latin1');
  });
}

const requestStreams = streamsOf(requestLine);
const responseStreams = streamsOf(statusLine);

const cuts = fc.array(fc.nat(400), { maxLength: 40 });

describe('any cut of any stream gives the same', () => {
  for (const [name, options] of [
    ['usual limits', {}],
    ['tight limits', tight],
  ] as const) {
    test(`requests, ${name}`, () => {
      fc.assert(
        fc.property(requestStreams, cuts, (stream, places) => {
          assert.deepEqual(readRequests(cutAt(stream, places), options), readRequests([stream], options));
        }),
        { numRuns: 3000 },
      );
    });
    test(`responses, ${name}`, () => {
      fc.assert(
        fc.property(responseStreams, cuts, fc.constantFrom('GET', 'HEAD'), (stream, places, method) => {
          const asked = { ...options, method, upgrade: 'websocket' };
          assert.deepEqual(readResponses(cutAt(stream, places), asked), readResponses([stream], asked));
        }),
        { numRuns: 3000 },
      );
    });
  }
});

const standardMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];
const token = fc.string({
  unit: fc.constantFrom(...Array.from('abcXYZ019-!#$%&*+.^_`|~')),
  minLength: 1,
  maxLength: 12,
});
const value = fc
  .string({ unit: fc.constantFrom(...Array.from('ab ,;="\t\xa0\xff:/')), maxLength: 20 })
  .map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ''));
const plainFields = fc.array(
  fc.tuple(
    token.map((name) => `q${name}`),
    value,
  ),
  { maxLength: 8 },
);
const target = fc
  .string({ unit: fc.constantFrom(...Array.from('abc/?&=%."\\|')), maxLength: 20 })
  .map((rest) => `/${rest}`);
const requestFraming = fc.constantFrom(
  [],
  ['Content-Length: 0'],
  ['Content-Length: 12'],
  ['Transfer-Encoding: chunked'],
);

function lines(fields: readonly (readonly [string, string])[]): string[] {
  return fields.map(([name, content]) => `${name}:${content}`);
}

describe('what we write, we read back', () => {
  test('request heads', () => {
    fc.assert(
      fc.property(
        token,
        target,
        plainFields,
        requestFraming,
        fc.option(value),
        (method, path, fields, framing, cookie) => {
          const sent = [`${method} ${path} HTTP/1.1`, 'Host: a:1', ...lines(fields), ...framing];
          if (cookie !== null) sent.push(`Cookie: ${cookie}`);
          const before = readRequests([Buffer.from([...sent, '', ''].join('\r\n'), 'latin1')]).messages[0]?.head;
          assert(before !== undefined || standardMethods.includes(method.toUpperCase()));
          if (before === undefined) return;
          const client = { address: '::1', secure: true };
          const text = forwardRequestHead(before, {
            cookie: undefined,
            forwarded: 'replace',
            client,
            requestId: 'i',
            newTraceParent: () => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
            added: [['y', 'z']],
          });
          const after = readRequests([Buffer.from(text, 'latin1')]);
          assert.equal(after.refused, undefined);
          const { head } = after.messages[0]!;
          for (const key of ['method', 'target', 'host', 'framing', 'cookie', 'keepAlive', 'upgrade'] as const) {
            assert.deepEqual(head[key], before[key], key);
          }
          assert.deepEqual(
            head.fields.filter(({ lower }) => lower.startsWith('q')).map((field) => [field.name, field.value]),
            fields.filter(([name]) => !/[_.]/.test(name)),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('response heads', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 999 }),
        value,
        plainFields,
        requestFraming,
        (status, phrase, fields, framing) => {
          const sent = [`HTTP/1.1 ${status} ${phrase}`, ...lines(fields), ...framing];
          const before = readResponses([Buffer.from([...sent, '', ''].join('\r\n'), 'latin1')]).messages[0]!.head;
          const text = forwardResponseHead(before, {
            added: [['y', 'z']],
            framing: { kind: 'as-is' },
            clientMinor: 1,
            closing: true,
          });
          const after = readResponses([Buffer.from(text, 'latin1')]);
          assert.equal(after.refused, undefined);
          const { head } = after.messages[0]!;
          assert.deepEqual(
            [head.status, head.phrase, head.framing, head.keepAlive],
            [status, before.phrase, before.framing, false],
          );
          assert.deepEqual(
            head.fields.filter(({ lower }) => lower.startsWith('q')).map((field) => [field.name, field.value]),
            fields,
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('chunked bodies, with the last chunk as their end mark', () => {
    const data = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(data, cuts, (pieces, places) => {
        const head = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'latin1');
        const frames = pieces.flatMap((piece) => [Buffer.from(chunkHead(piece.length), 'latin1'), piece, chunkEnd]);
        const stream = Buffer.concat([head, ...frames, lastChunk]);
        const { messages, refused, surplus } = readResponses(cutAt(stream, places));
        assert.deepEqual([refused, surplus], [undefined, 0]);
        const { body, complete, mark } = messages[0]!;
        assert.deepEqual([body, complete, mark], [Buffer.concat(pieces).toString('latin1'), true, '0\r\n\r\n']);
      }),
      { numRuns: 1000 },
    );
  });
});
