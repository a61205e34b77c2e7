/**
 * Reads a server's socket into memory of ours. Without it Node makes 64 KiB for every read: the most that a request
 * with a small head makes the collector do, and cold memory each time.
 *
 * Node offers this to sockets that dial (`onread`) and not to those that a server accepts. So the accepted one gives its
 * handle to a new Socket that has it. Where that can't be done (another Node, TLS, something was read already), the
 * socket stays as it is and is read by 'data'; nobody has to know which.
 *
 * All connections share the memory in which heads are read: each read is over before the next one begins. So nothing of
 * it may be kept or wait to be written. What is read behind heads goes to memory of the connection's own.
 *
 * Must not know HTTP.
 */

import { Socket } from 'node:net';

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

/** What is used of an accepted socket that Node's types do not tell. */
interface WithHandle {
  _handle: object | null | undefined;
}

/**
 * From now on `reads` gets what comes.
 * @param accepted nobody listens to it yet, and where it was accepted paused it stays readable all the same
 * @returns the socket to use in its place; often another one
 */
export function readSocket(accepted: Socket, reads: SocketReads): Socket {
  const socket = takenOver(accepted, reads) ?? accepted;
  // On a socket that was taken over this is never called, unless a Node to come takes `onread` for nothing.
  socket.on('data', (bytes: Buffer) => reads.read(bytes, false));
  if (socket.isPaused()) socket.resume();
  return socket;
}

function takenOver(accepted: Socket, reads: SocketReads): Socket | undefined {
  const { _handle: handle } = accepted as Partial<WithHandle>;
  const isUntouched = accepted.constructor === Socket && accepted.isPaused() && accepted.bytesRead === 0;
  if (!isUntouched || typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return undefined;
  (accepted as unknown as WithHandle)._handle = null;
  // Without a handle there is nothing to close; its server counts it as gone.
  accepted.destroy();
  const options: unknown = { handle, allowHalfOpen: true, onread: intoMemory(reads) };
  return new Socket(options as ConstructorParameters<typeof Socket>[0]);
}

function intoMemory(reads: SocketReads): {
  buffer: () => Buffer;
  callback: (length: number, into: Uint8Array) => boolean;
} {
  let own: Buffer | undefined;
  return {
    buffer: () => {
      if (!reads.keepsNextRead()) {
        own = undefined;
        return shared;
      }
      if (own === undefined || reads.keepsLastRead()) own = Buffer.allocUnsafeSlow(readBytesMax);
      return own;
    },
    callback: (length, into) => {
      reads.read(Buffer.from(into.buffer, 0, length), into === shared);
      return true;
    },
  };
}
