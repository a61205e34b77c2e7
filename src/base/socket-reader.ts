/**
 * Reads a server's sockets into memory of ours. Without it Node makes 64 KiB for every read: the most that a request
 * with a small head makes the collector do, and cold memory each time.
 *
 * Node offers this to sockets that dial (`onread`) and not to those that a server accepts. So the server's handle is told
 * to give what it accepts to us, and the socket that has `onread` is made here. Where that can't be done (another Node,
 * TLS, a PROXY header to be read first), sockets are the server's own and read by 'data'; nobody has to know which.
 *
 * All connections share the memory in which heads are read: each read is over before the next one begins. So nothing of
 * it may be kept or wait to be written. What is read behind heads goes to memory of the connection's own.
 *
 * Must not know HTTP.
 */

import { type Server, Socket } from 'node:net';

export interface SocketReads {
  /**
   * Bytes have come.
   * @param isShared they stand in memory that the next read of any connection uses: to be kept they must be copied
   */
  read(bytes: Buffer, isShared: boolean): void;
  /** Asked after each read: whether the next one is to go to memory of the connection's own, which may be kept. */
  keepsNextRead(): boolean;
  /** Asked before memory of the connection's own is used again: whether some of the last read is still kept, or to be written. */
  keepsLastRead(): boolean;
}

const readBytesMax = 65_536;
const shared = Buffer.allocUnsafeSlow(readBytesMax);

/** What is used of a server's handle that Node's types do not tell. */
interface ServerHandle {
  /** @param status 0, or why nothing was accepted */
  onconnection(this: ServerHandle, status: number, accepted: object | undefined): void;
}

/**
 * From now on a listening server emits 'connection' with sockets that readSocket() has read into our memory. They are
 * not among those that the server counts, or waits for when it closes; its options `noDelay` and `allowHalfOpen` are
 * taken to be true, and no other is looked at.
 */
export function acceptOwnSockets(server: Server): void {
  const { _handle: handle } = server as { readonly _handle?: Partial<ServerHandle> | null };
  const usual = handle?.onconnection;
  if (!handle || typeof usual !== 'function') return;
  handle.onconnection = function (status, accepted) {
    if (status !== 0 || accepted === undefined || !('useUserBuffer' in accepted)) usual.call(this, status, accepted);
    else server.emit('connection', new OwnSocket(accepted, new ReadMemory()).setNoDelay(true));
  };
}

/**
 * From now on `reads` gets what comes.
 * @param socket nobody has read it yet; where it was accepted paused, it no longer is
 */
export function readSocket(socket: Socket, reads: SocketReads): void {
  if (socket instanceof OwnSocket) socket.memory.reads = reads;
  // Never called on one of ours, unless a Node to come takes `onread` for nothing.
  socket.on('data', (bytes: Buffer) => reads.read(bytes, false));
  if (socket.isPaused()) socket.resume();
}

class OwnSocket extends Socket {
  readonly memory: ReadMemory;

  constructor(handle: object, memory: ReadMemory) {
    const onread = {
      buffer: () => memory.next(),
      callback: (length: number, into: Uint8Array) => memory.filled(length, into),
    };
    const options: unknown = { handle, allowHalfOpen: true, onread };
    super(options as ConstructorParameters<typeof Socket>[0]);
    this.memory = memory;
  }
}

/** Where one socket's next read goes. */
class ReadMemory {
  /** Undefined: what comes is dropped. */
  reads: SocketReads | undefined;
  #own: Buffer | undefined;

  next(): Buffer {
    if (this.reads?.keepsNextRead() !== true) {
      this.#own = undefined;
      return shared;
    }
    if (this.#own === undefined || this.reads.keepsLastRead()) this.#own = Buffer.allocUnsafeSlow(readBytesMax);
    return this.#own;
  }

  /** @returns true: go on reading */
  filled(length: number, into: Uint8Array): boolean {
    this.reads?.read(Buffer.from(into.buffer, 0, length), into === shared);
    return true;
  }
}
