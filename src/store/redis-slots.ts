/**
 * Which node of a Redis Cluster has a key: the hash slot of a key, the reply of CLUSTER SLOTS, and redirections.
 * Source: the Redis Cluster specification (redis.io/docs/reference/cluster-spec), "Key distribution model".
 *
 * Must not connect.
 */

import { formatAddress, parseAddress } from '../base/address.ts';
import type { Address } from '../base/address.ts';

export const slotCount = 16_384;

/** More masters than this in one reply are no cluster that was ever built. */
const rangesMax = slotCount;

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

/** CRC16 (XMODEM) of the key, modulo 16384. Our keys hold no braces, so there are no hash tags to look for. */
export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(key)) crc = (crc << 8) ^ crcTable[((crc >> 8) ^ byte) & 0xff]!;
  return crc & (slotCount - 1);
}

/** From slot to `host:port` of its master; undefined: nobody has it. */
export type SlotTable = (string | undefined)[];

/**
 * CLUSTER SLOTS: a list of [first, last, [host, port, id, ...] of the master, replicas ...].
 * @param asked the host that answered: a node that does not know its own name gives none.
 * @returns undefined where it is no such list, or covers no slot at all.
 */
export function readSlots(reply: unknown, asked: string): SlotTable | undefined {
  if (!Array.isArray(reply) || reply.length === 0 || reply.length > rangesMax) return undefined;
  const table: SlotTable = new Array<string | undefined>(slotCount).fill(undefined);
  for (const range of reply as unknown[]) {
    if (!Array.isArray(range)) return undefined;
    const [first, last, master] = range as unknown[];
    if (!isSlot(first) || !isSlot(last) || !Array.isArray(master)) return undefined;
    const [host, port] = master as unknown[];
    if (typeof port !== 'number') return undefined;
    const name = host === null ? '' : text(host);
    if (name === undefined) return undefined;
    table.fill(formatAddress({ host: name === '' || name === '?' ? asked : name, port }), first, last + 1);
  }
  return table;
}

export interface Redirection {
  /** `moved`: for good. `ask`: for this one command, while the slot is on its way. */
  readonly kind: 'moved' | 'ask';
  readonly slot: number;
  readonly address: Address;
}

/**
 * `MOVED 3999 127.0.0.1:6381` or `ASK ...`; the port alone means the host that was asked.
 * @returns undefined for any other error.
 */
export function readRedirection(message: string, asked: string): Redirection | undefined {
  const match = /^(MOVED|ASK) (\d{1,5}) (\S*)$/.exec(message);
  if (match === null) return undefined;
  const [, word, slot, place = ''] = match;
  const colon = place.lastIndexOf(':');
  const host = place.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const address = parseAddress(
    formatAddress({ host: host === '' ? asked : host, port: Number(place.slice(colon + 1)) }),
  );
  if (address === undefined || !isSlot(Number(slot))) return undefined;
  return { kind: word === 'ASK' ? 'ask' : 'moved', slot: Number(slot), address };
}

function isSlot(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < slotCount;
}

function text(value: unknown): string | undefined {
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  return typeof value === 'string' ? value : undefined;
}
