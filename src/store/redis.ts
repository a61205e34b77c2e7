/**
 * The store in Redis or Valkey: one script call an operation, at whichever server has the session's key.
 *
 * Must not know sealing, files or pods, how the server is found and what may fail on the way (redis-route.ts), nor
 * decide when the store counts as down (store-health.ts).
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
  TakeResult,
  Term,
  WriteResult,
} from './contract.ts';
import type { Argument } from './redis-connection.ts';
import {
  encodeOwner,
  readCreate,
  readForce,
  readPlant,
  readRecord,
  readTake,
  readWrite,
  ScriptReply,
} from './redis-replies.ts';
import type { RedisRoute } from './redis-route.ts';
import * as scripts from './redis-scripts.ts';
import type { RedisScript } from './redis-scripts.ts';

/** What a script answers when it has written; any other word changed nothing that replicas would have to know. */
const writtenWords: ReadonlySet<string> = new Set(['taken', 'created', 'stored', 'planted', 'renewed']);

/** A Store in one Redis server, behind sentinels, or in a cluster. Connects at once and for ever; close() ends that. */
export class RedisStore implements Store {
  readonly #route: RedisRoute;
  readonly #keyPrefix: string;

  /** @param keyPrefix goes before every name: `hf:<prefix>:`. */
  constructor(route: RedisRoute, keyPrefix: string) {
    this.#route = route;
    this.#keyPrefix = keyPrefix;
  }

  async take(name: StoreName, me: Owner, ttlMs: number): Promise<TakeResult> {
    return readTake(await this.#run(scripts.takeScript, name, [me.uid, encodeOwner(me), ttlMs]));
  }

  async force(name: StoreName, me: Owner, seen: Term, ttlMs: number): Promise<ForceResult> {
    const args = [me.uid, encodeOwner(me), ttlMs, seen.epoch, seen.uid];
    return readForce(await this.#run(scripts.forceScript, name, args));
  }

  async create(name: StoreName, me: Owner, content: PutContent, ttlMs: number): Promise<CreateResult> {
    const args = [me.uid, encodeOwner(me), ttlMs, content.version, content.bytes, content.mtimeMs];
    return readCreate(await this.#run(scripts.createScript, name, args));
  }

  async put(name: StoreName, me: Owner, epoch: number, content: PutContent, ttlMs: number): Promise<WriteResult> {
    const args = [me.uid, encodeOwner(me), ttlMs, content.version, content.bytes, content.mtimeMs, epoch];
    return readWrite(await this.#run(scripts.putScript, name, args));
  }

  async confirm(name: StoreName, term: Term, touch: { ttlMs: number } | undefined): Promise<WriteResult> {
    const args = [term.uid, term.epoch, touch?.ttlMs ?? ''];
    const deed = { kind: 'script', script: scripts.confirmScript, args } as const;
    // No promise to wait for replicas with: what it confirms was written, and waited for, before.
    return readWrite(new ScriptReply(await this.#route.perform(this.#keyPrefix + name, deed)));
  }

  async release(name: StoreName, term: Term): Promise<WriteResult> {
    return readWrite(await this.#run(scripts.releaseScript, name, [term.uid, term.epoch]));
  }

  async bury(name: StoreName, term: Term, ttlMs: number): Promise<WriteResult> {
    return readWrite(await this.#run(scripts.buryScript, name, [term.uid, term.epoch, ttlMs]));
  }

  async plant(name: StoreName, content: ImportedContent, ttlMs: number): Promise<PlantResult> {
    return readPlant(await this.#run(scripts.plantScript, name, [content.bytes, content.mtimeMs, ttlMs]));
  }

  async mark(expected: string, next: string): Promise<string> {
    return (await this.#run(scripts.markScript, 'mark', [expected, next])).text(2);
  }

  async ownerOf(name: StoreName): Promise<StoreRecord | undefined> {
    const key = this.#keyPrefix + name;
    return readRecord(
      new ScriptReply(await this.#route.perform(key, { kind: 'read', fields: ['e', 'o', 't', 'v', 's'] })),
    );
  }

  async ping(): Promise<number> {
    const deed = { kind: 'script', script: scripts.pingScript, args: [] } as const;
    return new ScriptReply(await this.#route.probe(this.#keyPrefix, deed)).storeTimeMs;
  }

  close(): Promise<void> {
    this.#route.close();
    return Promise.resolve();
  }

  /** A script that promises: what it wrote counts when the replicas of `store.wait` have it. */
  async #run(script: RedisScript, name: string, args: readonly Argument[]): Promise<ScriptReply> {
    const deed = { kind: 'script', script, args } as const;
    return new ScriptReply(await this.#route.perform(this.#keyPrefix + name, deed, hasWritten));
  }
}

function hasWritten(reply: unknown): boolean {
  return writtenWords.has(new ScriptReply(reply).word);
}
