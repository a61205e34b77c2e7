/**
 * The embedded store: one process, no persistence. For `dev`, tests and affinity without sidecars.
 *
 * The rules are in record-rules.ts, as they are in Lua in redis-scripts.ts; here are the records and their room. Calls are
 * atomic because each runs in one turn of the event loop. Bounded by bytes: expired records go first, then writes
 * are refused as 'store-unavailable'; a live session is never evicted to make room for another one.
 *
 * Must not know sealing, files or pods.
 */

import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type {
  CreateResult,
  ForceResult,
  ImportedContent,
  Owner,
  PlantResult,
  PutContent,
  Store,
  StoreName,
  StoreRecord,
  TakeResult,
  Term,
  WriteResult,
} from './contract.ts';
import * as rules from './record-rules.ts';
import type { Ruled, SessionRecord, StoreTime } from './record-rules.ts';

/** What a record costs besides its name and its content; an estimate, so that empty records count too. */
const recordOverheadBytes = 512;

const defaultBytesMax = 256 * 1024 * 1024;

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Names, contents and overhead of all records; 256 MiB by default. */
  readonly bytesMax?: number;
}

/** A Store in this process's memory. */
export class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  /** Turns monotonic time into the store's own: it starts at the wall clock and never jumps. */
  readonly #timeOffsetMs: number;
  readonly #records = new Map<StoreName, SessionRecord>();
  #bytes = 0;
  /** No record expires before this time, so a sweep before it would find nothing. */
  #earliestExpiryMs = Infinity;
  #mark = '';
  #closed = false;

  constructor(options: MemoryStoreOptions) {
    this.#clock = options.clock;
    this.#bytesMax = options.bytesMax ?? defaultBytesMax;
    this.#timeOffsetMs = options.clock.nowMs() - options.clock.monotonicMs();
  }

  /** Bytes accounted for, of `bytesMax`. */
  get bytes(): number {
    return this.#bytes;
  }

  take(name: StoreName, me: Owner, ttlMs: number): Promise<TakeResult> {
    return this.#call(name, (record, time) => rules.take(record, { me, ttlMs, ...time })).then(withOwnBytes);
  }

  force(name: StoreName, me: Owner, seen: Term, ttlMs: number): Promise<ForceResult> {
    return this.#call(name, (record, time) => rules.force(record, { me, seen, ttlMs, ...time })).then(withOwnBytes);
  }

  create(name: StoreName, me: Owner, content: PutContent, ttlMs: number): Promise<CreateResult> {
    const copy = copied(content);
    return this.#call(name, (record, time) => rules.create(record, { me, content: copy, ttlMs, ...time }));
  }

  put(name: StoreName, me: Owner, epoch: number, content: PutContent, ttlMs: number): Promise<WriteResult> {
    const copy = copied(content);
    return this.#call(name, (record, time) => rules.put(record, { me, epoch, content: copy, ttlMs, ...time }));
  }

  confirm(name: StoreName, term: Term, touch: { ttlMs: number } | undefined): Promise<WriteResult> {
    return this.#call(name, (record, time) => rules.confirm(record, { term, ttlMs: touch?.ttlMs, ...time }));
  }

  release(name: StoreName, term: Term): Promise<WriteResult> {
    return this.#call(name, (record, time) => rules.release(record, { term, ...time }));
  }

  bury(name: StoreName, term: Term, ttlMs: number): Promise<WriteResult> {
    return this.#call(name, (record, time) => rules.bury(record, { term, ttlMs, ...time }));
  }

  plant(name: StoreName, imported: ImportedContent, ttlMs: number): Promise<PlantResult> {
    const content = { ...imported, bytes: Buffer.from(imported.bytes) };
    return this.#call(name, (record, time) => rules.plant(record, { content, ttlMs, ...time }));
  }

  mark(expected: string, next: string): Promise<string> {
    return Promise.try(() => {
      this.#assertOpen();
      const was = this.#mark;
      if (was === expected) this.#mark = next;
      return was;
    });
  }

  ownerOf(name: StoreName): Promise<StoreRecord | undefined> {
    return this.#call(name, (found, time) => {
      const record = rules.alive(found, time);
      if (record === undefined) return { reply: undefined, record };
      const { epoch, owner, tombstone, version, storedAtMs } = record;
      return { reply: { epoch, owner, tombstone, version, storedAtMs }, record };
    });
  }

  ping(): Promise<number> {
    return Promise.try(() => {
      this.#assertOpen();
      return Math.floor(this.#now() / 1000);
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#records.clear();
    this.#bytes = 0;
    return Promise.resolve();
  }

  /** Runs one operation at one moment of store time; what it throws becomes a rejection. */
  #call<Reply>(
    name: StoreName,
    rule: (record: SessionRecord | undefined, time: StoreTime) => Ruled<Reply>,
  ): Promise<Reply> {
    return Promise.try(() => {
      this.#assertOpen();
      const nowUs = this.#now();
      const { reply, record } = rule(this.#records.get(name), { nowUs });
      this.#keep(name, record, nowUs / 1000);
      return reply;
    });
  }

  /** Puts the record in the place of the one there was. @throws HoldfastError 'store-unavailable': no room for it */
  #keep(name: StoreName, record: SessionRecord | undefined, nowMs: number): void {
    const was = this.#records.get(name);
    if (record === was) return;
    const moreBytes = costOf(name, record) - costOf(name, was);
    if (moreBytes > 0) this.#makeRoom(moreBytes, { nowMs, except: name });
    this.#bytes += moreBytes;
    if (record === undefined) {
      this.#records.delete(name);
      return;
    }
    this.#records.set(name, record);
    if (record.expiresAtMs < this.#earliestExpiryMs) this.#earliestExpiryMs = record.expiresAtMs;
  }

  #makeRoom(neededBytes: number, now: { readonly nowMs: number; readonly except: StoreName }): void {
    if (this.#bytes + neededBytes <= this.#bytesMax) return;
    if (this.#earliestExpiryMs <= now.nowMs) this.#sweep(now);
    if (this.#bytes + neededBytes <= this.#bytesMax) return;
    throw new HoldfastError('store-unavailable', `The embedded store is full (${this.#bytesMax} bytes).`);
  }

  #sweep({ nowMs, except }: { readonly nowMs: number; readonly except: StoreName }): void {
    this.#earliestExpiryMs = Infinity;
    for (const [name, record] of this.#records) {
      if (record.expiresAtMs <= nowMs && name !== except) {
        this.#records.delete(name);
        this.#bytes -= costOf(name, record);
      } else if (record.expiresAtMs < this.#earliestExpiryMs) this.#earliestExpiryMs = record.expiresAtMs;
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new HoldfastError('store-unavailable', 'The embedded store is closed.');
  }

  /** Microseconds of store time. */
  #now(): number {
    return Math.floor((this.#timeOffsetMs + this.#clock.monotonicMs()) * 1000);
  }
}

/** Copied: the caller may use its buffer again, and a slice would keep a larger one alive. */
function copied(content: PutContent): PutContent {
  return { ...content, bytes: Buffer.from(content.bytes) };
}

/** What leaves is the caller's own, too. */
function withOwnBytes<Result extends TakeResult | ForceResult>(result: Result): Result {
  if (result.kind !== 'taken' || result.blob === undefined) return result;
  return { ...result, blob: { ...result.blob, bytes: Buffer.from(result.blob.bytes) } };
}

function costOf(name: StoreName, record: SessionRecord | undefined): number {
  return record === undefined ? 0 : name.length + recordOverheadBytes + (record.content?.bytes.length ?? 0);
}
