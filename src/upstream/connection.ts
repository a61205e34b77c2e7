/**
 * One TCP connection to a pod: dialled, used by one exchange after another, idle in between.
 *
 * It has one set of socket handlers for its whole life and passes what happens to its present user. Whatever
 * happens while nobody uses it (bytes nobody asked for, the pod's close) ends it: such bytes would be taken for
 * the answer to the next request.
 *
 * Must not know HTTP. Which connection is re-used for whom is the pool's business.
 */

import type { Address } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { Deadline } from '../base/deadline.ts';
import { SocketWriter } from '../base/socket-writer.ts';
import { PodSocket } from './pod-socket.ts';

/**
 * Why a connection is over: it never came about, that took too long, or it was lost later. 'unwritten': lost before the
 * kernel took a byte from its present user, so the pod has nothing of what that user wanted to say.
 */
export type ConnectionLoss = 'refused' | 'connect-timeout' | 'lost' | 'unwritten';

/** Who uses a connection. What these throw comes back as fault(). */
export interface UpstreamUser {
  upstreamConnected(): void;
  /**
   * @returns whether the bytes are spent: none is kept and none waits to be written, so that the next read may use
   *   their memory. False is always safe.
   */
  upstreamData(bytes: Buffer): boolean;
  /** The pod's FIN: nothing more comes, writing may still be possible. */
  upstreamEnded(): void;
  /** What write() had to leave waiting has gone out. */
  upstreamDrained(): void;
  /** The deadline set by deadline.set() has passed. */
  upstreamDeadlinePassed(): void;
  /** The pod was found silent while the deadline was running, which is while the next word is the pod's. */
  upstreamSilent(): void;
  /** The connection is over; the last call. Not made after destroy() by the user itself. */
  upstreamLost(how: ConnectionLoss): void;
  /** Something threw that must not; called outside of what threw. */
  fault(error: unknown): void;
}

export interface ConnectionOwner {
  /** The connection ended or was ended while nobody used it, or after its user had been told. */
  closed(connection: UpstreamConnection): void;
}

export interface DialOptions {
  readonly key: string;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
  readonly owner: ConnectionOwner;
}

/** One read at most; kept with the connection as long as each read was spent, so it is also what an idle one costs. */
const readBytesMax = 32_768;

export class UpstreamConnection {
  /** The address as text: what the pool files it under. */
  readonly key: string;
  /** For the present user: response and body deadlines; for the pool: the idle deadline. */
  readonly deadline: Deadline;
  readonly #socket: PodSocket;
  readonly #writer: SocketWriter;
  readonly #owner: ConnectionOwner;
  #user: UpstreamUser | undefined;
  #connected = false;
  #closed = false;
  #memory: Buffer | undefined;
  /** Whether an exchange has ended cleanly on it before. */
  reused = false;
  /** When it was last given back, in the clock's monotonic milliseconds. */
  idleSinceMs = 0;
  /** When it was last taken from the pool, likewise. */
  takenAtMs = 0;

  /** Dials at once. The user hears upstreamConnected() or upstreamLost(), never during this call. */
  constructor(address: Address, user: UpstreamUser, options: DialOptions) {
    this.key = options.key;
    this.#owner = options.owner;
    this.#user = user;
    const guard = (action: () => void) => () => this.#guarded(action);
    this.deadline = new Deadline(
      options.clock,
      guard(() => this.#deadlinePassed()),
    );
    this.deadline.set(options.connectTimeoutMs);
    // Without a buffer of ours Node makes one of 64 KiB for every read: most of what the collector had to do.
    const onread = {
      buffer: () => (this.#memory ??= Buffer.allocUnsafeSlow(readBytesMax)),
      callback: (length: number, memory: Uint8Array) => {
        this.#onData(Buffer.from(memory.buffer, 0, length));
        return true;
      },
    };
    const socket = new PodSocket({ noDelay: true, allowHalfOpen: true, onread });
    this.#socket = socket;
    this.#writer = new SocketWriter(socket);
    socket.on(
      'connect',
      guard(() => this.#onConnect()),
    );
    socket.on(
      'end',
      guard(() => this.#onEnd()),
    );
    socket.on(
      'drain',
      guard(() => this.#user?.upstreamDrained()),
    );
    // 'close' always follows and does the work.
    socket.on('error', () => undefined);
    socket.on(
      'close',
      guard(() => this.#lose(this.#connected ? this.lostHow : 'refused')),
    );
    socket.connect({ host: address.host, port: address.port });
  }

  /** The kernel has taken all that was written. */
  get hasSent(): boolean {
    return this.#writer.stuckBytes === 0 && !this.#writer.waits;
  }

  /** What a loss at this moment is: a failed write, and a text that still waits, left nothing with the kernel. */
  get lostHow(): 'lost' | 'unwritten' {
    return this.#writer.mayHaveSent ? 'lost' : 'unwritten';
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Hands the connection to its next user; undefined: it is idle from now on. */
  setUser(user: UpstreamUser | undefined): void {
    this.#user = user;
    this.#writer.mayHaveSent = false;
  }

  /** @returns false when the caller should wait for upstreamDrained() before it writes more. */
  write(data: Buffer | string): boolean {
    return this.#closed || this.#writer.write(data);
  }

  /** A head and the first pieces of its body as one segment. Returns what write() does. */
  writeWithHead(head: string, pieces: readonly Buffer[]): boolean {
    return this.#closed || this.#writer.writeWithHead(head, pieces);
  }

  /** Sends a FIN after what was written; reading goes on. */
  end(): void {
    if (this.#closed) return;
    this.#writer.flush();
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Its pod is frozen or cut off: an idle one closes, a user who has waited for it since `beforeMs` or longer is told. */
  foundSilent(beforeMs: number): void {
    if (this.#user === undefined) this.destroy();
    else if (this.#connected && this.deadline.sinceMs <= beforeMs) this.#guarded(() => this.#user?.upstreamSilent());
  }

  /** Closes it without a word to the user. */
  destroy(): void {
    if (this.#closed) return;
    this.#user = undefined;
    this.#close();
  }

  #onConnect(): void {
    this.#connected = true;
    this.deadline.clear();
    this.#user?.upstreamConnected();
  }

  #onData(bytes: Buffer): void {
    const user = this.#user;
    if (user === undefined) {
      this.#close();
      return;
    }
    // The only texts are request heads, and this one waits for the turn's end: the pod answers something older.
    if (this.reused && this.#writer.waits) {
      this.#lose(this.lostHow);
      return;
    }
    try {
      if (!user.upstreamData(bytes)) this.#memory = undefined;
    } catch (error) {
      this.#memory = undefined;
      user.fault(error);
    }
  }

  #onEnd(): void {
    if (this.#user === undefined) this.#close();
    else this.#user.upstreamEnded();
  }

  /** No fault of a user may end the process: it is told, and the exchange ends. */
  #guarded(action: () => void): void {
    const user = this.#user;
    try {
      action();
    } catch (error) {
      user?.fault(error);
    }
  }

  #deadlinePassed(): void {
    if (this.#user === undefined) this.#close();
    else if (this.#connected) this.#user.upstreamDeadlinePassed();
    else this.#lose('connect-timeout');
  }

  #lose(how: ConnectionLoss): void {
    if (this.#closed) return;
    const user = this.#user;
    this.#user = undefined;
    this.#close();
    user?.upstreamLost(how);
  }

  #close(): void {
    this.#closed = true;
    this.#writer.drop();
    this.deadline.dispose();
    this.#socket.destroy();
    this.#owner.closed(this);
  }
}
