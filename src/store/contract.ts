/**
 * What a session store does: the ownership record of each session, and the session's bytes.
 * Every implementation passes test/store/contract.test.ts. Rules: the ownership protocol, docs/ownership.md.
 *
 * Must not know files, pods or requests. Every call on one name is atomic; calls on two names never are.
 * Every method may throw HoldfastError 'store-unavailable' or 'store-part-unavailable' (outcome unknown: nothing may
 * be concluded; the latter: this name only) and 'store-misconfigured'. A put without a reply is unknown, not failed.
 */

/** A session's name in the store: HMAC of application and id, base64url. A listing gives no usable session. */
export type StoreName = string & { readonly __brand: 'StoreName' };

/** Who owns a session, and how other sidecars and gateways reach that pod. */
export interface Owner {
  /** Identity: never an address, never a name. */
  readonly uid: string;
  readonly name: string;
  /** host:port of the peer listener. */
  readonly peer: string;
  /** host:port of the first plain data listener. */
  readonly data: string;
}

/** One ownership term: who, since which epoch. Every take starts a new one. */
export interface Term {
  readonly epoch: number;
  readonly uid: string;
}

/** A session's content as the store keeps it. */
export interface StoredBlob {
  /** Rises with every stored write of a term; numbered by the keeper when it read the file. */
  readonly version: number;
  readonly bytes: Buffer;
  /** The file's modification time in milliseconds since 1970, as the owner saw it. */
  readonly mtimeMs: number;
  /** Store time of the write. */
  readonly storedAtMs: number;
}

/** The record as it is: `free` and `tombstone` have no owner. A record without a blob was never written. */
export interface StoreRecord {
  readonly epoch: number;
  readonly owner: Owner | undefined;
  readonly tombstone: boolean;
  readonly version: number;
  readonly storedAtMs: number;
}

/** What was there before a take: the keeper decides by it whether its local file is newer (protocol rule 12). */
export interface TakenRecord {
  /** The new term's epoch. */
  readonly epoch: number;
  /**
   * The epoch and the owner's uid (undefined: free) found in the record. `sinceEpoch`: where that owner's unbroken run
   * of terms began; more than one term where it took the session again, perhaps without hearing of it (a lost reply).
   */
  readonly previous: { readonly epoch: number; readonly uid: string | undefined; readonly sinceEpoch: number };
  readonly tombstone: boolean;
  readonly version: number;
  /** The newest stored content; undefined for a tombstone, and where it did not open (`unsealable`). */
  readonly blob: StoredBlob | undefined;
  /** There is content, but it was changed, moved or sealed with another key: the session counts as absent. */
  readonly unsealable?: true;
  /** The store's own time, for notes (protocol rule 15). */
  readonly storeTimeMs: number;
}

export type TakeResult =
  | { readonly kind: 'absent'; readonly storeTimeMs: number }
  | ({ readonly kind: 'taken' } & TakenRecord)
  | { readonly kind: 'owned'; readonly epoch: number; readonly owner: Owner };

export type ForceResult = ({ readonly kind: 'taken' } & TakenRecord) | { readonly kind: 'changed' };

export type WriteResult =
  /** Stored, or our own repeat. `storeTimeMs`: the store's time. */
  | { readonly kind: 'stored'; readonly storeTimeMs: number }
  /**
   * Another term holds the record; nothing changed. `absent` (confirm and release only): there is no record at
   * all, it expired or the store lost it; nobody else owns the session, and a put stores it again in our term.
   */
  | { readonly kind: 'refused'; readonly absent?: true };

export type CreateResult =
  { readonly kind: 'created'; readonly epoch: number; readonly storeTimeMs: number } | { readonly kind: 'refused' };

export interface PutContent {
  readonly version: number;
  readonly bytes: Buffer;
  readonly mtimeMs: number;
}

/** A session that no keeper has seen yet: the file of an installation from before Holdfast. */
export type ImportedContent = Omit<PutContent, 'version'>;

/**
 * `planted`: stored, free, as version 0. `renewed`: over an older import that nobody has taken yet. `same`: an
 * import at least as new is there. `kept`: a keeper, or a tombstone, has the session: nothing changed.
 */
export type PlantResult = 'planted' | 'renewed' | 'same' | 'kept';

export interface Store {
  /**
   * Becomes the owner where the record is free, a tombstone or ours (same uid); a new term, epoch =
   * max(record epoch + 1, store time in microseconds). A tombstone stays one. Owned by another: told who.
   */
  take(name: StoreName, me: Owner, ttlMs: number): Promise<TakeResult>;

  /** Takes from an owner that is dead, if the record still shows the term that was seen (protocol rule 16). */
  force(name: StoreName, me: Owner, seen: Term, ttlMs: number): Promise<ForceResult>;

  /**
   * First capture of a session without a record (protocol rule 4): stores only into absence, or over a record
   * of a lower version whose term began with our own create (a lost reply). Answers the new term's epoch.
   */
  create(name: StoreName, me: Owner, content: PutContent, ttlMs: number): Promise<CreateResult>;

  /**
   * Stores content under a term (protocol rule 2): lower epoch, or same epoch and another owner or free:
   * refused. Same term and version not higher: ok, nothing changed. Same term and higher version, or higher
   * epoch than the record's: stored; no record: stored in that term. Ends a tombstone of the same term.
   */
  put(name: StoreName, me: Owner, epoch: number, content: PutContent, ttlMs: number): Promise<WriteResult>;

  /**
   * Whether the term still holds (protocol rule 6); with `touch` the record lives for at least another `ttlMs`.
   * No call ever shortens a record's life.
   */
  confirm(name: StoreName, term: Term, touch: { ttlMs: number } | undefined): Promise<WriteResult>;

  /**
   * Ends our term, keeps the content: the record is free, epoch unchanged. Refused: it was not ours. Released
   * twice (a lost reply): stored.
   */
  release(name: StoreName, term: Term): Promise<WriteResult>;

  /**
   * Deletes the content and leaves a tombstone for `ttlMs` (protocol rules 24 to 26): owner free, epoch raised.
   * Refused as a put is. No record: a tombstone is made. Buried twice by one term (a lost reply): stored.
   */
  bury(name: StoreName, term: Term, ttlMs: number): Promise<WriteResult>;

  /**
   * Imports a session: into absence, or over an earlier import that no keeper has taken and whose file was older.
   * Nobody owns it then, and version 0 says that no keeper wrote it.
   */
  plant(name: StoreName, content: ImportedContent, ttlMs: number): Promise<PlantResult>;

  /**
   * The application's mark, a short text beside its sessions that has no end of life: where it is `expected` (''
   * for none) it becomes `next`. Answers what was there before.
   */
  mark(expected: string, next: string): Promise<string>;

  /** The record without its content; undefined: none. Advisory, for gateways and `where`. */
  ownerOf(name: StoreName): Promise<StoreRecord | undefined>;

  /** The store's own time in milliseconds. Succeeds only where the store would take a write. */
  ping(): Promise<number>;

  /** Ends connections; calls under way end with 'store-unavailable'. */
  close(): Promise<void>;
}
