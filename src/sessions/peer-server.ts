/**
 * The `peer` listener: other keepers ask here for a session, nothing else is answered. Signed questions only; an
 * unsigned one is 401 before anything is looked up (rules 5). Small heads, no bodies, few connections.
 *
 * Off the data path, so node:http reads the requests. Must not know what giving up a session takes.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Address, formatAddress } from '../base/address.ts';
import { HoldfastError } from '../base/errors.ts';
import type { KeySource } from '../base/keyring.ts';
import type { Log } from '../base/log.ts';
import { releaseField, releasePath, ReleaseSigner, type SignedAsk } from './peer-message.ts';
import type { ReleaseAnswer, ReleaseAsk } from './peers.ts';

export interface PeerServerOptions {
  readonly listen: Address;
  /** The own pod's: a question signed for another one is none. */
  readonly uid: string;
  readonly secrets: KeySource;
  /** Gives the session up; bounded, never rejects. */
  readonly keeper: { releaseAsked(ask: ReleaseAsk): Promise<ReleaseAnswer> };
  readonly log: Log;
}

const headBytesMax = 4096;
const connectionsMax = 64;
const headTimeoutMs = 5000;
/** Longer than a client keeps an idle connection (undici: 4 s), so that it is the client who closes. */
const idleTimeoutMs = 10_000;

export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #signer: ReleaseSigner;
  readonly #server: Server;

  constructor(options: PeerServerOptions) {
    this.#options = options;
    this.#signer = new ReleaseSigner(options.secrets);
    this.#server = createServer(
      {
        maxHeaderSize: headBytesMax,
        headersTimeout: headTimeoutMs,
        requestTimeout: headTimeoutMs,
        keepAliveTimeout: idleTimeoutMs,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = connectionsMax;
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** @returns the port that was taken. @throws HoldfastError 'listen-failed' */
  listen(): Promise<number> {
    const address = this.#options.listen;
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void =>
        reject(new HoldfastError('listen-failed', formatAddress(address), { cause: error }));
      this.#server.once('error', failed);
      this.#server.listen(address.port, address.host, () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => this.#options.log.warn({ error }, 'the peer listener'));
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no more questions; those under way are answered first. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const ask = this.#read(request);
      if (typeof ask === 'number') {
        end(response, ask);
        return;
      }
      const answer = await this.#options.keeper.releaseAsked(ask);
      response.setHeader(releaseField, this.#signer.signAnswer(this.#options.uid, ask, answer));
      response.setHeader('content-type', 'text/plain');
      response.end(answer);
    } catch (error) {
      this.#options.log.error({ error }, 'a release could not be answered; please report it');
      response.destroy();
    }
  }

  /** The question, or the status that refuses it. */
  #read(request: IncomingMessage): SignedAsk | number {
    const value = request.headers[releaseField];
    const ask = typeof value === 'string' ? this.#signer.verifyAsk(this.#options.uid, value) : undefined;
    if (ask === undefined) return 401;
    if (hasBody(request)) return 413;
    return request.method === 'POST' && request.url === releasePath ? ask : 404;
  }
}

/** Refuses and closes: whoever sends this is none of ours. */
function end(response: ServerResponse, status: number): void {
  response.writeHead(status, { connection: 'close', 'content-length': '0' });
  response.end();
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
