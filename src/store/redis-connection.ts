/**
 * One connection to one Redis server: every call on it ends in time, and nothing is queued or sent again.
 *
 * ioredis's defaults can replay an old write over a newer one, so everything that queues or resends is off, and
 * every call ends by its deadline: answered, or as 'store-unavailable' with its outcome unknown. ioredis's
 * automatic pipelining is off too: it sends a batch only after the one before it was answered, so a call could
 * wait twice its bound. Instead, what is written in one turn of the event loop leaves in one system call.
 *
 * Must not know the session operations, nor which of several servers it is.
 */

import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { replyCode, toSentinelError, toStoreError } from './redis-errors.ts';
import { ReplicaWait } from './redis-replicas.ts';
import type { RedisScript } from './redis-scripts.ts';
import { closeMs, withGuardedSockets } from './redis-sockets.ts';

/** Calls without a reply at any one time; a store that is this far behind is of no use to a waiting answer. */
const callsMax = 10_000;

/** A server silent for this many calls in a row gets a new connection: what waits on the old one is let go. */
const silentCallsMax = 3;

/** A timer that fires this late says that this process did not run, not that the server was silent. */
const lateMs = 50;

const reconnectFirstMs = 10;
/** No longer than a ping's interval, so that the end of an outage is noticed at once. */
const reconnectMaxMs = 250;

/** `connecting` is left by the server's first word (`prove`), or by the end of the handshake. */
export type ConnectionState = 'connecting' | 'connected' | 'closed';

export type Argument = string | number | Buffer;

/** `store.wait`: replicas that must have a write, and how long the server waits for them. */
export interface WaitFor {
  readonly replicas: number;
  readonly timeoutMs: number;
}

/** What all connections of a store have in common. */
export interface ConnectionTimes {
  /** The bound of one call. */
  readonly storeMs: number;
  readonly connectMs: number;
  readonly clock: Clock;
}

export interface RedisConnectionOptions extends ConnectionTimes {
  /** Where the server is, or who knows it, and who we are there. */
  readonly client: Readonly<RedisOptions>;
  /** Counts as connected only when the server has said something: a frozen one accepts connections. */
  readonly prove: boolean;
  /** False: one attempt, for a server that is asked once. */
  readonly reconnect: boolean;
  readonly wait: WaitFor | undefined;
  /** Told when the connection is there (true), and when it is lost or could not be made (false). */
  readonly onChange: (connected: boolean) => void;
}

export interface CallOptions {
  /** On the clock's monotonic time. */
  readonly dueMs: number;
  /** The cluster sent us here for this one command. */
  readonly asking?: boolean;
}

/** Connects at once; close() ends it. */
export class RedisConnection {
  readonly #redis: Redis;
  readonly #options: RedisConnectionOptions;
  readonly #replicas: ReplicaWait;
  #state: ConnectionState = 'connecting';
  #settled = Promise.withResolvers<undefined>();
  #error: HoldfastError | undefined;
  #failedConnects = 0;
  #calls = 0;
  #silentCalls = 0;
  #corked = false;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    this.#replicas = new ReplicaWait(() => this.#wait());
    this.#redis = new Redis({
      ...withGuardedSockets(options.client),
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
      retryStrategy: () => (options.reconnect ? this.#reconnectDelayMs() : null),
      sentinelRetryStrategy: () => this.#reconnectDelayMs(),
      sentinelCommandTimeout: options.storeMs,
    });
    this.#redis.on('error', (error) => this.#failed(error));
    this.#redis.on('sentinelError', (error) => (this.#error = toSentinelError(error)));
    this.#redis.on('ready', () => this.#opened());
    this.#redis.on('close', () => this.#become(this.#state === 'closed' ? 'closed' : 'connecting'));
  }

  get connected(): boolean {
    return this.#state === 'connected';
  }

  /** Why it is not connected; the last failure. */
  get error(): HoldfastError {
    return this.#error ?? new HoldfastError('store-unavailable', 'There is no connection to Redis yet.');
  }

  /** Resolves when it is connected, or the attempt under way has failed; look at `connected`. */
  settled(): Promise<undefined> {
    return this.connected ? Promise.resolve(undefined) : this.#settled.promise;
  }

  /** Runs a script on one key. @throws HoldfastError, or the server's redirection as it came. */
  script(script: RedisScript, key: string, args: readonly Argument[], options: CallOptions): Promise<unknown> {
    const tail = [1, key, ...args];
    return this.#bounded(options, script.text, () =>
      this.#ask('evalsha', [script.sha, ...tail], options).catch((error: unknown) => {
        // The server has not seen the script since its start, so it did nothing: this is no resend.
        if (replyCode(error) === 'NOSCRIPT') return this.#ask('eval', [script.text, ...tail], options);
        throw error;
      }),
    );
  }

  /** Any other command. @throws as script(). */
  command(name: string, args: readonly Argument[], options: CallOptions): Promise<unknown> {
    return this.#bounded(options, undefined, () => this.#ask(name, args, options));
  }

  /** The number of replicas that have everything this connection was answered until now (WAIT). @throws as script(). */
  replicated(options: CallOptions): Promise<unknown> {
    return this.#bounded(options, undefined, () => this.#replicas.reached());
  }

  /** Gives this connection up and makes another; calls under way fail. */
  renew(): void {
    if (this.#redis.status === 'ready') this.#redis.disconnect(true);
  }

  close(): void {
    this.#become('closed');
    this.#redis.disconnect();
  }

  /** A call that ends in time whatever the server does. Its reply, if it comes later, is dropped. */
  #bounded(options: CallOptions, script: string | undefined, call: () => Promise<unknown>): Promise<unknown> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    const { clock, storeMs } = this.#options;
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
        reject(new HoldfastError('store-unavailable', `Redis did not answer within ${storeMs} ms.`));
        this.#wasSilent();
      };
      // Who was frozen himself has asked late, and has not read the answers yet: Redis gets its time once more.
      const delayMs = Math.max(1, options.dueMs - clock.monotonicMs());
      let timer = clock.after(delayMs, () => {
        if (clock.monotonicMs() - options.dueMs < lateMs) silent();
        else timer = clock.after(storeMs, silent);
      });
      call().then(
        (reply) => {
          this.#heard();
          this.#failedConnects = 0;
          this.#error = undefined;
          if (end()) resolve(reply);
        },
        (error: unknown) => {
          const code = replyCode(error);
          if (code !== undefined) this.#heard();
          // A demoted primary: whoever is primary now is behind the same name, or known to the sentinels.
          if (code === 'READONLY') this.renew();
          // What the connection died of says more than that it is closed.
          if (code === undefined && this.#error !== undefined) error = this.#error;
          if (end()) reject(code === 'MOVED' || code === 'ASK' ? (error as Error) : toStoreError(error, script));
        },
      );
    });
  }

  #refusal(): HoldfastError | undefined {
    if (this.#redis.status !== 'ready') return this.error;
    if (this.#calls < callsMax) return undefined;
    return new HoldfastError('store-unavailable', `${callsMax} calls wait for Redis already.`);
  }

  #ask(name: string, args: readonly Argument[], { asking }: CallOptions): Promise<unknown> {
    if (asking !== true) return this.#send(name, args);
    // Two commands of one turn on one connection: nothing comes between them.
    return Promise.all([this.#send('asking', []), this.#send(name, args)]).then(([, reply]) => reply);
  }

  #send(command: string, args: readonly Argument[]): Promise<unknown> {
    if (!this.#corked && this.#redis.status === 'ready') {
      const { stream } = this.#redis;
      this.#corked = true;
      stream.cork();
      setImmediate(() => {
        this.#corked = false;
        stream.uncork();
      });
    }
    return this.#redis.callBuffer(command, [...args]);
  }

  #wait(): Promise<number> {
    const { replicas, timeoutMs } = this.#options.wait ?? { replicas: 0, timeoutMs: 1 };
    return this.#send('wait', [replicas, timeoutMs]).then(Number);
  }

  #heard(): void {
    this.#silentCalls = 0;
  }

  #wasSilent(): void {
    if (++this.#silentCalls < silentCallsMax || this.#redis.status !== 'ready') return;
    this.#silentCalls = 0;
    // Not ended but destroyed: a server that is silent does not answer a FIN either.
    this.#redis.stream.destroy();
  }

  #opened(): void {
    if (!this.#options.prove) {
      this.#become('connected');
      return;
    }
    const { clock, storeMs } = this.#options;
    this.command('ping', [], { dueMs: clock.monotonicMs() + storeMs }).then(
      () => this.#become(this.#redis.status === 'ready' ? 'connected' : 'connecting'),
      (error: unknown) => {
        this.#error = toStoreError(error);
        if (this.#redis.status === 'ready') this.#redis.stream.destroy();
      },
    );
  }

  #become(state: ConnectionState): void {
    const was = this.#state;
    if (was === 'closed') return;
    this.#state = state;
    this.#settled.resolve(undefined);
    if (state === 'connecting') this.#settled = Promise.withResolvers<undefined>();
    if (state !== 'closed' && (state === 'connected') !== (was === 'connected'))
      this.#options.onChange(state === 'connected');
  }

  #failed(error: unknown): void {
    // What a sentinel said is clearer than the sum that ioredis makes of it.
    const summed = error instanceof Error && error.message.startsWith('All sentinels are unreachable');
    if (!summed || this.#error === undefined) this.#error = toStoreError(error);
    // The server refused the handshake (a password, a database number): calls on this connection would go wrong.
    if (replyCode(error) !== undefined) this.renew();
  }

  /** Bounded back-off with jitter. Only a reply resets it: a server that refuses our password connects well. */
  #reconnectDelayMs(): number {
    const ceilingMs = Math.min(reconnectMaxMs, reconnectFirstMs * 2 ** Math.min(this.#failedConnects++, 10));
    return Math.ceil(ceilingMs * (0.5 + Math.random() / 2));
  }
}
