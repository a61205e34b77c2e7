/** The PROXY header's bytes: what is read, what is refused, and that it does not matter how they come. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../support/properties.ts';
import { crc32c } from '../../src/proxy/crc32c.ts';
import { proxyHeaderBytesMax, type ProxyHeaderStep, readProxyHeader } from '../../src/proxy/proxy-header.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

interface Block {
  readonly versionAndCommand?: number;
  readonly family?: number;
  readonly addresses?: readonly number[];
  readonly tlvs?: readonly (readonly [type: number, value: readonly number[]])[];
  /** What the length says beyond what is there. */
  readonly lies?: number;
}

const ipv4 = [192, 0, 2, 7, 10, 0, 0, 1, 0xc0, 0x01, 0, 80];
const ipv6 = [
  ...latin1('\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07'),
  ...latin1('\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01'),
  ...[0xc0, 0x01, 0, 80],
];

function block({ versionAndCommand = 0x21, family = 0x11, addresses = ipv4, tlvs = [], lies = 0 }: Block = {}): Buffer {
  const rest = [
    ...addresses,
    ...tlvs.flatMap(([type, value]) => [type, value.length >> 8, value.length & 255, ...value]),
  ];
  const length = rest.length + lies;
  return Buffer.from([
    ...latin1('\r\n\r\n\0\r\nQUIT\n'),
    versionAndCommand,
    family,
    length >> 8,
    length & 255,
    ...rest,
  ]);
}

function checked(block: Buffer): Buffer {
  const at = block.length - 4;
  const bytes = Buffer.from(block);
  bytes.fill(0, at);
  bytes.writeUInt32BE(crc32c(bytes), at);
  return bytes;
}

function said(bytes: Buffer): unknown {
  const step = readProxyHeader(bytes);
  return step.kind === 'header' ? { ...step.said, rest: bytes.toString('latin1', step.end) } : step;
}

const proxied = (address: string, secure = false) => ({ kind: 'proxied', address, secure, rest: '' });

test('version 1 names the client', () => {
  assert.deepEqual(said(latin1('PROXY TCP4 192.0.2.7 10.0.0.1 49153 80\r\n')), proxied('192.0.2.7'));
  assert.deepEqual(said(latin1('PROXY TCP6 2001:DB8:0:0::7 2001:db8::1 1 2\r\n')), proxied('2001:db8::7'));
  assert.deepEqual(said(latin1('PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\nGET')), {
    ...proxied('192.0.2.7'),
    rest: 'GET',
  });
  for (const line of ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN whatever it likes\r\n']) {
    assert.deepEqual(said(latin1(line)), { kind: 'unknown', address: '', secure: false, rest: '' });
  }
});

test('version 2 names the client', () => {
  assert.deepEqual(said(block()), proxied('192.0.2.7'));
  assert.deepEqual(said(block({ family: 0x21, addresses: ipv6 })), proxied('2001:db8::7'));
  assert.deepEqual(said(Buffer.concat([block(), latin1('GET')])), { ...proxied('192.0.2.7'), rest: 'GET' });
  const mapped = [...Array<number>(10).fill(0), 255, 255, 192, 0, 2, 7, ...ipv6.slice(16)];
  assert.deepEqual(said(block({ family: 0x21, addresses: mapped })), proxied('192.0.2.7'));
});

test('version 2 says who has no address, and who speaks for itself', () => {
  const unknown = { kind: 'unknown', address: '', secure: false, rest: '' };
  assert.deepEqual(said(block({ family: 0, addresses: [] })), unknown);
  assert.deepEqual(said(block({ family: 0x31, addresses: Array<number>(216).fill(1) })), unknown);
  assert.deepEqual(said(block({ family: 0x12 })), unknown, 'datagrams');
  const local = { ...unknown, kind: 'local' };
  assert.deepEqual(said(block({ versionAndCommand: 0x20, family: 0, addresses: [] })), local);
  assert.deepEqual(
    said(block({ versionAndCommand: 0x20, family: 0xff, addresses: [1, 2, 3] })),
    local,
    'the block is discarded',
  );
});

test('TLVs: TLS is believed, what is not known is passed over, a checksum has to fit', () => {
  const ssl = (client: number) => [0x20, [client, 0, 0, 0, 0, 0x21, 0, 3, 0x54, 0x4c, 0x53]] as const;
  assert.deepEqual(said(block({ tlvs: [ssl(1)] })), proxied('192.0.2.7', true));
  assert.deepEqual(said(block({ tlvs: [ssl(6)] })), proxied('192.0.2.7'));
  assert.deepEqual(said(block({ tlvs: [[0x04, []], [0xe0, [1, 2]], ssl(1)] })), proxied('192.0.2.7', true));
  assert.deepEqual(said(checked(block({ tlvs: [ssl(1), [0x03, [0, 0, 0, 0]]] }))), proxied('192.0.2.7', true));
  assert.equal(crc32c(latin1('123456789')), 0xe3069283);
});

test('what is malformed is refused, and nothing more of it is waited for', () => {
  const lines = [
    'G',
    'PROXX',
    'PROXY\t',
    'PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1 2 \r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n',
    'PROXY TCP4 192.0.2.07 10.0.0.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.256 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n',
    'PROXY tcp4 192.0.2.7 10.0.0.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1 2\rX',
    'PROXY UNKNOWN \0\r\n',
    'PROXY \r\n',
    `PROXY UNKNOWN ${'x'.repeat(93)}`,
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
  ];
  const blocks = [
    block({ versionAndCommand: 0x11 }),
    block({ versionAndCommand: 0x22 }),
    block({ family: 0x41 }),
    block({ family: 0x13 }),
    block({ addresses: ipv4.slice(1) }),
    block({ family: 0x21, addresses: ipv6.slice(1) }),
    block({ family: 0x31 }),
    block({ lies: 5000 }),
    block({ addresses: [...ipv4, 0x04, 0] }),
    block({ addresses: [...ipv4, 0x04, 0, 1] }),
    block({ tlvs: [[0x20, [1, 0, 0, 0]]] }),
    block({ tlvs: [[0x03, [0, 0, 0, 1]]] }),
    block({ tlvs: [[0x03, [0, 0, 0]]] }),
    checked(
      block({
        tlvs: [
          [0x03, [0, 0, 0, 0]],
          [0x03, [0, 0, 0, 0]],
        ],
      }),
    ),
    latin1('\r\n\r\n\0\r\nQUIT\r'),
  ];
  for (const bytes of [...lines.map(latin1), ...blocks]) {
    assert.equal(readProxyHeader(bytes).kind, 'refused', JSON.stringify(bytes.toString('latin1')));
  }
  assert.deepEqual(said(latin1(`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`)), {
    kind: 'unknown',
    address: '',
    secure: false,
    rest: '',
  });
});

test('any beginning of a header waits for more, and its verdict is the same however it is cut', () => {
  const headers = fc.oneof(
    fc.ipV4().map((address) => latin1(`PROXY TCP4 ${address} 10.0.0.1 1 2\r\n`)),
    fc.ipV6().map((address) => latin1(`PROXY TCP6 ${address} ::1 1 2\r\n`)),
    fc
      .record({
        versionAndCommand: fc.constantFrom(0x20, 0x21),
        family: fc.constantFrom(0x11, 0x21),
        addresses: fc.constantFrom(ipv4, ipv6),
        tlvs: fc.array(
          fc.tuple(fc.constantFrom(0x04, 0x20, 0xe0), fc.array(fc.nat(255), { minLength: 5, maxLength: 40 })),
          { maxLength: 4 },
        ),
      })
      .map(block),
  );
  fc.assert(
    fc.property(headers, fc.uint8Array({ maxLength: 20 }), (header, body) => {
      const bytes = Buffer.concat([header, body]);
      const whole = readProxyHeader(bytes);
      let step: ProxyHeaderStep = { kind: 'more' };
      let length = 0;
      while (step.kind === 'more' && length < bytes.length) step = readProxyHeader(bytes.subarray(0, ++length));
      assert.deepEqual(step, whole);
      if (whole.kind === 'header') assert.equal(length, whole.end, 'it is known with its last byte, and not before');
    }),
    { numRuns: 300 },
  );
});

test('no bytes make the reader throw, or wait for more than its maximum', () => {
  const starts = fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', '\r\n\r\n\0\r\nQUIT\n\x21\x11');
  fc.assert(
    fc.property(starts, fc.uint8Array({ maxLength: 300 }), (start, rest) => {
      const bytes = Buffer.concat([latin1(start), rest]);
      const step = readProxyHeader(bytes);
      if (step.kind === 'header') assert.ok(step.end <= bytes.length);
      const full = Buffer.concat([bytes, Buffer.alloc(proxyHeaderBytesMax)]);
      assert.notEqual(readProxyHeader(full).kind, 'more');
    }),
    { numRuns: 300 },
  );
});
