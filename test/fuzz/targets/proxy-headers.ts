/** A load balancer's PROXY header: one verdict however it is cut and whatever follows it, and what it says can be said again. */

import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { crc32c } from '../../../src/proxy/crc32c.ts';
import {
  proxyHeaderBytesMax,
  type ProxyHeaderStep,
  type ProxySaid,
  readProxyHeader,
} from '../../../src/proxy/proxy-header.ts';
import { below, type Chance } from '../../support/seeded.ts';
import type { Target } from '../fuzzer.ts';

const signature = '\r\n\r\n\0\r\nQUIT\n';
const addresses4 = ['\xc0\0\x02\x07', '\0\0\0\0', '\x7f\0\0\x01'];
const addresses6 = [
  '\x20\x01\r\xb8'.padEnd(15, '\0') + '\x07',
  '\0'.repeat(10) + '\xff\xff\xc0\0\x02\x07',
  '\0'.repeat(16),
];
const texts = ['192.0.2.7', '::1', '2001:DB8:0:0::7', '::ffff:192.0.2.7', 'fe80::1%eth0', '1.2.3', '01.2.3.4', ''];

function of<T>(chance: Chance, from: readonly T[]): T {
  return from[below(chance, from.length)]!;
}

function number16(value: number): string {
  return String.fromCharCode((value >> 8) & 255, value & 255);
}

/** Version 2; `rest`: addresses, ports and TLVs. */
function block(rest: string, [versionAndCommand, family]: readonly [number, number], lie = 0): string {
  return `${signature}${String.fromCharCode(versionAndCommand, family)}${number16(rest.length + lie)}${rest}`;
}

function checked(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  bytes.fill(0, bytes.length - 4);
  bytes.writeUInt32BE(crc32c(bytes), bytes.length - 4);
  return bytes.toString('latin1');
}

const tls = '\x20\0\x05\x01\0\0\0\0';

function headers(chance: Chance): string {
  const behind = chance() < 0.5 ? '' : 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  if (chance() < 0.4) {
    const words = [of(chance, ['TCP4', 'TCP6', 'UNKNOWN', 'TCP5']), of(chance, texts), of(chance, texts)];
    const ports = [of(chance, ['1', '0', '65535', '65536', '080']), '80'];
    return `PROXY ${[...words, ...ports].join(' ')}\r\n${behind}`;
  }
  const [family, pool] = chance() < 0.5 ? ([0x11, addresses4] as const) : ([0x21, addresses6] as const);
  const tlvs = ['', tls, '\x01\0\x02h2', '\x03\0\x04abcd', tls + '\x04\0\0', '\x20\0\x01\x01'];
  const checksum = chance() < 0.3;
  const rest = `${of(chance, pool)}${of(chance, pool)}\0\x01\0\x50${of(chance, tlvs)}${checksum ? '\x03\0\x04sum!' : ''}`;
  const kind = [of(chance, [0x21, 0x21, 0x20, 0x11, 0x22]), chance() < 0.8 ? family : below(chance, 256)] as const;
  const text = block(rest, kind, chance() < 0.9 ? 0 : below(chance, 9) - 4);
  return `${checksum && chance() < 0.8 ? checked(text) : text}${behind}`;
}

/** A second reader of version 1. */
const lineShape = /^PROXY (?:UNKNOWN(?: [ -~]*)?|(TCP[46]) (\S+) (\S+) (\d+) (\d+))\r\n/;

function line(text: string): ProxySaid | undefined {
  const match = lineShape.exec(text);
  if (match === null || match[0].length > 107) return undefined;
  const [, family, source, destination, ...ports] = match;
  if (family === undefined) return { kind: 'unknown', address: '', secure: false };
  const isAddress = (address: string) =>
    family === 'TCP4' ? isIPv4(address) : isIPv6(address) && !address.includes('%');
  const isPort = (port: string) => String(Number(port)) === port && Number(port) < 65_536;
  if (!isAddress(source!) || !isAddress(destination!) || !ports.every(isPort)) return undefined;
  return { kind: 'proxied', address: source!, secure: false };
}

const cutsMax = 160;

export const proxyHeaders: Target = {
  name: 'proxy-headers',
  seeds: [
    'PROXY TCP4 192.0.2.7 10.0.0.1 49153 80\r\n',
    'PROXY TCP6 2001:DB8:0:0::7 ::1 1 65535\r\nGET /',
    'PROXY UNKNOWN\r\n',
    'PROXY UNKNOWN what ever\r\n',
    block('', [0x20, 0]),
    block(`${addresses4[0]!}${addresses4[1]!}\0\x01\0\x50${tls}`, [0x21, 0x11]),
    checked(block(`${addresses6[0]!}${addresses6[1]!}\0\x01\0\x50\x03\0\x04sum!`, [0x21, 0x21])),
    block('/run/a'.padEnd(216, '\0'), [0x21, 0x31]),
  ],
  words: [
    signature,
    'PROXY ',
    'TCP4',
    'TCP6',
    'UNKNOWN',
    '\r\n',
    ' ',
    ...texts,
    ...addresses6,
    tls,
    '\x03\0\x04',
    '\x21',
    '\x11',
  ],
  generate: headers,
  // Each cut is read from its beginning.
  turnsPerByte: 4000,
  run(input) {
    const whole = readProxyHeader(input);
    if (input.length >= proxyHeaderBytesMax) assert.notEqual(whole.kind, 'more', 'it is never more than that');
    const everyNth = Math.max(1, Math.ceil(input.length / cutsMax));
    let before: ProxyHeaderStep = { kind: 'more' };
    for (let length = 0; length <= input.length; length += everyNth) {
      const step = readProxyHeader(input.subarray(0, length));
      // Once it is known, more bytes change nothing.
      if (before.kind !== 'more') assert.deepEqual(kindly(step), kindly(before), 'how it is cut');
      if (step.kind === 'header') assert(step.end <= length && step.end <= proxyHeaderBytesMax, 'its end is there');
      before = step;
    }
    if (before.kind !== 'more') assert.deepEqual(kindly(whole), kindly(before));
    if (whole.kind === 'header') {
      if (whole.end > 1) assert.equal(readProxyHeader(input.subarray(0, whole.end - 1)).kind, 'more', 'its last byte');
      again(whole.said);
    }
    const text = input.toString('latin1');
    if (!text.startsWith('PROXY ')) return;
    const other = line(text);
    assert.equal(whole.kind === 'header', other !== undefined, 'the second reader');
    if (whole.kind === 'header') assert.equal(whole.said.kind, other!.kind);
  },
};

/** Why it is refused may change as more of it is seen. */
function kindly(step: ProxyHeaderStep): unknown {
  return step.kind === 'refused' ? step.kind : step;
}

/** What was said, said in version 1 and in version 2, is read as the same. */
function again({ kind, address, secure }: ProxySaid): void {
  if (kind !== 'proxied') {
    assert.equal(address, '');
    return;
  }
  const four = isIPv4(address);
  assert(four || isIPv6(address), `${address} is an address`);
  const words = `PROXY ${four ? 'TCP4' : 'TCP6'} ${address} ${four ? '0.0.0.0' : '::'} 0 0\r\n`;
  assert.deepEqual(readProxyHeader(Buffer.from(words)), {
    kind: 'header',
    end: words.length,
    said: { kind, address, secure: false },
  });
  const raw = four ? String.fromCharCode(...address.split('.').map(Number)) : raw6(address);
  const text = block(`${raw}${raw}\0\0\0\0${secure ? tls : ''}`, [0x21, four ? 0x11 : 0x21]);
  assert.deepEqual(readProxyHeader(Buffer.from(text, 'latin1')), {
    kind: 'header',
    end: text.length,
    said: { kind, address, secure },
  });
}

/** The 16 bytes of an IPv6 address that may be shortened and end like an IPv4 address. */
function raw6(address: string): string {
  const [before = '', after] = address.split('::');
  const groups = (text: string): number[] =>
    text
      .split(':')
      .filter((group) => group !== '')
      .flatMap((group) => {
        if (!group.includes('.')) return parseInt(group, 16);
        const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
        return [(a << 8) | b, (c << 8) | d];
      });
  const [head, tail] = [groups(before), groups(after ?? '')];
  const zeros = Array<number>(8 - head.length - tail.length).fill(0);
  return [...head, ...zeros, ...tail].map(number16).join('');
}
