/**
 * The store's side of the ownership protocol as pure functions: one record and one call in, the answer and the record
 * afterwards out (docs/ownership.md, rules 1 to 4, 16, 24). memory.ts runs exactly these; redis-scripts.ts says the same in
 * Lua and is checked against them on a real server; the model in test/model/ explores them.
 *
 * No clock, no names, no bookkeeping of bytes: whoever calls has looked the record up and knows the time. Records are
 * values, a changed one is a new one. Must not know sealing, files or pods.
 */

import type {
  CreateResult,
  ForceResult,
  ImportedContent,
  Owner,
  PlantResult,
  PutContent,
  StoredBlob,
  TakenRecord,
  TakeResult,
  Term,
  WriteResult,
} from './contract.ts';

/** What a store keeps of one session. */
export interface SessionRecord {
  readonly epoch: number;
  /** Undefined: free. */
  readonly owner: Owner | undefined;
  /** The first epoch of the owner's unbroken run of terms. */
  readonly sinceEpoch: number;
  readonly tombstone: boolean;
  readonly version: number;
  /** Store time of the last write or burial. */
  readonly storedAtMs: number;
  readonly content: { readonly bytes: Buffer; readonly mtimeMs: number } | undefined;
  /** The term that began with a create: only its own creator may create again. */
  readonly createdEpoch: number | undefined;
  /** The epoch that an import gave it: only as long as that is the record's, nobody has taken it. */
  readonly importedEpoch: number | undefined;
  /** The term that buried the session: its own repeat is no failure. */
  readonly buriedBy: Term | undefined;
  /** Store time; the record counts as absent from then on. */
  readonly expiresAtMs: number;
}

/** The record after a call; the same object where nothing changed. */
export interface Ruled<Reply> {
  readonly reply: Reply;
  readonly record: SessionRecord | undefined;
}

/** Microseconds of the store's own clock, whole. */
export interface StoreTime {
  readonly nowUs: number;
}

interface Caller extends StoreTime {
  readonly me: Owner;
  readonly ttlMs: number;
}

type Found = SessionRecord | undefined;

/** The record, unless its life is over. */
export function alive(record: Found, { nowUs }: StoreTime): Found {
  return record !== undefined && record.expiresAtMs > nowUs / 1000 ? record : undefined;
}

/** Store.take: becomes the owner of what is free, a tombstone, or its own already. */
export function take(found: Found, call: Caller): Ruled<TakeResult> {
  const record = alive(found, call);
  if (record === undefined) return { reply: { kind: 'absent', storeTimeMs: timeMs(call) }, record };
  if (record.owner !== undefined && record.owner.uid !== call.me.uid) {
    return { reply: { kind: 'owned', epoch: record.epoch, owner: record.owner }, record };
  }
  return startTerm(record, call);
}

/** Store.force: takes from the owner that was seen, and only from that one (rule 16). */
export function force(found: Found, call: Caller & { readonly seen: Term }): Ruled<ForceResult> {
  const record = alive(found, call);
  if (record === undefined || !holds(record, call.seen)) return { reply: { kind: 'changed' }, record };
  return startTerm(record, call);
}

/** Store.create: only into absence, or over what its own lost create left (rule 4). */
export function create(found: Found, call: Caller & { readonly content: PutContent }): Ruled<CreateResult> {
  const record = alive(found, call);
  if (record !== undefined) {
    const ownCreate = record.createdEpoch === record.epoch && record.owner?.uid === call.me.uid;
    if (!ownCreate || record.version >= call.content.version) return { reply: { kind: 'refused' }, record };
  }
  const epoch = nextEpoch(record?.epoch ?? 0, call);
  const reply: CreateResult = { kind: 'created', epoch, storeTimeMs: timeMs(call) };
  return { reply, record: { ...written(record, { ...call, epoch }), createdEpoch: epoch } };
}

/** Store.put: a write of a term, fenced by rule 2. */
export function put(
  found: Found,
  call: Caller & { readonly epoch: number; readonly content: PutContent },
): Ruled<WriteResult> {
  const record = alive(found, call);
  if (record !== undefined && isFenced(record, { epoch: call.epoch, uid: call.me.uid })) return refused(record);
  const isRepeat = record?.epoch === call.epoch && call.content.version <= record.version;
  return stored(isRepeat ? prolonged(record, call) : written(record, call), call);
}

/** Store.confirm: whether the term holds (rule 6). */
export function confirm(
  found: Found,
  call: StoreTime & { readonly term: Term; readonly ttlMs: number | undefined },
): Ruled<WriteResult> {
  const record = alive(found, call);
  if (record === undefined) return absent;
  if (!holds(record, call.term)) return refused(record);
  return stored(call.ttlMs === undefined ? record : prolonged(record, { ...call, ttlMs: call.ttlMs }), call);
}

/** Store.release: the end of a term that keeps content and epoch. */
export function release(found: Found, call: StoreTime & { readonly term: Term }): Ruled<WriteResult> {
  const record = alive(found, call);
  if (record === undefined) return absent;
  // A free record of our own epoch is our own release: every other end of a term raises the epoch.
  if (record.epoch !== call.term.epoch || (record.owner !== undefined && record.owner.uid !== call.term.uid)) {
    return refused(record);
  }
  return stored({ ...record, owner: undefined }, call);
}

/** Store.bury: the end of a term that leaves a tombstone (rule 24). */
export function bury(
  found: Found,
  call: StoreTime & { readonly term: Term; readonly ttlMs: number },
): Ruled<WriteResult> {
  const record = alive(found, call);
  const { term } = call;
  if (record !== undefined) {
    const isRepeat = record.buriedBy?.epoch === term.epoch && record.buriedBy.uid === term.uid;
    if (record.tombstone && record.owner === undefined && isRepeat) return stored(record, call);
    if (isFenced(record, term)) return refused(record);
  }
  const buried: SessionRecord = {
    epoch: nextEpoch(Math.max(record?.epoch ?? 0, term.epoch), call),
    owner: undefined,
    sinceEpoch: 0,
    tombstone: true,
    version: record?.version ?? 0,
    storedAtMs: timeMs(call),
    content: undefined,
    createdEpoch: undefined,
    importedEpoch: undefined,
    buriedBy: term,
    expiresAtMs: record?.expiresAtMs ?? 0,
  };
  return stored(prolonged(buried, call), call);
}

/** Store.plant: an import, into absence or over an earlier import that nobody has taken. */
export function plant(
  found: Found,
  call: StoreTime & { readonly content: ImportedContent; readonly ttlMs: number },
): Ruled<PlantResult> {
  const record = alive(found, call);
  if (record !== undefined) {
    if (record.importedEpoch !== record.epoch) return { reply: 'kept', record };
    if (record.content !== undefined && record.content.mtimeMs >= call.content.mtimeMs)
      return { reply: 'same', record };
  }
  const epoch = nextEpoch(record?.epoch ?? 0, call);
  const planted = written(record, { ...call, me: undefined, epoch, content: { ...call.content, version: 0 } });
  return { reply: record === undefined ? 'planted' : 'renewed', record: { ...planted, importedEpoch: epoch } };
}

const absent: Ruled<WriteResult> = { reply: { kind: 'refused', absent: true }, record: undefined };

function refused(record: SessionRecord): Ruled<{ readonly kind: 'refused' }> {
  return { reply: { kind: 'refused' }, record };
}

function stored(record: SessionRecord, time: StoreTime): Ruled<WriteResult> {
  return { reply: { kind: 'stored', storeTimeMs: timeMs(time) }, record };
}

function startTerm(was: SessionRecord, call: Caller): Ruled<{ readonly kind: 'taken' } & TakenRecord> {
  const epoch = nextEpoch(was.epoch, call);
  const sinceEpoch = was.owner?.uid === call.me.uid ? was.sinceEpoch : epoch;
  const record = prolonged({ ...was, epoch, owner: call.me, sinceEpoch }, call);
  const { tombstone, version } = record;
  const previous = { epoch: was.epoch, uid: was.owner?.uid, sinceEpoch: was.sinceEpoch };
  const storeTimeMs = timeMs(call);
  return { reply: { kind: 'taken', epoch, previous, tombstone, version, blob: blobOf(record), storeTimeMs }, record };
}

function written(
  was: SessionRecord | undefined,
  call: StoreTime & {
    readonly me: Owner | undefined;
    readonly epoch: number;
    readonly content: PutContent;
    readonly ttlMs: number;
  },
): SessionRecord {
  const { version, bytes, mtimeMs } = call.content;
  const record: SessionRecord = {
    epoch: call.epoch,
    owner: call.me,
    sinceEpoch: was?.epoch === call.epoch ? was.sinceEpoch : call.epoch,
    tombstone: false,
    version,
    storedAtMs: timeMs(call),
    content: { bytes, mtimeMs },
    createdEpoch: was?.createdEpoch,
    importedEpoch: was?.importedEpoch,
    buriedBy: was?.buriedBy,
    expiresAtMs: was?.expiresAtMs ?? 0,
  };
  return prolonged(record, call);
}

/** No call ever shortens a record's life. */
function prolonged(record: SessionRecord, call: StoreTime & { readonly ttlMs: number }): SessionRecord {
  const expiresAtMs = call.nowUs / 1000 + call.ttlMs;
  return expiresAtMs > record.expiresAtMs ? { ...record, expiresAtMs } : record;
}

/** Rule 1: above every earlier epoch, also of records that expired or were lost. */
function nextEpoch(epoch: number, { nowUs }: StoreTime): number {
  return Math.max(epoch + 1, nowUs);
}

function holds(record: SessionRecord, term: Term): boolean {
  return record.epoch === term.epoch && record.owner?.uid === term.uid;
}

/** Rule 2: a write of an older epoch, or of a term that is not the record's, changes nothing. */
function isFenced(record: SessionRecord, term: Term): boolean {
  return term.epoch < record.epoch || (term.epoch === record.epoch && record.owner?.uid !== term.uid);
}

function blobOf({ content, version, storedAtMs }: SessionRecord): StoredBlob | undefined {
  return content && { version, bytes: content.bytes, mtimeMs: content.mtimeMs, storedAtMs };
}

function timeMs({ nowUs }: StoreTime): number {
  return Math.floor(nowUs / 1000);
}
