/**
 * The store in Redis or Valkey: one script call an operation, one connection, nothing queued while it is away.
 *
 * ioredis's defaults can replay an old write over a newer one, so everything that queues or resends is off, and
 * every call ends within `storeMs`: answered, or as 'store-unavailable' with its outcome unknown. ioredis's
 * automatic pipelining is off too: it sends a batch only after the one before it was answered, so a call could
 * wait twice its bound. Instead, what is written in one turn of the event loop leaves in one system call.
 *
 * Must not know sealing, files or pods, nor decide when the store counts as down (store-health.ts).
 */

import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
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
import { replyCode, toStoreError } from './redis-errors.ts';
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
import * as scripts from './redis-scripts.ts';
import type { RedisScript } from './redis-scripts.ts';

/** Calls without a reply at any one time; a store that is this far behind is of no use to a waiting answer. */
const callsMax = 10_000;

/** A server silent for this many calls in a row gets a new connection: what waits on the old one is let go. */
const silentCallsMax = 3;

/** A timer that fires this late says that this process did not run, not that the server was silent. */
const lateMs = 50;

/** At close: how long the server may take to answer our FIN. */
const closeMs = 200;

const reconnectFirstMs = 10;
/** No longer than a ping's interval, so that the end of an outage is noticed at once. */
const reconnectMaxMs = 250;

type Argument = string | number | Buffer;

export interface RedisStoreOptions {
  /** Where Redis is and who we are there; made by parseRedisUrl. */
  readonly connection: Readonly<Pick<RedisOptions, 'host' | 'port' | 'username' | 'password' | 'db' | 'tls'>>;
  /** Goes before every name: `hf:<prefix>:`. */
  readonly keyPrefix: string;
  /** One call, in milliseconds. */
  readonly storeMs: number;
  readonly connectMs: number;
  readonly clock: Clock;
}

/** A Store in one Redis server. Connects at once and for ever; close() ends that. */
export class RedisStore implements Store {
  readonly #redis: Redis;
  readonly #keyPrefix: string;
  readonly #storeMs: number;
  readonly #clock: Clock;
  #connectionError: unknown;
  #failedConnects = 0;
  #calls = 0;
  #silentCalls = 0;
  #corked = false;
  #onConnection: (connected: boolean) => void = () => undefined;

  constructor(options: RedisStoreOptions) {
    this.#keyPrefix = options.keyPrefix;
    this.#storeMs = options.storeMs;
    this.#clock = options.clock;
    this.#redis = new Redis({
      ...options.connection,
      connectTimeout: options.connectMs,
      disconnectTimeout: closeMs,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      // 0: at the end of a connection every call on it fails at once.
      maxRetriesPerRequest: 0,
      // A server that loads its data says so in its replies; the ping asks.
      enableReadyCheck: false,
      disableClientInfo: true,
      keepAlive: 10_000,
      retryStrategy: () => this.#reconnectDelayMs(),
    });
    this.#redis.on('error', (error) => this.#failed(error));
    this.#redis.on('ready', () => this.#onConnection(true));
    this.#redis.on('close', () => this.#onConnection(false));
  }

  /** One listener, told when a connection is made (true) and when it is lost or could not be made (false). */
  onConnection(listener: (connected: boolean) => void): void {
    this.#onConnection = listener;
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
    return readWrite(await this.#run(scripts.confirmScript, name, [term.uid, term.epoch, touch?.ttlMs ?? '']));
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
    return readRecord(await this.#bounded(() => this.#send('hmget', [key, 'e', 'o', 't', 'v', 's'])));
  }

  async ping(): Promise<number> {
    return (await this.#run(scripts.pingScript, 'probe', [])).storeTimeMs;
  }

  close(): Promise<void> {
    this.#redis.disconnect();
    return Promise.resolve();
  }

  #run(script: RedisScript, name: string, args: readonly Argument[]): Promise<ScriptReply> {
    const tail = [1, this.#keyPrefix + name, ...args];
    return this.#bounded(() =>
      this.#send('evalsha', [script.sha, ...tail]).catch((error: unknown) => {
        // The server has not seen the script since its start, so it did nothing: this is no resend.
        if (replyCode(error) === 'NOSCRIPT') return this.#send('eval', [script.text, ...tail]);
        throw error;
      }),
    );
  }

  /** A call that ends in time whatever the server does. Its reply, if it comes later, is dropped. */
  #bounded(call: () => Promise<unknown>): Promise<ScriptReply> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.#calls++;
      let open = true;
      const end = (): boolean => {
        if (!open) return false;
        open = false;
        this.#calls--;
        timer.cancel();
        return true;
      };
      const silent = (): void => {
        if (!end()) return;
        reject(new HoldfastError('store-unavailable', `Redis did not answer within ${this.#storeMs} ms.`));
        this.#wasSilent();
      };
      // Who was frozen himself has asked late, and has not read the answers yet: Redis gets its time once more.
      const dueMs = this.#clock.monotonicMs() + this.#storeMs;
      let timer = this.#clock.after(this.#storeMs, () => {
        if (this.#clock.monotonicMs() - dueMs < lateMs) silent();
        else timer = this.#clock.after(this.#storeMs, silent);
      });
      call().then(
        (reply) => {
          this.#silentCalls = 0;
          this.#failedConnects = 0;
          this.#connectionError = undefined;
          if (!end()) return;
          try {
            resolve(new ScriptReply(reply));
          } catch (error) {
            reject(toStoreError(error));
          }
        },
        (error: unknown) => {
          if (replyCode(error) !== undefined) this.#silentCalls = 0;
          if (end()) reject(toStoreError(error));
        },
      );
    });
  }

  #refusal(): HoldfastError | undefined {
    if (this.#redis.status !== 'ready') {
      if (this.#connectionError !== undefined) return toStoreError(this.#connectionError);
      return new HoldfastError('store-unavailable', 'There is no connection to Redis yet.');
    }
    if (this.#calls < callsMax) return undefined;
    return new HoldfastError('store-unavailable', `${callsMax} calls wait for Redis already.`);
  }

  #send(command: string, args: Argument[]): Promise<unknown> {
    if (!this.#corked && this.#redis.status === 'ready') {
      const { stream } = this.#redis;
      this.#corked = true;
      stream.cork();
      setImmediate(() => {
        this.#corked = false;
        stream.uncork();
      });
    }
    return this.#redis.callBuffer(command, args);
  }

  #wasSilent(): void {
    if (++this.#silentCalls < silentCallsMax || this.#redis.status !== 'ready') return;
    this.#silentCalls = 0;
    // Not ended but destroyed: a server that is silent does not answer a FIN either.
    this.#redis.stream.destroy();
  }

  #failed(error: unknown): void {
    this.#connectionError = error;
    // The server refused the handshake (a password, a database number): calls on this connection would go wrong.
    if (replyCode(error) !== undefined && this.#redis.status === 'ready') this.#redis.disconnect(true);
  }

  /** Bounded back-off with jitter. Only a reply resets it: a server that refuses our password connects well. */
  #reconnectDelayMs(): number {
    const ceilingMs = Math.min(reconnectMaxMs, reconnectFirstMs * 2 ** Math.min(this.#failedConnects++, 10));
    return Math.ceil(ceilingMs * (0.5 + Math.random() / 2));
  }
}
