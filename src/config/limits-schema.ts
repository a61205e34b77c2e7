/**
 * The two sections that become base/limits.ts: every deadline and every maximum, with its default.
 *
 * Must not know who keeps to them.
 */

import { z } from 'zod';
import type { Limits, Timeouts } from '../base/limits.ts';
import { count, duration, size } from './values.ts';

export const timeouts = z
  .object({
    head: duration().prefault('10s').describe('A whole request head, from its first byte.'),
    connect: duration().prefault('1s').describe('Connecting to a pod or to the application.'),
    response: duration()
      .prefault('60s')
      .describe("From a request's last byte to the head of its answer; waits for sessions are not counted."),
    bodyIdle: duration().prefault('60s').describe('The longest silence inside a body, in either direction.'),
    keepAlive: duration().prefault('75s').describe('A client connection between two requests.'),
    upstreamIdle: duration()
      .prefault('4s')
      .describe(
        'Connections to pods that were idle for longer are not used again; keep it below what the application allows.',
      ),
    tunnelIdle: duration().prefault('1h').describe('A tunnel (WebSocket) without a byte in either direction.'),
    drain: duration({ minMs: 0 }).prefault('20s').describe('The whole of a graceful stop.'),
    drainDelay: duration({ minMs: 0 })
      .prefault('5s')
      .describe('How long a gateway that stops goes on accepting connections, until everybody knows.'),
    store: duration().prefault('500ms').describe('One command to the store.'),
    sync: duration().prefault('3s').describe('The longest hold of an answer until its session is stored.'),
    handoff: duration().prefault('2s').describe("Asking a session's owner to release it."),
    lock: duration().prefault('5s').describe("The longest wait for a session file's lock."),
    turn: duration()
      .prefault('10s')
      .describe('With sessions.serialize: the longest wait for the requests of the same session that came before.'),
    lookup: duration().prefault('50ms').describe("A gateway's question to the store, who owns a session."),
  })
  .transform((given): Timeouts => ({
    headMs: given.head,
    connectMs: given.connect,
    responseMs: given.response,
    bodyIdleMs: given.bodyIdle,
    keepAliveMs: given.keepAlive,
    upstreamIdleMs: given.upstreamIdle,
    tunnelIdleMs: given.tunnelIdle,
    drainMs: given.drain,
    drainDelayMs: given.drainDelay,
    storeMs: given.store,
    syncMs: given.sync,
    handoffMs: given.handoff,
    lockMs: given.lock,
    turnMs: given.turn,
    lookupMs: given.lookup,
  }))
  .prefault({});

/**
 * 0 means "none". Where a limit is what bounds memory there still has to be an end, so that "none" is a figure
 * that nobody reaches by honest use.
 */
const unbounded = { headBytes: 1024 ** 2, fields: 10_000, bufferBytes: 64 * 1024 ** 2, entries: 1_000_000 } as const;
const many = { min: 0, max: unbounded.entries } as const;

export const limits = z
  .object({
    headBytes: size().prefault('32k').describe('A message head. 0: 1m.'),
    targetBytes: size()
      .prefault(8000)
      .describe('A request target (RFC 9112 section 3 asks for 8000). 0: as large as the head may be.'),
    fields: count(many).prefault(100).describe('Field lines of a head, and of trailers. 0: 10000.'),
    bodyBytes: size().prefault(0).describe('A request body. 0: none.'),
    connections: count(many).prefault(10_000).describe('Client connections at a time. 0: none.'),
    perSession: count(many).prefault(64).describe('Requests of one session at a time. 0: none.'),
    holdBytes: size().prefault('256k').describe("An answer's body, kept while its head waits for the store. 0: 64m."),
    replayBytes: size().prefault('64k').describe('A request body, kept so that it can be sent to another pod. 0: 64m.'),
    adopts: count(many).prefault(256).describe('Sessions that are being fetched at a time. 0: 1000000.'),
    unsynced: count(many).prefault(10_000).describe('Sessions to be stored when the store is back. 0: 1000000.'),
  })
  .transform((given): Limits => {
    const headBytes = Math.min(given.headBytes || unbounded.headBytes, unbounded.headBytes);
    return {
      ...given,
      headBytes,
      targetBytes: Math.min(given.targetBytes || headBytes, headBytes),
      fields: Math.min(given.fields || unbounded.fields, unbounded.fields),
      holdBytes: Math.min(given.holdBytes || unbounded.bufferBytes, unbounded.bufferBytes),
      replayBytes: Math.min(given.replayBytes || unbounded.bufferBytes, unbounded.bufferBytes),
      adopts: given.adopts || unbounded.entries,
      unsynced: given.unsynced || unbounded.entries,
    };
  })
  .prefault({});
