/**
 * A Store whose contents are sealed on their way in and opened on their way out. Everything else passes.
 *
 * What does not open counts as absent, and the result says so (`unsealable`): the keeper raises the alarm.
 */

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
  TakenRecord,
  TakeResult,
  Term,
  WriteResult,
} from './contract.ts';
import type { Sealer } from './seal.ts';

/** `inner` keeps only sealed bytes; whoever uses this store sees only open ones. */
export class SealedStore implements Store {
  readonly #inner: Store;
  readonly #sealer: Sealer;

  constructor(inner: Store, sealer: Sealer) {
    this.#inner = inner;
    this.#sealer = sealer;
  }

  async take(name: StoreName, me: Owner, ttlMs: number): Promise<TakeResult> {
    const result = await this.#inner.take(name, me, ttlMs);
    return result.kind === 'taken' ? this.#opened(name, result) : result;
  }

  async force(name: StoreName, me: Owner, seen: Term, ttlMs: number): Promise<ForceResult> {
    const result = await this.#inner.force(name, me, seen, ttlMs);
    return result.kind === 'taken' ? this.#opened(name, result) : result;
  }

  create(name: StoreName, me: Owner, content: PutContent, ttlMs: number): Promise<CreateResult> {
    return this.#inner.create(name, me, this.#sealed(name, content), ttlMs);
  }

  put(name: StoreName, me: Owner, epoch: number, content: PutContent, ttlMs: number): Promise<WriteResult> {
    return this.#inner.put(name, me, epoch, this.#sealed(name, content), ttlMs);
  }

  confirm(name: StoreName, term: Term, touch: { ttlMs: number } | undefined): Promise<WriteResult> {
    return this.#inner.confirm(name, term, touch);
  }

  release(name: StoreName, term: Term): Promise<WriteResult> {
    return this.#inner.release(name, term);
  }

  bury(name: StoreName, term: Term, ttlMs: number): Promise<WriteResult> {
    return this.#inner.bury(name, term, ttlMs);
  }

  plant(name: StoreName, { bytes, mtimeMs }: ImportedContent, ttlMs: number): Promise<PlantResult> {
    const sealed = this.#sealer.seal(bytes, { name, version: 0, mtimeMs });
    return this.#inner.plant(name, { bytes: sealed, mtimeMs }, ttlMs);
  }

  mark(expected: string, next: string): Promise<string> {
    return this.#inner.mark(expected, next);
  }

  ownerOf(name: StoreName): Promise<StoreRecord | undefined> {
    return this.#inner.ownerOf(name);
  }

  ping(): Promise<number> {
    return this.#inner.ping();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #sealed(name: StoreName, content: PutContent): PutContent {
    const { version, bytes, mtimeMs } = content;
    return { version, bytes: this.#sealer.seal(bytes, { name, version, mtimeMs }), mtimeMs };
  }

  #opened<Record extends TakenRecord>(name: StoreName, record: Record): Record {
    if (record.blob === undefined) return record;
    const { version, mtimeMs } = record.blob;
    const bytes = this.#sealer.open(record.blob.bytes, { name, version, mtimeMs });
    if (bytes === undefined) return { ...record, blob: undefined, unsealable: true };
    return { ...record, blob: { ...record.blob, bytes } };
  }
}
