/**
 * The sockets under Redis connections. ioredis listens for the first error of a socket only, and a TLS socket that is
 * closed during its handshake can have a second one, which would end the process: here one listener stays.
 *
 * Must not know what is said on a socket.
 */

import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { AbstractConnector, SentinelConnector } from 'ioredis';
import type { RedisOptions } from 'ioredis';

/** At close: how long the server may take to answer our FIN. */
export const closeMs = 200;

/** The options of a client with the connector that fits them; they hold `host` and `port`, or `sentinels`. */
export function withGuardedSockets(options: Readonly<RedisOptions>): RedisOptions {
  if (options.sentinels !== undefined) return { ...options, Connector: SentinelSockets };
  const { host = 'localhost', port = 6379, tls } = options;
  return {
    ...options,
    Connector: class extends Sockets {
      constructor() {
        super({ host, port }, tls);
      }
    },
  };
}

class Sockets extends AbstractConnector {
  readonly #address: { readonly host: string; readonly port: number };
  readonly #tls: ConnectionOptions | undefined;

  constructor(address: { readonly host: string; readonly port: number }, tls: ConnectionOptions | undefined) {
    super(closeMs);
    this.#address = address;
    this.#tls = tls;
  }

  connect(): ReturnType<AbstractConnector['connect']> {
    this.connecting = true;
    const stream = this.#tls === undefined ? connectTcp(this.#address) : connectTls({ ...this.#address, ...this.#tls });
    stream.on('error', (error) => (this.firstError ??= error));
    this.stream = stream;
    return Promise.resolve(stream);
  }
}

class SentinelSockets extends SentinelConnector {
  constructor(options: unknown) {
    super(options as ConstructorParameters<typeof SentinelConnector>[0]);
  }

  override async connect(...args: Parameters<SentinelConnector['connect']>): ReturnType<SentinelConnector['connect']> {
    const stream = await super.connect(...args);
    stream.on('error', () => undefined);
    return stream;
  }
}
