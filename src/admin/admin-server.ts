/**
 * The window's sockets: a small HTTP server on a Unix socket or on TCP, with bounds on everything. It is off the
 * data path, so that node:http serves it.
 *
 * Must not know what is asked (answers.ts).
 */

import { mkdirSync, statSync, unlinkSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { readBounded } from '../base/read-bounded.ts';
import type { Address } from '../base/address.ts';
import { formatAddress } from '../base/address.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { MetricsPage } from '../base/metrics.ts';
import { answer } from './answers.ts';
import { socketOwner } from './socket-owner.ts';
import type { Window } from './window.ts';

export interface AdminOptions {
  readonly listen:
    { readonly kind: 'tcp'; readonly address: Address } | { readonly kind: 'unix'; readonly path: string };
  /** false: only /startz, /livez, /readyz and /metrics, for everybody who can connect. */
  readonly full: boolean;
  readonly token?: string | undefined;
  readonly window: Window;
  readonly metrics: MetricsPage;
  readonly log: Log;
}

export interface Admin {
  /** `127.0.0.1:9901` with the real port, or `unix:/run/holdfast/admin.sock`. */
  readonly place: string;
  close(): Promise<void>;
}

const connectionsMax = 64;
const headBytesMax = 8 * 1024;
const bodyBytesMax = 4 * 1024;
const headTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
const idleTimeoutMs = 5_000;
/** Owner may read and write; the file's permissions are the only lock of a Unix socket. */
const socketUmask = 0o177;

/**
 * Opens the window.
 * @throws HoldfastError 'listen-failed' where the place can not be taken.
 */
export async function createAdmin(options: AdminOptions): Promise<Admin> {
  const { listen, log } = options;
  const subject = { ...options, token: options.token, local: listen.kind === 'unix' };
  const server = createServer(
    {
      maxHeaderSize: headBytesMax,
      headersTimeout: headTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
    },
    (request, response) => {
      serve(request, response, subject).catch((error: unknown) => {
        log.debug({ error }, 'an admin connection ended early');
        response.destroy();
      });
    },
  );
  server.maxConnections = connectionsMax;
  const place = listen.kind === 'unix' ? await takeSocket(server, listen.path) : await takePort(server, listen.address);
  server.on('error', (error) => log.warn({ error, place }, 'the admin listener failed'));
  return { place, close: () => close(server) };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  subject: Parameters<typeof answer>[0],
): Promise<void> {
  const body = await readBounded(request, bodyBytesMax);
  const {
    status,
    type,
    body: content,
    fields,
  } = body === undefined
    ? {
        status: 413,
        type: 'application/json',
        body: '{"error":"the body is too large"}\n',
        fields: { connection: 'close' },
      }
    : await answer(subject, {
        method: request.method ?? '',
        target: request.url ?? '/',
        host: request.headers.host,
        authorization: request.headers.authorization,
        contentType: request.headers['content-type'],
        body,
      });
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(content),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...fields,
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}

async function takePort(server: Server, address: Address): Promise<string> {
  const failed = await listening(server, () => server.listen({ host: address.host, port: address.port }));
  if (failed !== undefined) throw refused(formatAddress(address), failed);
  return formatAddress({ host: address.host, port: (server.address() as AddressInfo).port });
}

async function takeSocket(server: Server, path: string): Promise<string> {
  const place = `unix:${path}`;
  try {
    mkdirSync(dirname(path), { mode: 0o700, recursive: true });
    if (isSocket(path)) {
      if (await answers(path)) throw new Error(inTheWay(path));
      // What a killed process left behind.
      unlinkSync(path);
    }
  } catch (error) {
    throw refused(place, error);
  }
  const failed = await listening(server, () => {
    // bind() happens inside this call, so that nobody ever sees the socket with wider permissions.
    const before = process.umask(socketUmask);
    try {
      server.listen(path);
    } finally {
      process.umask(before);
    }
  });
  if (failed !== undefined) throw refused(place, failed);
  return place;
}

/** Two sidecars on one machine by the same configuration, mostly. */
function inTheWay(path: string): string {
  const pid = socketOwner(path);
  return `${pid === undefined ? 'another process' : `process ${pid}`} listens there; give each process a place of its own (admin)`;
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.setTimeout(headTimeoutMs, () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}

function listening(server: Server, listen: () => void): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(error);
    server.once('error', failed);
    server.once('listening', () => {
      server.off('error', failed);
      resolve(undefined);
    });
    listen();
  });
}

function refused(place: string, cause: unknown): HoldfastError {
  const why = cause instanceof Error ? cause.message : 'unknown';
  return new HoldfastError('listen-failed', `admin ${place}: ${why}`, { cause });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
