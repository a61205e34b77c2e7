/**
 * Redis replies become the contract's types here, at the edge, so that nothing behind it sees a Buffer for a
 * number or a null for an absence. Every reply of a script is an array: a word, the store's time in ms, the rest.
 *
 * Must not know how replies arrive. What is malformed (somebody else wrote that key) is 'store-misconfigured'.
 */

import { HoldfastError } from '../base/errors.ts';
import type {
  CreateResult,
  ForceResult,
  Owner,
  PlantResult,
  StoreRecord,
  TakenRecord,
  TakeResult,
  WriteResult,
} from './contract.ts';

/** A script's reply, its shape checked: elements are Buffers, null for an absent field. */
export class ScriptReply {
  readonly #items: readonly unknown[];

  constructor(reply: unknown) {
    if (!Array.isArray(reply)) throw malformed('a reply is no list');
    this.#items = reply;
  }

  get word(): string {
    return this.text(0);
  }

  get storeTimeMs(): number {
    return this.number(1);
  }

  bytes(index: number): Buffer | undefined {
    const item = this.#items[index];
    if (item === null || item === undefined) return undefined;
    if (!Buffer.isBuffer(item)) throw malformed(`element ${index} is no string`);
    return item;
  }

  text(index: number): string {
    const bytes = this.bytes(index);
    if (bytes === undefined) throw malformed(`element ${index} is missing`);
    return bytes.toString('utf8');
  }

  number(index: number): number {
    const value = Number(this.text(index));
    if (!Number.isSafeInteger(value) || value < 0) throw malformed(`element ${index} is no number`);
    return value;
  }
}

/** The owner as the record keeps it. */
export function encodeOwner(owner: Owner): string {
  return JSON.stringify([owner.uid, owner.name, owner.peer, owner.data]);
}

/** @throws HoldfastError 'store-misconfigured' for anything that encodeOwner did not write. */
export function decodeOwner(text: string): Owner {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    throw malformed('an owner is no JSON');
  }
  if (!Array.isArray(parts) || parts.length !== 4) throw malformed('an owner has not four parts');
  const [uid, name, peer, data] = parts as unknown[];
  if (typeof uid !== 'string' || typeof name !== 'string' || typeof peer !== 'string' || typeof data !== 'string') {
    throw malformed('a part of an owner is no string');
  }
  return { uid, name, peer, data };
}

/** Reply of take. */
export function readTake(reply: ScriptReply): TakeResult {
  switch (reply.word) {
    case 'absent':
      return { kind: 'absent', storeTimeMs: reply.storeTimeMs };
    case 'owned':
      return { kind: 'owned', epoch: reply.number(2), owner: decodeOwner(reply.text(3)) };
    default:
      return { kind: 'taken', ...readTaken(reply) };
  }
}

/** Reply of force. */
export function readForce(reply: ScriptReply): ForceResult {
  return reply.word === 'changed' ? { kind: 'changed' } : { kind: 'taken', ...readTaken(reply) };
}

/** Reply of create. */
export function readCreate(reply: ScriptReply): CreateResult {
  if (reply.word !== 'created') return { kind: 'refused' };
  return { kind: 'created', epoch: reply.number(2), storeTimeMs: reply.storeTimeMs };
}

/** Reply of put, confirm, release and bury. */
export function readWrite(reply: ScriptReply): WriteResult {
  switch (reply.word) {
    case 'stored':
      return { kind: 'stored', storeTimeMs: reply.storeTimeMs };
    case 'absent':
      return { kind: 'refused', absent: true };
    case 'refused':
      return { kind: 'refused' };
    default:
      throw malformed('an unknown word');
  }
}

/** Reply of plant. */
export function readPlant(reply: ScriptReply): PlantResult {
  const { word } = reply;
  if (word === 'planted' || word === 'renewed' || word === 'same' || word === 'kept') return word;
  throw malformed('an unknown word');
}

/** Reply of HMGET e o t v s: no script, so no word and no time. */
export function readRecord(reply: ScriptReply): StoreRecord | undefined {
  if (reply.bytes(0) === undefined) return undefined;
  return {
    epoch: reply.number(0),
    owner: reply.bytes(1) === undefined ? undefined : decodeOwner(reply.text(1)),
    tombstone: reply.bytes(2) !== undefined,
    version: reply.number(3),
    storedAtMs: reply.number(4),
  };
}

function readTaken(reply: ScriptReply): TakenRecord {
  if (reply.word !== 'taken') throw malformed('an unknown word');
  const version = reply.number(6);
  const bytes = reply.bytes(9);
  return {
    epoch: reply.number(2),
    previous: { epoch: reply.number(3), uid: reply.bytes(4)?.toString('utf8'), sinceEpoch: reply.number(8) },
    tombstone: reply.bytes(5) !== undefined,
    version,
    blob: bytes && { version, bytes, mtimeMs: Number(reply.text(10)), storedAtMs: reply.number(7) },
    storeTimeMs: reply.storeTimeMs,
  };
}

function malformed(what: string): HoldfastError {
  return new HoldfastError('store-misconfigured', `Redis holds something that Holdfast did not write: ${what}.`);
}
