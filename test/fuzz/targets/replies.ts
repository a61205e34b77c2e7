/** What others' servers say: Redis' replies, addresses, URLs. Only our own errors are thrown, of the declared kinds. */

import assert from 'node:assert/strict';
import { type Address, formatAddress, parseAddress } from '../../../src/base/address.ts';
import { type ErrorKind, HoldfastError } from '../../../src/base/errors.ts';
import {
  decodeOwner,
  encodeOwner,
  readCreate,
  readForce,
  readPlant,
  readRecord,
  readTake,
  readWrite,
  ScriptReply,
} from '../../../src/store/redis-replies.ts';
import { readRedirection, readSlots, slotOf } from '../../../src/store/redis-slots.ts';
import { parseRedisUrl } from '../../../src/store/redis-url.ts';
import type { Target } from '../fuzzer.ts';

const readings = [readTake, readForce, readCreate, readWrite, readPlant, readRecord] as const;

export const replies: Target = {
  name: 'replies',
  seeds: [
    '["taken","1","2","3","u",null,"7","8","9","blob","10"]',
    '["owned","1","2","[\\"u\\",\\"n\\",\\"p\\",\\"d\\"]"]',
    '["absent","1"]',
    '["stored","5"]',
    '["u","n","p","d"]',
    '[[0,5460,["127.0.0.1",6379,"id"]],[5461,16383,[null,6380]]]',
    'MOVED 3999 127.0.0.1:6381',
    'ASK 1 :6381',
    'ASK 1 [::1]:6381',
    'redis+cluster://u:p@h1:1,h2/0?x=1',
    'rediss://:pass@redis',
    '[::1]:80',
    'h:65536',
  ],
  words: [
    '"taken"',
    '"owned"',
    '"created"',
    '"planted"',
    'null',
    '[',
    ']',
    ',',
    '""',
    '1e3',
    '-1',
    '16384',
    '9007199254740993',
    'MOVED ',
    'ASK ',
    ':',
    '[::1]',
    'redis://',
    '+sentinel',
    '@',
    '/',
    '%',
    '{',
    '}',
  ],
  turnsPerByte: 4000,
  run(input) {
    const text = input.toString('utf8');
    const owner = declared('store-misconfigured', () => decodeOwner(text));
    if (owner !== undefined) assert.deepEqual(decodeOwner(encodeOwner(owner)), owner);
    const redirection = readRedirection(text, 'asked');
    if (redirection !== undefined) sound(redirection.address);
    const address = parseAddress(text);
    if (address !== undefined) sound(address);
    declared('bad-configuration', () => parseRedisUrl(text));
    assert(slotOf(text) >= 0 && slotOf(text) < 16_384);
    const reply = parsed(text);
    if (reply === undefined) return;
    readSlots(reply, 'asked');
    for (const read of readings) declared('store-misconfigured', () => read(new ScriptReply(reply)));
  },
};

function sound(address: Address): void {
  assert(Number.isInteger(address.port) && address.port >= 0 && address.port <= 65_535 && address.host !== '');
  assert.deepEqual(parseAddress(formatAddress(address)), address);
}

/** @returns undefined where it throws an error of that kind */
function declared<T>(kind: ErrorKind, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof HoldfastError && error.kind === kind) return undefined;
    throw error;
  }
}

/** As the client gives replies: strings are Buffers. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) => (typeof value === 'string' ? Buffer.from(value, 'latin1') : value));
  } catch {
    return undefined;
  }
}
