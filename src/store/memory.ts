/**
 * The embedded store: one process, no persistence. For `dev`, tests and affinity without sidecars.
 *
 * The reference for the rules in code that reads like them; redis-scripts.ts says the same in Lua. Calls are
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
  StoredBlob,
  StoreName,
  StoreRecord,
  TakenRecord,
  TakeResult,
  Term,
  WriteResult,
} from './contract.ts';

/** What a record costs besides its name and its content; an estimate, so that empty records count too. */
const recordOverheadBytes = 512;

const defaultBytesMax = 256 * 1024 * 1024;

interface MemoryRecord {
  epoch: number;
  owner: Owner | undefined;
  tombstone: boolean;
  version: number;
  storedAtMs: number;
  content: { readonly bytes: Buffer; readonly mtimeMs: number } | undefined;
  /** The term that began with a create: only its own creator may create again. */
  createdEpoch: number | undefined;
  /** The epoch of an import: while the record still has it, no keeper has taken the session. */
  importedEpoch: number | undefined;
  /** The term that buried the session: its own repeat is no failure. */
  buriedBy: Term | undefined;
  /** In store time. */
  expiresAtMs: number;
}

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
  readonly #records = new Map<StoreName, MemoryRecord>();
  #bytes = 0;
  #mark = '';
  /** No record expires before this time, so a sweep before it would find nothing. */
  #earliestExpiryMs = Infinity;
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
    return this.#atomic((now): TakeResult => {
      const record = this.#find(name, now);
      if (record === undefined) return { kind: 'absent', storeTimeMs: Math.floor(now) };
      if (record.owner !== undefined && record.owner.uid !== me.uid) {
        return { kind: 'owned', epoch: record.epoch, owner: record.owner };
      }
      return { kind: 'taken', ...this.#startTerm(record, me, { now, ttlMs }) };
    });
  }

  force(name: StoreName, me: Owner, seen: Term, ttlMs: number): Promise<ForceResult> {
    return this.#atomic((now): ForceResult => {
      const record = this.#find(name, now);
      if (record === undefined || !holds(record, seen)) return { kind: 'changed' };
      return { kind: 'taken', ...this.#startTerm(record, me, { now, ttlMs }) };
    });
  }

  create(name: StoreName, me: Owner, content: PutContent, ttlMs: number): Promise<CreateResult> {
    return this.#atomic((now): CreateResult => {
      const record = this.#find(name, now);
      if (record !== undefined) {
        const ownCreate = record.createdEpoch === record.epoch && record.owner?.uid === me.uid;
        if (!ownCreate || record.version >= content.version) return { kind: 'refused' };
      }
      const epoch = nextEpoch(record?.epoch ?? 0, now);
      this.#write(name, record, { owner: me, epoch, content, now, ttlMs }).createdEpoch = epoch;
      return { kind: 'created', epoch, storeTimeMs: Math.floor(now) };
    });
  }

  put(name: StoreName, me: Owner, epoch: number, content: PutContent, ttlMs: number): Promise<WriteResult> {
    return this.#atomic((now): WriteResult => {
      const record = this.#find(name, now);
      if (record !== undefined && isFenced(record, { epoch, uid: me.uid })) return { kind: 'refused' };
      if (record?.epoch === epoch && content.version <= record.version) this.#prolong(record, now + ttlMs);
      else this.#write(name, record, { owner: me, epoch, content, now, ttlMs });
      return { kind: 'stored', storeTimeMs: Math.floor(now) };
    });
  }

  confirm(name: StoreName, term: Term, touch: { ttlMs: number } | undefined): Promise<WriteResult> {
    return this.#atomic((now): WriteResult => {
      const record = this.#find(name, now);
      if (record === undefined) return { kind: 'refused', absent: true };
      if (!holds(record, term)) return { kind: 'refused' };
      if (touch !== undefined) this.#prolong(record, now + touch.ttlMs);
      return { kind: 'stored', storeTimeMs: Math.floor(now) };
    });
  }

  release(name: StoreName, term: Term): Promise<WriteResult> {
    return this.#atomic((now): WriteResult => {
      const record = this.#find(name, now);
      if (record === undefined) return { kind: 'refused', absent: true };
      // A free record of our own epoch is our own release: every other end of a term raises the epoch.
      if (record.epoch !== term.epoch || (record.owner !== undefined && record.owner.uid !== term.uid)) {
        return { kind: 'refused' };
      }
      record.owner = undefined;
      return { kind: 'stored', storeTimeMs: Math.floor(now) };
    });
  }

  bury(name: StoreName, term: Term, ttlMs: number): Promise<WriteResult> {
    return this.#atomic((now): WriteResult => {
      let record = this.#find(name, now);
      const stored: WriteResult = { kind: 'stored', storeTimeMs: Math.floor(now) };
      if (record !== undefined) {
        if (record.tombstone && record.owner === undefined && wasBuriedBy(record, term)) return stored;
        if (isFenced(record, term)) return { kind: 'refused' };
        this.#bytes -= record.content?.bytes.length ?? 0;
      } else {
        record = this.#add(name);
      }
      record.epoch = nextEpoch(Math.max(record.epoch, term.epoch), now);
      record.owner = undefined;
      record.tombstone = true;
      record.content = undefined;
      record.storedAtMs = Math.floor(now);
      record.buriedBy = term;
      this.#prolong(record, now + ttlMs);
      return stored;
    });
  }

  plant(name: StoreName, imported: ImportedContent, ttlMs: number): Promise<PlantResult> {
    return this.#atomic((now): PlantResult => {
      const record = this.#find(name, now);
      if (record !== undefined) {
        if (record.importedEpoch !== record.epoch) return 'kept';
        if (record.content !== undefined && record.content.mtimeMs >= imported.mtimeMs) return 'same';
      }
      const epoch = nextEpoch(record?.epoch ?? 0, now);
      const content = { ...imported, version: 0 };
      this.#write(name, record, { owner: undefined, epoch, content, now, ttlMs }).importedEpoch = epoch;
      return record === undefined ? 'planted' : 'renewed';
    });
  }

  mark(expected: string, next: string): Promise<string> {
    return this.#atomic(() => {
      const was = this.#mark;
      if (was === expected) this.#mark = next;
      return was;
    });
  }

  ownerOf(name: StoreName): Promise<StoreRecord | undefined> {
    return this.#atomic((now) => {
      const record = this.#find(name, now);
      if (record === undefined) return undefined;
      const { epoch, owner, tombstone, version, storedAtMs } = record;
      return { epoch, owner, tombstone, version, storedAtMs };
    });
  }

  ping(): Promise<number> {
    return this.#atomic((now) => Math.floor(now));
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#records.clear();
    this.#bytes = 0;
    return Promise.resolve();
  }

  /** Runs one operation at one moment of store time; what it throws becomes a rejection. */
  #atomic<Result>(operation: (nowMs: number) => Result): Promise<Result> {
    return Promise.try(() => {
      if (this.#closed) throw new HoldfastError('store-unavailable', 'The embedded store is closed.');
      return operation(this.#timeOffsetMs + this.#clock.monotonicMs());
    });
  }

  #find(name: StoreName, now: number): MemoryRecord | undefined {
    const record = this.#records.get(name);
    if (record === undefined || record.expiresAtMs > now) return record;
    this.#remove(name, record);
    return undefined;
  }

  #startTerm(record: MemoryRecord, me: Owner, life: { now: number; ttlMs: number }): TakenRecord {
    const previous = { epoch: record.epoch, uid: record.owner?.uid };
    record.epoch = nextEpoch(record.epoch, life.now);
    record.owner = me;
    this.#prolong(record, life.now + life.ttlMs);
    const { epoch, tombstone, version } = record;
    return { epoch, previous, tombstone, version, blob: blobOf(record), storeTimeMs: Math.floor(life.now) };
  }

  #write(
    name: StoreName,
    existing: MemoryRecord | undefined,
    write: { owner: Owner | undefined; epoch: number; content: PutContent; now: number; ttlMs: number },
  ): MemoryRecord {
    const { owner, epoch, content, now, ttlMs } = write;
    const freedBytes = existing?.content?.bytes.length ?? 0;
    this.#makeRoom(content.bytes.length - freedBytes + (existing === undefined ? costOf(name) : 0), now);
    const record = existing ?? this.#add(name);
    this.#bytes += content.bytes.length - freedBytes;
    record.epoch = epoch;
    record.owner = owner;
    record.tombstone = false;
    record.version = content.version;
    record.storedAtMs = Math.floor(now);
    // Copied: the caller may use its buffer again, and a slice would keep a larger one alive.
    record.content = { bytes: Buffer.from(content.bytes), mtimeMs: content.mtimeMs };
    this.#prolong(record, now + ttlMs);
    return record;
  }

  #add(name: StoreName): MemoryRecord {
    this.#makeRoom(costOf(name), this.#timeOffsetMs + this.#clock.monotonicMs());
    const record: MemoryRecord = {
      epoch: 0,
      owner: undefined,
      tombstone: false,
      version: 0,
      storedAtMs: 0,
      content: undefined,
      createdEpoch: undefined,
      importedEpoch: undefined,
      buriedBy: undefined,
      expiresAtMs: 0,
    };
    this.#records.set(name, record);
    this.#bytes += costOf(name);
    return record;
  }

  #remove(name: StoreName, record: MemoryRecord): void {
    this.#records.delete(name);
    this.#bytes -= costOf(name) + (record.content?.bytes.length ?? 0);
  }

  #prolong(record: MemoryRecord, untilMs: number): void {
    if (untilMs > record.expiresAtMs) record.expiresAtMs = untilMs;
    if (record.expiresAtMs < this.#earliestExpiryMs) this.#earliestExpiryMs = record.expiresAtMs;
  }

  #makeRoom(neededBytes: number, now: number): void {
    if (this.#bytes + neededBytes <= this.#bytesMax) return;
    if (this.#earliestExpiryMs <= now) this.#sweep(now);
    if (this.#bytes + neededBytes <= this.#bytesMax) return;
    throw new HoldfastError('store-unavailable', `The embedded store is full (${this.#bytesMax} bytes).`);
  }

  #sweep(now: number): void {
    this.#earliestExpiryMs = Infinity;
    for (const [name, record] of this.#records) {
      if (record.expiresAtMs <= now) this.#remove(name, record);
      else if (record.expiresAtMs < this.#earliestExpiryMs) this.#earliestExpiryMs = record.expiresAtMs;
    }
  }
}

/** Protocol rule 1: above every earlier epoch, also of records that expired or were lost. */
function nextEpoch(epoch: number, nowMs: number): number {
  return Math.max(epoch + 1, Math.floor(nowMs * 1000));
}

function holds(record: MemoryRecord, term: Term): boolean {
  return record.epoch === term.epoch && record.owner?.uid === term.uid;
}

/** Protocol rule 2: a write of an older epoch, or of a term that is not the record's, changes nothing. */
function isFenced(record: MemoryRecord, term: Term): boolean {
  return term.epoch < record.epoch || (term.epoch === record.epoch && record.owner?.uid !== term.uid);
}

function wasBuriedBy(record: MemoryRecord, term: Term): boolean {
  return record.buriedBy?.epoch === term.epoch && record.buriedBy.uid === term.uid;
}

function blobOf(record: MemoryRecord): StoredBlob | undefined {
  if (record.content === undefined) return undefined;
  const { bytes, mtimeMs } = record.content;
  return { version: record.version, bytes: Buffer.from(bytes), mtimeMs, storedAtMs: record.storedAtMs };
}

function costOf(name: StoreName): number {
  return name.length + recordOverheadBytes;
}
