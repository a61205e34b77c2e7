/**
 * Role gateway, put together in the order in which a request meets the parts.
 *
 * Must not know signals, files of configuration or exit codes (run.ts), nor how any part works.
 */

import { PinCookies } from '../affinity/pin-cookie.ts';
import { PinTable } from '../affinity/pin-table.ts';
import { defaultCookie } from '../affinity/session-id/presets.ts';
import { type Address, formatAddress } from '../base/address.ts';
import type { GatewayConfig } from '../config/config.ts';
import { GatewayRole } from '../proxy/gateway-role.ts';
import { OwnerLookup } from '../proxy/owner-lookup.ts';
import { PerSessionLimit } from '../proxy/per-session.ts';
import { createProxy } from '../proxy/proxy.ts';
import type { OpenedStore } from '../store/open-store.ts';
import { HelloSigner } from '../upstream/hello.ts';
import { PodWatch } from '../upstream/pod-watch.ts';
import { UpstreamPool } from '../upstream/pool.ts';
import { InternalSigner } from '../upstream/signed-fields.ts';
import { observeExchanges } from './exchange-observer.ts';
import { countGateway, gatewayWindow } from './gateway-window.ts';
import { openCodec, openConfiguredStore, openDigest, type ProcessParts } from './process-parts.ts';
import { readSessionId } from './read-session-id.ts';
import type { RunningRole } from './running-role.ts';

export interface GatewayParts extends ProcessParts {
  /** A store that is open already and shared (`dev`); else the configured one is opened, and closed in the end. */
  readonly store?: OpenedStore;
}

/** Pins in memory: some 200 MB when full. */
const tableEntriesMax = 1_000_000;
/** How long the pods' first answers may take before the start counts as over (rules 33). */
const startDeadlineMs = 5000;

/** Puts the gateway together; start() opens it. @throws HoldfastError 'bad-configuration'. */
export function createGateway(config: GatewayConfig, parts: GatewayParts): RunningRole {
  const { log, metrics, clock } = parts;
  const { affinity, timeouts, limits, listen, trustedProxies, pods } = config;
  const createdAtMs = clock.monotonicMs();

  // The session: its cookie, its pin, the table, and the store's word.
  const codec = openCodec(config, parts);
  const digestOf = openDigest(config);
  const pins = openPins(config);
  const table = new PinTable({ entriesMax: tableEntriesMax });
  const opened = openSharedStore(config, parts);

  // The pods: who is there, and in what state. Bare applications are asked and told nothing signed.
  const secrets = pods.sidecars ? config.store.keys : undefined;
  const watch = openWatch(config, { pins, hello: secrets === undefined ? undefined : new HelloSigner(secrets), parts });

  // The decision, and the data path around it.
  const role = new GatewayRole({
    codec,
    pins,
    table,
    lookup: opened === undefined ? undefined : openLookup(opened, config, parts),
    watch,
    signer: secrets === undefined ? undefined : new InternalSigner(secrets),
    nameOf: (session) => opened?.names.of(session) ?? '',
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
  const proxy = createProxy({ role, listen, timeouts, limits, trustedProxies, clock, observer, pool });

  // The window.
  const isStarted = (): boolean => watch.complete || clock.monotonicMs() - createdAtMs > startDeadlineMs;
  const readSession = (given: string): ReturnType<typeof readSessionId> => readSessionId(given, codec, config);
  const windowParts = { role, watch, table, proxy, pool, opened, isStarted, readSession, digestOf };
  countGateway(metrics, windowParts);

  let addresses: readonly Address[] = [];
  function kill(): void {
    watch.stop();
    proxy.destroy();
  }
  return {
    window: gatewayWindow(windowParts),
    get addresses() {
      return addresses;
    },
    async start() {
      addresses = await proxy.listen();
      const { sidecars } = pods;
      log.info({ addresses: addresses.map(formatAddress), pods: pods.static.length, sidecars }, 'gateway listens');
      await watch.start();
      log.info({ ready: watch.set.ready.length }, 'each pod has been asked once');
    },
    drain() {
      role.closing = true;
      return proxy.drain();
    },
    async close() {
      kill();
      if (parts.store === undefined) await opened?.store.close();
    },
    kill,
  };
}

function openPins(config: GatewayConfig): PinCookies | undefined {
  const { pin, pinKeys, cookie } = config.affinity;
  if (pin !== 'cookie' || pinKeys === undefined) return undefined;
  return new PinCookies({
    secrets: pinKeys,
    application: config.store.prefix,
    name: cookie,
    sessionCookie: config.session.cookie ?? defaultCookie(config.session.preset),
  });
}

/** Undefined where there is none to share: before bare applications, with nothing but this process's memory. */
function openSharedStore(config: GatewayConfig, parts: GatewayParts): OpenedStore | undefined {
  const { keys, nameKey, kind } = config.store;
  if (parts.store !== undefined || keys === undefined || nameKey === undefined || kind === 'memory') return parts.store;
  return openConfiguredStore({ ...config, store: { ...config.store, keys, nameKey } }, parts);
}

function openWatch(
  { pods, health, timeouts }: GatewayConfig,
  { pins, hello, parts }: { pins: PinCookies | undefined; hello: HelloSigner | undefined; parts: GatewayParts },
): PodWatch {
  return new PodWatch({
    pods: pods.static,
    digestsOf: (name, uid) => pins?.podDigests(name, uid) ?? [],
    hello,
    path: health.path,
    intervalMs: health.intervalMs,
    timeoutMs: Math.max(timeouts.connectMs, health.intervalMs),
    rules: health,
    clock: parts.clock,
    log: parts.log,
  });
}

function openLookup({ store, names }: OpenedStore, { timeouts }: GatewayConfig, { clock }: GatewayParts): OwnerLookup {
  return new OwnerLookup({ ownerOf: (session) => store.ownerOf(names.of(session)), clock, boundMs: timeouts.lookupMs });
}
