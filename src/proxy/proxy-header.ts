/**
 * The PROXY header, versions 1 and 2, as a load balancer that passes TCP on puts it before the client's own bytes
 * (the PROXY protocol's specification, haproxy.org/download/3.0/doc/proxy-protocol.txt; sections below are its).
 *
 * Bytes in, meaning out: no sockets, no timers. Strict: what two readers could take for two things is refused, and a
 * header that lies about its length too. Must not know who may send one.
 */

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { crc32c } from './crc32c.ts';

export type ProxyHeaderStep =
  /** More bytes are needed. */
  | { readonly kind: 'more' }
  /** No PROXY header, or none that may be believed. `detail`: what is wrong with it, for the log. */
  | { readonly kind: 'refused'; readonly detail: string }
  | {
      readonly kind: 'header';
      /** Index behind its last byte: what follows is the client's. */
      readonly end: number;
      readonly said: ProxySaid;
    };

/** What a header says of the connection behind it. */
export interface ProxySaid {
  /**
   * 'proxied': the client's address is given. 'unknown': the sender does not know it, or it is no address of a network.
   * 'local': the sender speaks for itself (a health check); its own address counts.
   */
  readonly kind: 'proxied' | 'unknown' | 'local';
  /** In the usual short spelling; an IPv4 address in IPv6 clothes is an IPv4 address. '' unless 'proxied'. */
  readonly address: string;
  /** The client speaks TLS with the sender (version 2 alone can say so). */
  readonly secure: boolean;
}

/** Section 2.1: "a 108-byte buffer is always enough", with its zero. */
const lineBytesMax = 107;
/** What version 2 may announce behind its 16 bytes: addresses take 216 at most, the rest are TLVs. */
const blockBytesMax = 4096;
/** No header that is not refused is longer. */
export const proxyHeaderBytesMax = 16 + blockBytesMax;

const more: ProxyHeaderStep = { kind: 'more' };
const lineStart = Buffer.from('PROXY ', 'latin1');
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** @param bytes all bytes of the connection so far. Call it again with more after 'more'. Never throws. */
export function readProxyHeader(bytes: Buffer): ProxyHeaderStep {
  if (bytes.length === 0) return more;
  if (beginsAs(bytes, signature)) return bytes.length < 16 ? more : readBlock(bytes);
  if (beginsAs(bytes, lineStart)) return readLine(bytes);
  return refused('it is no PROXY header');
}

/** As far as there are bytes. */
function beginsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function refused(detail: string): ProxyHeaderStep {
  return { kind: 'refused', detail };
}

/** Version 1 (section 2.1): `PROXY TCP4 SOURCE DESTINATION PORT PORT CRLF`. */
function readLine(bytes: Buffer): ProxyHeaderStep {
  const limit = Math.min(bytes.length, lineBytesMax);
  let at = 0;
  while (at < limit && bytes[at]! >= 0x20 && bytes[at]! <= 0x7e) at++;
  if (at === limit) return limit === lineBytesMax ? refused('its line is too long') : more;
  if (bytes[at] !== 0x0d) return refused('its line holds what is no text');
  if (at + 1 === lineBytesMax) return refused('its line is too long');
  if (at + 1 === bytes.length) return more;
  if (bytes[at + 1] !== 0x0a) return refused('its line does not end with CRLF');
  const said = readWords(bytes.toString('latin1', lineStart.length, at));
  return said === undefined ? refused('its line is malformed') : { kind: 'header', end: at + 2, said };
}

function readWords(text: string): ProxySaid | undefined {
  const [family, source = '', destination = '', ...ports] = text.split(' ');
  // "The receiver must ignore anything presented before the CRLF is found."
  if (family === 'UNKNOWN') return unknown(false);
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : undefined;
  if (isAddress === undefined || ports.length !== 2) return undefined;
  if (!isAddress(source) || !isAddress(destination) || !ports.every(isPort)) return undefined;
  return { kind: 'proxied', address: usualSpelling(source), secure: false };
}

/** A zone means nothing on another machine. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** Version 2 (section 2.2): 16 bytes, then as many as they announce: addresses and TLVs. */
function readBlock(bytes: Buffer): ProxyHeaderStep {
  const [versionAndCommand, familyAndProtocol] = [bytes[12]!, bytes[13]!];
  const command = versionAndCommand & 0x0f;
  const [family, protocol] = [familyAndProtocol >> 4, familyAndProtocol & 0x0f];
  const end = 16 + bytes.readUInt16BE(14);
  if (versionAndCommand >> 4 !== 2) return refused('its version is unknown');
  if (command > 1) return refused('its command is unknown');
  if (end > proxyHeaderBytesMax) return refused(`it is longer than ${proxyHeaderBytesMax} bytes`);
  if (bytes.length < end) return more;
  // "The receiver must discard the protocol block including the family, which is ignored."
  if (command === 0) return { kind: 'header', end, said: { kind: 'local', address: '', secure: false } };
  const addressBytes = addressBytesOf[family];
  if (addressBytes === undefined || protocol > 2) return refused('its address family is unknown');
  const tlvStart = 16 + addressBytes;
  if (tlvStart > end) return refused('it is too short for its addresses');
  const tlvs = readTlvs(bytes, tlvStart, end);
  if (tlvs.fault !== undefined) return refused(tlvs.fault);
  const { secure } = tlvs;
  if (protocol !== 1 || (family !== 1 && family !== 2)) return { kind: 'header', end, said: unknown(secure) };
  const address = family === 1 ? bytes.subarray(16, 20).join('.') : ipv6At(bytes, 16);
  return { kind: 'header', end, said: { kind: 'proxied', address: usualSpelling(address), secure } };
}

/** By family: unspecified, IPv4, IPv6, Unix. Both ends together. */
const addressBytesOf: Readonly<Record<number, number>> = { 0: 0, 1: 12, 2: 36, 3: 216 };

/** PP2_TYPE_CRC32C and PP2_TYPE_SSL (section 2.2.x). */
const checksumType = 0x03;
const sslType = 0x20;

/** Each is a type, two bytes of length, and so many bytes; together they fill the rest exactly. */
function readTlvs(bytes: Buffer, start: number, end: number): { secure: boolean; fault?: string } {
  let secure = false;
  let checksums = 0;
  for (let at = start; at < end;) {
    if (at + 3 > end) return { secure, fault: 'a TLV is cut short' };
    const [type, length] = [bytes[at]!, bytes.readUInt16BE(at + 1)];
    const value = at + 3;
    at = value + length;
    if (at > end) return { secure, fault: 'a TLV is longer than the header' };
    if (type === sslType) {
      if (length < 5) return { secure, fault: 'its TLV about TLS is cut short' };
      // PP2_CLIENT_SSL.
      secure = (bytes[value]! & 1) !== 0;
    } else if (type === checksumType) {
      checksums++;
      if (length !== 4 || checksums > 1) return { secure, fault: 'its checksum is malformed' };
      if (!isChecked(bytes.subarray(0, end), value)) return { secure, fault: 'its checksum does not fit' };
    }
  }
  return { secure };
}

/** The checksum is over the whole header, with zeros in its own place. */
function isChecked(header: Buffer, at: number): boolean {
  const zeroed = Buffer.from(header);
  zeroed.fill(0, at, at + 4);
  return crc32c(zeroed) === header.readUInt32BE(at);
}

function unknown(secure: boolean): ProxySaid {
  return { kind: 'unknown', address: '', secure };
}

function ipv6At(bytes: Buffer, start: number): string {
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(start + 2 * group).toString(16));
  return groups.join(':');
}

/** RFC 5952, as the sockets' own addresses are spelled; `::ffff:192.0.2.1` is 192.0.2.1. */
function usualSpelling(address: string): string {
  if (isIPv4(address)) return address;
  const { address: short } = new SocketAddress({ address, family: 'ipv6' });
  return withoutMapping(short);
}

/** How the kernel names an IPv4 client of a socket that takes both. */
export function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
