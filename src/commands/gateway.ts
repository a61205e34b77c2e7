/**
 * Role gateway, put together in the order in which a request meets the parts.
 *
 * Must not know signals, files of configuration or exit codes (run.ts), nor how any part works.
 */

import { PinCookies } from '../affinity/pin-cookie.ts';
import { PinTable } from '../affinity/pin-table.ts';
import { Rebalance } from '../affinity/rebalance.ts';
import type { SessionId } from '../affinity/session-codec.ts';
import { defaultCookie } from '../affinity/session-id/presets.ts';
import { type Address, formatAddress } from '../base/address.ts';
import { delay } from '../base/clock.ts';
import { keyFingerprint, KeyRing } from '../base/keyring.ts';
import type { GatewayConfig } from '../config/config.ts';
import { GatewayRole } from '../proxy/gateway-role.ts';
import { OwnerLookup } from '../proxy/owner-lookup.ts';
import { PerSessionLimit } from '../proxy/per-session.ts';
import { createProxy } from '../proxy/proxy.ts';
import type { PodSource } from '../pods/pod-source.ts';
import type { OpenedStore } from '../store/open-store.ts';
import { StoreNames } from '../store/store-names.ts';
import { HelloSigner } from '../upstream/hello.ts';
import { PodWatch } from '../upstream/pod-watch.ts';
import { UpstreamPool } from '../upstream/pool.ts';
import { InternalSigner } from '../upstream/signed-fields.ts';
import type { ConfiguredStore } from './configured-store.ts';
import { observeExchanges } from './exchange-observer.ts';
import { countGateway, gatewayWindow } from './gateway-window.ts';
import { codecKeys, openCodec, openDigest, type ProcessParts } from './process-parts.ts';
import { openDeletionCosts } from './open-deletion-costs.ts';
import { countSource, openPodSource, relist } from './pods-source.ts';
import { readSessionId } from './read-session-id.ts';
import type { RunningRole } from './running-role.ts';
import { observeTls } from './tls-observer.ts';

export interface GatewayParts extends ProcessParts {
  /** A store that is open already and shared (`dev`). */
  readonly store?: OpenedStore;
  /** The configured store: closed in the end. */
  readonly own?: ConfiguredStore | undefined;
  /** This process is a worker: the descriptor of the bound socket of each of `listen`. */
  readonly descriptors?: readonly number[];
}

/** Pins in memory: some 200 MB when full. */
const tableEntriesMax = 1_000_000;
/** How long the pods' first answers are waited for (rules 33). */
const startDeadlineMs = 5000;
/** How long the store's word about our keys is waited for before that; it comes later else, and is told. */
const keysDeadlineMs = 1000;

/** The same as createGateway, with the store that is configured. @throws HoldfastError 'bad-configuration'. */
export async function openGateway(config: GatewayConfig, parts: GatewayParts): Promise<RunningRole> {
  return createGateway(config, { ...parts, own: await openSharedStore(config, parts) });
}

/** Puts the gateway together; start() opens it. @throws HoldfastError 'bad-configuration'. */
export function createGateway(config: GatewayConfig, parts: GatewayParts): RunningRole {
  const { log, metrics, clock } = parts;
  const { affinity, timeouts, limits, listen, trustedProxies, pods } = config;

  // The session: its cookie, its pin, the table, and the store's word.
  const codec = openCodec(config, parts);
  const digestOf = openDigest(config);
  const rings = openRings(config, parts.own);
  const pins = openPins(config, rings.pin);
  const table = new PinTable({ entriesMax: tableEntriesMax });
  const { own } = parts;
  const opened = parts.store ?? own;

  // The pods: who is there, and in what state. Bare applications are asked and told nothing signed.
  const secrets = pods.sidecars ? rings.store : undefined;
  const pool = new UpstreamPool({ clock, idleMs: timeouts.upstreamIdleMs });
  const watch = openWatch(config, { pins, hello: openHello(config, secrets), pool, parts });
  let source: PodSource | undefined;

  // The decision, and the data path around it.
  const rebalance = pods.sidecars
    ? new Rebalance({ saidBy: (name) => watch.saidBy(name), slowStartMs: config.health.slowStartMs })
    : undefined;
  const role = new GatewayRole({
    codec,
    pins,
    table,
    lookup: opened === undefined ? undefined : openLookup(opened, config, parts),
    watch,
    signer: secrets === undefined ? undefined : new InternalSigner(secrets),
    nameOf: openNames(config),
    digestOf,
    perSession: new PerSessionLimit(limits.perSession),
    rebalance,
    boundedLoad: affinity.boundedLoad,
    slowStartMs: config.health.slowStartMs,
    strict: affinity.strict,
    timeouts,
    clock,
    random: Math.random,
  });
  const observer = observeExchanges(log, metrics);
  const { descriptors } = parts;
  const shared = { clock, observer, pool, ...observeTls(listen, parts) };
  const proxy = createProxy({ role, listen, descriptors, timeouts, limits, trustedProxies, ...shared });

  // The window.
  const readSession = (given: string): ReturnType<typeof readSessionId> => readSessionId(given, codec, config);
  let addresses: readonly Address[] = [];
  const isStarted = (): boolean => addresses.length > 0;
  const wrongKeys = (): string | undefined => own?.keys.problem ?? watch.wrongKeys;
  const { slowStartMs } = config.health;
  const windowParts = {
    limits,
    clock,
    slowStartMs,
    role,
    watch,
    table,
    proxy,
    pool,
    opened,
    isStarted,
    readSession,
    digestOf,
    wrongKeys,
    source: () => source,
  };
  countGateway(metrics, windowParts);
  if (pods.place.kind !== 'static') countSource(metrics, () => source?.view);
  const costs = openDeletionCosts(pods.place, { watch, clock, log, metrics });

  let killed = false;
  const isKilled = (): boolean => killed;
  function kill(): void {
    killed = true;
    source?.stop();
    costs?.stop();
    watch.stop();
    proxy.destroy();
  }
  return {
    window: gatewayWindow(windowParts),
    get addresses() {
      return addresses;
    },
    // A pod is known by its pins only once it has said who it is: before that, its sessions would seem homeless.
    async start() {
      // Wrong keys end the start where the store is there to tell.
      await Promise.race([own?.keys.atStart(), delay(clock, keysDeadlineMs)]);
      source = await openPodSource(pods.place, parts);
      // Nobody would stop what begins after the end.
      if (isKilled()) return;
      await Promise.race([firstAnswers(source, watch), delay(clock, startDeadlineMs)]);
      await costs?.start();
      if (isKilled()) return;
      addresses = await proxy.listen();
      const { sidecars } = pods;
      const ready = watch.set.ready.length;
      const all = { addresses: addresses.map(formatAddress), pods: watch.set.pods.length, ready, sidecars };
      log.info(all, 'gateway listens');
    },
    takeOver(next) {
      if (next.role !== 'gateway') return;
      // The one that may throw comes first.
      codec.rekey(codecKeys(next.session));
      if (next.store.keys !== undefined) rings.store?.replace(next.store.keys);
      if (next.affinity.pinKeys !== undefined) rings.pin?.replace(next.affinity.pinKeys);
      watch.pinKeysChanged();
      relist(source, next.pods.place);
    },
    drain(choice) {
      role.closing = true;
      // Nobody has to learn to send elsewhere: others accept at the same addresses.
      return proxy.drain(choice?.replaced === true ? { delayMs: 0, idleMs: timeouts.drainMs / 2 } : {});
    },
    async close() {
      kill();
      await own?.close();
    },
    kill,
  };
}

/** The pods are listed from now on; resolves when those of the first list were asked, however late it comes. */
async function firstAnswers(source: PodSource, watch: PodWatch): Promise<void> {
  await new Promise<void>((resolve) => {
    source.start((pods) => {
      watch.list(pods);
      resolve();
    });
  });
  await watch.start();
}

/** Keys that a reload may replace. */
interface Rings {
  readonly store: KeyRing | undefined;
  readonly pin: KeyRing | undefined;
}

function openRings({ store, affinity }: GatewayConfig, own: ConfiguredStore | undefined): Rings {
  const ring = (keys: typeof store.keys): KeyRing | undefined => (keys === undefined ? undefined : new KeyRing(keys));
  return { store: own?.ring ?? ring(store.keys), pin: affinity.pin === 'cookie' ? ring(affinity.pinKeys) : undefined };
}

function openPins(config: GatewayConfig, secrets: KeyRing | undefined): PinCookies | undefined {
  const { cookie } = config.affinity;
  if (secrets === undefined) return undefined;
  return new PinCookies({
    secrets,
    application: config.store.prefix,
    name: cookie,
    sessionCookie: config.session.cookie ?? defaultCookie(config.session.preset),
  });
}

/** Undefined where there is none to share: before bare applications, with nothing but this process's memory. */
async function openSharedStore(config: GatewayConfig, parts: GatewayParts): Promise<ConfiguredStore | undefined> {
  const { keys, nameKey, kind } = config.store;
  if (keys === undefined || nameKey === undefined || kind === 'memory') return undefined;
  const { openConfiguredStore } = await import('./configured-store.ts');
  return openConfiguredStore({ ...config, store: { ...config.store, keys, nameKey } }, parts);
}

/** As the pods' sidecars name sessions in their store, whatever ours is. Bare applications are told no names. */
function openNames({ store }: GatewayConfig): (session: SessionId) => string {
  if (store.nameKey === undefined) return () => '';
  const names = new StoreNames(store.nameKey, store.prefix);
  return (session) => names.of(session);
}

/** Undefined before bare applications. */
function openHello({ store }: GatewayConfig, secrets: KeyRing | undefined): HelloSigner | undefined {
  if (secrets === undefined || store.nameKey === undefined) return undefined;
  return new HelloSigner(secrets, keyFingerprint(store.nameKey, store.prefix));
}

function openWatch(
  { health, timeouts }: GatewayConfig,
  {
    pins,
    hello,
    pool,
    parts,
  }: { pins: PinCookies | undefined; hello: HelloSigner | undefined; pool: UpstreamPool; parts: GatewayParts },
): PodWatch {
  return new PodWatch({
    digestsOf: (name, uid) => pins?.podDigests(name, uid) ?? [],
    hello,
    path: health.path,
    intervalMs: health.intervalMs,
    timeoutMs: Math.max(timeouts.connectMs, health.intervalMs),
    rules: health,
    clock: parts.clock,
    log: parts.log,
    silent: ({ address }, beforeMs) => pool.foundSilent(address, beforeMs),
  });
}

function openLookup({ store, names }: OpenedStore, { timeouts }: GatewayConfig, { clock }: GatewayParts): OwnerLookup {
  return new OwnerLookup({ ownerOf: (session) => store.ownerOf(names.of(session)), clock, boundMs: timeouts.lookupMs });
}
