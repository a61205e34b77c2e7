/**
 * The webhook's HTTPS server: one review a request, bounded in size, time and number.
 *
 * The API server shows no certificate of its own by default, so whoever reaches the port may ask; what he learns is what
 * he sent. Must not know what reviews are about.
 */

import { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Address, formatAddress } from '../base/address.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { readReview, type ReviewRequest } from './review.ts';

export type ReviewHandler = (request: ReviewRequest) => Promise<string>;

export interface ReviewServerOptions {
  readonly listen: Address;
  /** By path: `/pods`. */
  readonly handlers: Readonly<Record<string, ReviewHandler>>;
  readonly log: Log;
}

/** An object of etcd's largest size, twice (object and oldObject), and what is around it. */
const bodyBytesMax = 4 * 1024 * 1024;
/**
 * What a JSON value takes in memory, beside its bytes: an empty object is two or three bytes in a body and fifty there. Whoever
 * reaches the port, or may create pods, may send reviews full of them, and the process has a memory limit.
 */
const valueBytes = 48;
/** Of one review, bytes and values: the largest pods that people write take a tenth of it. */
const reviewBytesMax = 12 * 1024 * 1024;
/** Of all reviews under way. */
const allReviewsBytesMax = 24 * 1024 * 1024;
const headBytesMax = 16 * 1024;
const connectionsMax = 512;
const headTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
/** Longer than the API server keeps a connection itself (90 s), so that it is never the one to meet a closed one. */
const idleTimeoutMs = 120_000;
const closeMs = 5_000;

export class ReviewServer {
  readonly #options: ReviewServerOptions;
  readonly #server: Server;
  #closing = false;
  #expiresMs = 0;
  /** Of the reviews under way, with their values. */
  #reviewBytes = 0;

  constructor(options: ReviewServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        minVersion: 'TLSv1.2',
        maxHeaderSize: headBytesMax,
        headersTimeout: headTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: idleTimeoutMs,
        handshakeTimeout: headTimeoutMs,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = connectionsMax;
  }

  /**
   * Before the first show() handshakes fail.
   * @throws HoldfastError 'listen-failed'
   */
  async listen(): Promise<Address> {
    const { listen, log } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: Error): void =>
        reject(new HoldfastError('listen-failed', `${formatAddress(listen)}: ${cause.message}`, { cause }));
      this.#server.once('error', failed);
      this.#server.listen({ host: listen.host, port: listen.port }, () => {
        this.#server.off('error', failed);
        resolve();
      });
    });
    this.#server.on('error', (error) => log.warn({ error }, 'the webhook listener failed'));
    this.#server.on('tlsClientError', (error) => log.debug({ error }, 'a handshake failed'));
    return { host: listen.host, port: (this.#server.address() as AddressInfo).port };
  }

  /** When the certificate that is shown ends, since 1970; 0: none is shown. */
  get expiresMs(): number {
    return this.#expiresMs;
  }

  /** New connections see this certificate; those that are open go on. */
  show({ certificate, key }: { readonly certificate: string; readonly key: string }): void {
    this.#expiresMs = Date.parse(new X509Certificate(certificate).validTo);
    this.#server.setSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' });
  }

  /** Reviews under way are answered; bounded. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), closeMs);
    await closed;
    clearTimeout(timer);
  }

  /** Never rejects. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log } = this.#options;
    try {
      const { status, body } = await this.#review(request);
      this.#answer(response, status, body);
    } catch (error) {
      if (request.socket.destroyed) return;
      log.error({ error }, 'a review failed');
      this.#answer(response, 500, 'a fault of this process; its log says more');
    }
  }

  async #review(request: IncomingMessage): Promise<{ readonly status: number; readonly body: string }> {
    const { handlers } = this.#options;
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const handler = Object.hasOwn(handlers, path) ? handlers[path] : undefined;
    if (handler === undefined) return { status: 404, body: 'no such path' };
    if (request.method !== 'POST') return { status: 405, body: 'only POST' };
    const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
    if (type !== 'application/json') return { status: 415, body: 'reviews are application/json' };
    let bytes = 0;
    const charge = (more: number): boolean => {
      if (this.#reviewBytes + more > allReviewsBytesMax) return false;
      bytes += more;
      this.#reviewBytes += more;
      return true;
    };
    try {
      const pieces: Buffer[] = [];
      // Not destroyed where it is left early: there is an answer to give.
      for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        if (bytes + piece.length > bodyBytesMax) return tooLarge;
        if (!charge(piece.length)) return tooMany;
        pieces.push(piece);
      }
      const forValues = valuesIn(pieces) * valueBytes;
      if (bytes + forValues > reviewBytesMax) return tooLarge;
      if (!charge(forValues)) return tooMany;
      const review = readReview(Buffer.concat(pieces.splice(0)).toString('utf8'));
      if (review === undefined) return { status: 400, body: 'that is no AdmissionReview of version v1' };
      return { status: 200, body: await handler(review) };
    } finally {
      this.#reviewBytes -= bytes;
    }
  }

  #answer(response: ServerResponse, status: number, body: string): void {
    if (response.headersSent) return;
    response.writeHead(status, {
      'content-type': status === 200 ? 'application/json' : 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      ...(this.#closing || status === 413 || status === 503 ? { connection: 'close' } : {}),
    });
    response.end(body);
  }
}

const tooLarge = { status: 413, body: 'the review is too large' };
const tooMany = { status: 503, body: 'too many reviews at once' };

/** No more than so many values are in this JSON: each has a comma or a bracket before it. */
function valuesIn(pieces: readonly Buffer[]): number {
  let values = 1;
  for (const piece of pieces) {
    for (const byte of piece) if (byte === 0x2c || byte === 0x5b || byte === 0x7b) values++;
  }
  return values;
}
