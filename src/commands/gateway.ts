/**
 * Role gateway, put together in the order in which a request meets the parts.
 *
 * Must not know signals, files or exit codes (run.ts), nor how any part works.
 */

import { PinCookies } from '../affinity/pin-cookie.ts';
import { PinTable } from '../affinity/pin-table.ts';
import { defaultCookie } from '../affinity/session-id/presets.ts';
import type { SessionId } from '../affinity/session-codec.ts';
import { type Address, formatAddress } from '../base/address.ts';
import type { Secrets } from '../base/keyring.ts';
import type { SessionView, Window } from '../admin/window.ts';
import type { GatewayConfig } from '../config/config.ts';
import { GatewayRole } from '../proxy/gateway-role.ts';
import { OwnerLookup } from '../proxy/owner-lookup.ts';
import { PerSessionLimit } from '../proxy/per-session.ts';
import { createProxy, type Proxy } from '../proxy/proxy.ts';
import type { OpenedStore } from '../store/open-store.ts';
import { HelloSigner } from '../upstream/hello.ts';
import { PodWatch } from '../upstream/pod-watch.ts';
import { UpstreamPool } from '../upstream/pool.ts';
import { InternalSigner } from '../upstream/signed-fields.ts';
import { observeExchanges } from './exchange-observer.ts';
import { openCodec, openConfiguredStore, openDigest, type ProcessParts } from './process-parts.ts';
import { readSessionId } from './read-session-id.ts';
import type { RunningRole } from './running-role.ts';

/** Pins in memory: some 200 MB when full. */
const tableEntriesMax = 1_000_000;
/** How long a start waits for the pods' first answers before it counts as started (rules 33). */
const startDeadlineMs = 5000;

export interface GatewayParts extends ProcessParts {
  /** A store that is open already (`dev`); else the configured one is opened. */
  readonly store?: OpenedStore;
}

/** Puts the gateway together; start() opens it. @throws HoldfastError 'bad-configuration'. */
export function createGateway(config: GatewayConfig, parts: GatewayParts): RunningRole {
  const { log, metrics, clock } = parts;
  const { affinity, health, timeouts, limits, pods } = config;
  const startedAtMs = clock.monotonicMs();

  // The session: its cookie, its pin, the table, and the store's word.
  const codec = openCodec(config, parts);
  const digestOf = openDigest(config);
  const secrets = config.store.keys;
  const nameKey = config.store.nameKey;
  const shared = secrets !== undefined && nameKey !== undefined && (pods.sidecars || config.store.kind === 'redis');
  const opened = parts.store ?? (shared ? openConfiguredStore(withKeys(config, secrets, nameKey), parts) : undefined);
  const pins =
    affinity.pin === 'cookie' && affinity.pinKeys !== undefined ? openPins(config, affinity.pinKeys) : undefined;
  const table = new PinTable({ entriesMax: tableEntriesMax });

  // The pods: who is there, and in what state.
  const sidecars = pods.sidecars && secrets !== undefined;
  const watch = new PodWatch({
    pods: pods.static,
    digestsOf: pins === undefined ? () => [] : (name, uid) => pins.podDigests(name, uid),
    hello: sidecars ? new HelloSigner(secrets) : undefined,
    path: health.path,
    intervalMs: health.intervalMs,
    timeoutMs: Math.max(timeouts.connectMs, health.intervalMs),
    rules: health,
    clock,
    log,
  });

  // The decision, and the data path around it.
  const nameOf = (session: SessionId): string => opened?.names.of(session) ?? '';
  const role = new GatewayRole({
    codec,
    pins,
    table,
    lookup:
      opened === undefined
        ? undefined
        : new OwnerLookup({
            ownerOf: (session) => opened.store.ownerOf(opened.names.of(session)),
            clock,
            boundMs: timeouts.lookupMs,
          }),
    watch,
    signer: sidecars ? new InternalSigner(secrets) : undefined,
    nameOf,
    digestOf,
    perSession: new PerSessionLimit(limits.perSession),
    boundedLoad: affinity.boundedLoad,
    strict: affinity.strict,
    timeouts,
    clock,
    random: Math.random,
  });
  const pool = new UpstreamPool({ clock, idleMs: timeouts.upstreamIdleMs });
  const observer = observeExchanges(log, metrics);
  const { listen, trustedProxies } = config;
  const proxy = createProxy({ role, listen, timeouts, limits, trustedProxies, clock, observer, pool });

  countGateway(parts, { watch, table, pool, proxy });

  const isStarted = (): boolean => watch.complete || clock.monotonicMs() - startedAtMs > startDeadlineMs;
  const window: Window = {
    title: 'gateway',
    started: () => ({
      ok: isStarted(),
      reason: isStarted() ? 'started' : 'the pods are being asked for the first time',
    }),
    ready() {
      if (role.closing) return { ok: false, reason: 'draining' };
      return isStarted() ? { ok: true, reason: 'a list of pods was seen' } : { ok: false, reason: 'starting' };
    },
    pods: () =>
      [...watch.set.pods, ...watch.set.gone].map((pod) => ({
        name: pod.name,
        state: pod.state,
        why: pod.why,
        inFlight: pod.load.inFlight,
        uid: pod.uid,
        address: formatAddress(pod.address),
      })),
    session: (given) => whereIs(given),
    drain() {
      role.closing = true;
      return Promise.resolve();
    },
    figures: () => [
      ['Connections', String(proxy.connections)],
      ['Exchanges in flight', String(proxy.inFlight)],
      ['Sessions in the pin table', String(table.size)],
      ['Store', opened === undefined ? 'none' : opened.health.state],
    ],
  };

  async function whereIs(given: string): Promise<SessionView | undefined> {
    const session = readSessionId(given, codec, config);
    if (session === undefined) return undefined;
    const entry = table.get(session);
    const record = await opened?.store.ownerOf(opened.names.of(session)).catch(() => undefined);
    if (entry === undefined && record === undefined) return undefined;
    const newer = record?.owner !== undefined && record.epoch >= (entry?.epoch ?? 0);
    return {
      session: digestOf(session),
      pod: newer ? (record.owner?.name ?? null) : (entry?.pod.name ?? null),
      reason: newer ? 'owner in the store' : record?.tombstone === true ? 'logged out' : 'pin table',
      epoch: record?.epoch ?? entry?.epoch ?? null,
      version: record?.version ?? null,
      storedAt: record === undefined || record.storedAtMs === 0 ? null : new Date(record.storedAtMs).toISOString(),
    };
  }

  let addresses: readonly Address[] = [];

  return {
    window,
    get addresses() {
      return addresses;
    },
    async start() {
      addresses = await proxy.listen();
      log.info({ addresses: addresses.map(formatAddress), pods: pods.static.length, sidecars }, 'gateway listens');
      await watch.start();
      log.info({ ready: watch.set.ready.length }, 'each pod has been asked once');
    },
    drain() {
      role.closing = true;
      return proxy.drain();
    },
    async close() {
      watch.stop();
      proxy.destroy();
      if (parts.store === undefined) await opened?.store.close();
    },
    kill() {
      watch.stop();
      proxy.destroy();
    },
  };
}

function withKeys(config: GatewayConfig, keys: Secrets, nameKey: Buffer): Parameters<typeof openConfiguredStore>[0] {
  return { ...config, store: { ...config.store, keys, nameKey } };
}

function openPins(config: GatewayConfig, secrets: Secrets): PinCookies {
  return new PinCookies({
    secrets,
    application: config.store.prefix,
    name: config.affinity.cookie,
    sessionCookie: config.session.cookie ?? defaultCookie(config.session.preset),
  });
}

function countGateway(
  { metrics }: ProcessParts,
  { watch, table, pool, proxy }: { watch: PodWatch; table: PinTable; pool: UpstreamPool; proxy: Proxy },
): void {
  metrics.gauge({ name: 'pods', help: 'Pods by state.', labels: ['state'] }, () => {
    const { ready, draining, unhealthy, gone } = watch.set;
    return [
      [['ready'], ready.length],
      [['draining'], draining.length],
      [['unhealthy'], unhealthy.length],
      [['gone'], gone.length],
    ];
  });
  metrics.gauge({ name: 'pod_exchanges', help: 'Exchanges in flight at each pod.', labels: ['pod'] }, () =>
    watch.set.pods.map((pod) => [[pod.name], pod.load.inFlight]),
  );
  metrics.gauge({ name: 'pin_table_sessions', help: 'Sessions in the pin table.' }, () => table.size);
  metrics.gauge({ name: 'client_connections', help: 'Open client connections.' }, () => proxy.connections);
  metrics.gauge({ name: 'exchanges', help: 'Exchanges in flight.' }, () => proxy.inFlight);
  metrics.gauge({ name: 'upstream_connections', help: 'Open connections to pods.' }, () => pool.openCount);
}
