/**
 * The client's side of an exchange, as the exchange uses it, and what it is told in return. client-connection.ts
 * implements the first, exchange.ts and tunnel.ts the second.
 *
 * Must not know HTTP.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import type { Deadline } from '../base/deadline.ts';
import type { ClientPeer } from './plan.ts';

/**
 * What becomes of the connection when an exchange is over.
 * 'next': it may carry another request. 'close': FIN, then what the client still sends is read and dropped for a
 * while, so that it can read the answer. 'cut': closed at once. 'reset': by RST, which also a reader that takes
 * a FIN for the end of the body can't mistake (rules 11).
 */
export type ClientNext = 'next' | 'close' | 'cut' | 'reset';

export interface ClientSide {
  readonly peer: ClientPeer;
  /** For the present exchange: its body and stall deadlines. Head and idle deadlines are set between exchanges. */
  readonly deadline: Deadline;
  /** The client's FIN was read: it sends nothing more, but it still reads. */
  readonly halfClosed: boolean;
  /** It has half-closed, and none of what it sent before is still to be read: no further request can come. */
  readonly noneFollows: boolean;
  /** Bytes that the kernel has not taken yet, though offered; a text that waits for the end of the turn counts as taken. */
  readonly waitingBytes: number;
  /** @returns false when the caller should wait for clientDrained() before it writes more. */
  write(data: Buffer | string): boolean;
  /** A head and the first pieces of its body as one segment where that is cheap. Returns what write() does. */
  writeWithHead(head: string, pieces: readonly Buffer[]): boolean;
  /** Several pieces at once. Returns what write() does. */
  writePieces(pieces: readonly Buffer[]): boolean;
  /** Calls `done` when everything written has been taken by the kernel: at once if it has; never where clientGone() comes before. */
  whenFlushed(done: () => void): void;
  /** A FIN behind what was written; reading goes on. */
  end(): void;
  pause(): void;
  resume(): void;
  /** The exchange is over and will not touch this side again. */
  exchangeEnded(next: ClientNext): void;
  /** From now on `user` is told what happens, until exchangeEnded(). */
  handOver(user: ClientUser): void;
}

/** Who is told what happens on the client's side. What these throw comes back as fault(). */
export interface ClientUser {
  /** Reads on at `from`. @returns the index behind the last byte it took; the rest is the next request's. */
  clientData(bytes: Buffer, from: number): number;
  /** More is to come for clientData(): it is read into memory of this connection's own. */
  readonly readsOn: boolean;
  /** Bytes given to clientData() are kept still, or wait to be written: their memory may not be used again. True is always safe. */
  readonly keepsRead: boolean;
  /** The client's FIN. */
  clientEnded(): void;
  clientDrained(): void;
  clientDeadlinePassed(): void;
  /** The connection is over; what is written goes nowhere. */
  clientGone(): void;
  /** The proxy ends: nothing is waited for. The caller closes the connection. */
  abort(reason: CloseReason): void;
  /** Something threw that must not; called outside of what threw. */
  fault(error: unknown): void;
}
