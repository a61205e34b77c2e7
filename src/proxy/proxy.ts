/**
 * The proxy as its process sees it: listeners, connections and exchanges as one thing that starts, drains and ends.
 *
 * A request meets the parts in this order: listener, client-connection, exchange (with its role: plan.ts), attempt,
 * delivery.
 *
 * Must not know what role it plays, where its configuration comes from, or who reads its log.
 */

import type { Address } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import type { Limits, Timeouts } from '../base/limits.ts';
import type { UpstreamPool } from '../upstream/pool.ts';
import type { Arrival } from './arrival.ts';
import type { ClientConnection } from './client-connection.ts';
import { drain } from './drain.ts';
import { withHeadRoom } from './head-room.ts';
import type { ListenPlace } from './listen-place.ts';
import { Listener } from './listener.ts';
import type { Role } from './plan.ts';
import type { ExchangeObserver, ProxyContext } from './proxy-context.ts';
import { RetryBudget } from './retry.ts';
import type { TlsObserver } from './tls-edge.ts';
import { TrustedNetworks } from './trusted-networks.ts';

export interface ProxyOptions {
  readonly role: Role;
  readonly listen: readonly ListenPlace[];
  /** For each of `listen` the descriptor of its socket, where that is bound already. */
  readonly descriptors?: readonly number[] | undefined;
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  /** Requests come from gateways and sidecars too: the role judges those of others (beyondLimits). */
  readonly hasOwnCallers?: boolean;
  /** CIDRs whose X-Forwarded-* and PROXY headers are believed. */
  readonly trustedProxies: readonly string[];
  readonly clock: Clock;
  readonly observer: ExchangeObserver;
  /** For each place with TLS; absent: nobody is told. */
  readonly tlsObserver?: (place: ListenPlace) => TlsObserver;
  /** Belongs to the proxy from now on: destroy() closes it. */
  readonly pool: UpstreamPool;
}

export interface DrainChoice {
  /** How long connections between requests are left open; 0 by default. */
  readonly idleMs?: number;
  /** How long connections are still accepted; `timeouts.drainDelayMs` by default. */
  readonly delayMs?: number;
  /** How long exchanges in flight may take after that; `timeouts.drainMs` by default. */
  readonly boundMs?: number;
}

export interface Proxy {
  /** Takes all addresses. @returns them with their real ports. @throws HoldfastError 'listen-failed' (none is kept then). */
  listen(): Promise<readonly Address[]>;
  /** Ends gracefully (rules 36); the listeners and connections are closed when it resolves. Never rejects. */
  drain(options?: DrainChoice): Promise<void>;
  /** Ends at once, as a kill would: every connection is reset. */
  destroy(): void;
  /** Open client connections. */
  readonly connections: number;
  /** Exchanges and tunnels that are not over. */
  readonly inFlight: number;
  /** Of them, those that use the retry budget. */
  readonly retries: Pick<RetryBudget, 'retries' | 'refused' | 'max'>;
}

const toldNobody: TlsObserver = { secured: () => undefined, served: () => undefined, refused: () => undefined };

/** @throws HoldfastError 'certificate-unusable' */
export function createProxy(options: ProxyOptions): Proxy {
  const { role, timeouts, limits, clock, observer, pool } = options;
  const roomyLimits = withHeadRoom(limits);
  const retries = new RetryBudget();
  const context: ProxyContext = {
    role,
    pool,
    clock,
    timeouts,
    limits: options.hasOwnCallers === true ? roomyLimits : limits,
    answerLimits: roomyLimits,
    sidecarAnswerLimits: withHeadRoom(roomyLimits),
    observer,
    retries,
    inFlight: 0,
    draining: false,
  };
  const connections = new Set<ClientConnection>();
  const arriving = new Set<Arrival>();
  const trusted = new TrustedNetworks(options.trustedProxies);
  const { tlsObserver = () => toldNobody } = options;
  const shared = { context, trusted, connections, arriving, tlsObserver };
  const listeners = options.listen.map(
    (address, index) => new Listener({ ...shared, address, descriptor: options.descriptors?.[index] }),
  );
  let drained: Promise<void> | undefined;

  function closeListeners(): void {
    for (const listener of listeners) listener.close();
  }

  function closeArriving(): void {
    for (const arrival of [...arriving]) arrival.destroy();
  }

  function destroy(): void {
    closeListeners();
    closeArriving();
    for (const connection of [...connections]) connection.destroy();
    pool.destroy();
  }

  return {
    async listen() {
      const taken = await Promise.allSettled(listeners.map((listener) => listener.listen()));
      const addresses: Address[] = [];
      for (const result of taken) {
        if (result.status === 'fulfilled') addresses.push(result.value);
        else {
          closeListeners();
          throw result.reason;
        }
      }
      return addresses;
    },
    drain(choice) {
      const steps = {
        announce: () => void (context.draining = true),
        closeListeners,
        closeIdle: () => {
          closeArriving();
          connections.forEach((connection) => connection.closeIfIdle());
        },
        isOver: () => context.inFlight === 0,
        isEmpty: () => connections.size === 0 && arriving.size === 0,
        closeAll: destroy,
      };
      const delayMs = choice?.delayMs ?? timeouts.drainDelayMs;
      const boundMs = choice?.boundMs ?? timeouts.drainMs;
      drained ??= drain({ clock, delayMs, idleMs: choice?.idleMs ?? 0, boundMs, steps });
      return drained;
    },
    destroy,
    retries,
    get connections() {
      return connections.size + arriving.size;
    },
    get inFlight() {
      return context.inFlight;
    },
  };
}
