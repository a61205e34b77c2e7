/**
 * A whole data path around a scripted role, on loopback: real sockets, time as the test gives it.
 */

import type { TestContext } from 'node:test';

import type { Address } from '../../src/base/address.ts';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import type { Limits, Timeouts } from '../../src/base/limits.ts';
import type { ListenPlace } from '../../src/proxy/listen-place.ts';
import type { Role } from '../../src/proxy/plan.ts';
import { createProxy, type Proxy } from '../../src/proxy/proxy.ts';
import type { ExchangeLine, NotTaken } from '../../src/proxy/proxy-context.ts';
import type { TlsObserver } from '../../src/proxy/tls-edge.ts';
import { UpstreamPool } from '../../src/upstream/pool.ts';
import { connectPeer, type Peer } from './scripted-peers.ts';
import { until } from './until.ts';

export const usualTimeouts: Timeouts = {
  headMs: 10_000,
  // Longer than any machine sleeps: a connection on loopback is taken at once or refused.
  connectMs: 20_000,
  responseMs: 60_000,
  bodyIdleMs: 60_000,
  keepAliveMs: 75_000,
  upstreamIdleMs: 4000,
  tunnelIdleMs: 3_600_000,
  drainMs: 20_000,
  drainDelayMs: 5000,
  storeMs: 500,
  syncMs: 3000,
  handoffMs: 2000,
  lockMs: 5000,
  turnMs: 10_000,
  lookupMs: 50,
};

export const usualLimits: Limits = {
  headBytes: 32_768,
  targetBytes: 8192,
  fields: 100,
  bodyBytes: 0,
  connections: 10_000,
  perSession: 64,
  holdBytes: 262_144,
  replayBytes: 65_536,
  adopts: 256,
  unsynced: 10_000,
};

export interface UnderTestOptions {
  readonly role: Role;
  readonly clock?: Clock;
  readonly timeouts?: Partial<Timeouts>;
  readonly limits?: Partial<Limits>;
  readonly trustedProxies?: readonly string[];
  readonly hasOwnCallers?: boolean;
  /** What the listener asks for beside its address. */
  readonly place?: Partial<ListenPlace>;
  readonly tlsObserver?: TlsObserver;
}

export class ProxyUnderTest {
  readonly proxy: Proxy;
  readonly pool: UpstreamPool;
  readonly address: Address;
  readonly lines: ExchangeLine[];
  readonly faults: unknown[];
  readonly turnedAway: { readonly count: number };
  readonly notTaken: readonly NotTaken[];
  readonly #t: TestContext;

  private constructor(
    t: TestContext,
    parts: Pick<ProxyUnderTest, 'proxy' | 'pool' | 'address' | 'lines' | 'faults' | 'turnedAway' | 'notTaken'>,
  ) {
    this.#t = t;
    this.proxy = parts.proxy;
    this.pool = parts.pool;
    this.address = parts.address;
    this.lines = parts.lines;
    this.faults = parts.faults;
    this.turnedAway = parts.turnedAway;
    this.notTaken = parts.notTaken;
  }

  static async start(t: TestContext, options: UnderTestOptions): Promise<ProxyUnderTest> {
    const clock = options.clock ?? systemClock;
    const timeouts = { ...usualTimeouts, ...options.timeouts };
    const limits = { ...usualLimits, ...options.limits };
    const pool = new UpstreamPool({ clock, idleMs: timeouts.upstreamIdleMs });
    const lines: ExchangeLine[] = [];
    const faults: unknown[] = [];
    const turnedAway = { count: 0 };
    const notTaken: NotTaken[] = [];
    const proxy = createProxy({
      role: options.role,
      listen: [{ host: '127.0.0.1', port: 0, ...options.place }],
      timeouts,
      limits,
      trustedProxies: options.trustedProxies ?? [],
      hasOwnCallers: options.hasOwnCallers ?? false,
      clock,
      pool,
      ...(options.tlsObserver === undefined ? {} : { tlsObserver: () => options.tlsObserver! }),
      observer: {
        ended: (line) => void lines.push(line),
        turnedAway: () => turnedAway.count++,
        notTaken: (connection) => void notTaken.push(connection),
        fault: (error) => void faults.push(error),
      },
    });
    const [address] = await proxy.listen();
    t.after(() => proxy.destroy());
    return new ProxyUnderTest(t, { proxy, pool, address: address!, lines, faults, turnedAway, notTaken });
  }

  client(): Promise<Peer> {
    return connectPeer(this.#t, this.address);
  }

  /** The line of the exchange that ended last, once `count` have ended. */
  async line(count = 1): Promise<ExchangeLine> {
    await until(`${count} exchanges have ended`, () => this.lines.length >= count);
    return this.lines.at(-1)!;
  }

  /**
   * Returns when the proxy has answered another connection twice: whatever it wrote before this was called has
   * arrived by then. What a test then does not see was not written.
   */
  async quiet(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const client = await this.client();
      client.send('x\r\n\r\n');
      await client.takes('(bad-method)');
      client.socket.destroy();
    }
    this.lines.splice(0, this.lines.length, ...this.lines.filter(({ reason }) => reason !== 'bad-method'));
  }
}
