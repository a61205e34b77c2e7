/**
 * The rules that take more than one key: what a role needs, what excludes what, what this version does not have,
 * and the defaults that follow from other keys. Ends with a Config or a list of everything that is wrong.
 *
 * Must not know files, flags or variables.
 */

import { networkInterfaces } from 'node:os';
import type { Address } from '../base/address.ts';
import { parseAddress } from '../base/address.ts';
import type { Secrets } from '../base/keyring.ts';
import { canBindForOthers } from '../workers/listen-sockets.ts';
import type { Config, GatewayConfig, Place, SidecarConfig } from './config.ts';
import type { Problem, Report } from './problems.ts';
import type { Keys } from './schema.ts';
import { settleListen } from './settle-listen.ts';
import { settlePods } from './settle-pods.ts';
import { settleSession, settleStore } from './settle-session.ts';

export type Settled =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/**
 * What is wrong whatever the role is, for a configuration that does not say a role that exists. The defaults of keys
 * that differ between the roles are a gateway's here, and nothing is said of them.
 */
export function problemsOfAnyRole(keys: Keys): readonly Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, words) => void problems.push({ path, words });
  settleListen(keys, report);
  settleSession(keys, report);
  settleStore(keys, report);
  return problems;
}

/**
 * @param dev `holdfast dev`: all parts live in one process, so that a store in memory serves sidecars too.
 */
export function settle(keys: Keys, options: { readonly dev: boolean }): Settled {
  const problems: Problem[] = [];
  const report: Report = (path, words) => void problems.push({ path, words });
  refuseWorkers(keys, report);
  const config = keys.role === 'gateway' ? settleGateway(keys, report) : settleSidecar(keys, report, options.dev);
  return problems.length > 0 || config === undefined ? { kind: 'problems', problems } : { kind: 'config', config };
}

function refuseWorkers(keys: Keys, report: Report): void {
  if (keys.role !== 'gateway' || keys.workers === 1) return;
  if (!canBindForOthers) report('workers', `more than 1 needs Node 26.4 or newer; this is ${process.versions.node}`);
  if (keys.affinity.pin === 'table' && keys.store.url.startsWith('memory:')) {
    report(
      'affinity.pin',
      'can not be table with several workers and no shared store: each would have a table of its own',
    );
  }
}

function settleCommon(keys: Keys, report: Report) {
  return {
    listen: settleListen(keys, report),
    admin: settleAdmin(keys, report),
    probes: keys.probes,
    trustedProxies: keys.trustedProxies,
    session: settleSession(keys, report),
    log: keys.log,
    timeouts: keys.timeouts,
    limits: keys.limits,
  };
}

const defaultAdmin = { gateway: '127.0.0.1:9901', sidecar: 'unix:/run/holdfast/admin.sock' } as const;

function settleAdmin(keys: Keys, report: Report): Config['admin'] {
  const given = keys.admin ?? defaultAdmin[keys.role];
  const place = given === 'off' ? undefined : parsePlace(given);
  const token = keys.adminToken;
  if (place === undefined && given !== 'off') report('admin', `"${given}" is not host:port, unix:PATH or off`);
  if (place?.kind === 'tcp' && token === undefined) {
    if (keys.role === 'sidecar') {
      report('adminToken', 'is needed: in a sidecar the application can reach every TCP port of the pod');
    } else if (!isLoopback(place.address.host)) {
      report('adminToken', 'is needed when admin listens beyond loopback');
    }
  }
  return { place, byDefault: keys.admin === undefined, token };
}

function parsePlace(text: string): Place | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    // sun_path holds 108 bytes with its final zero (unix(7)); a longer one would be cut without a word.
    return path === '' || Buffer.byteLength(path) > 107 ? undefined : { kind: 'unix', path };
  }
  const address = parseAddress(text);
  return address === undefined ? undefined : { kind: 'tcp', address };
}

/** 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function settleGateway(keys: Keys, report: Report): GatewayConfig | undefined {
  const { listen, session, ...common } = settleCommon(keys, report);
  const shared = !keys.store.url.startsWith('memory:');
  const sidecars = keys.pods.sidecars ?? shared;
  if (sidecars && keys.store.key === undefined) {
    report(
      'store.key',
      'is needed: gateways and sidecars sign what they say to each other with it (pods.sidecars: false for bare applications)',
    );
  }
  const store = settleStore(keys, report);
  const place = settlePods(keys, report);
  const pinKeys: Secrets | undefined = keys.affinity.pinKey ?? keys.store.key;
  // Where store.key is missing anyway, one line is enough.
  if (keys.affinity.pin === 'cookie' && pinKeys === undefined && !sidecars) {
    report('affinity.pinKey', 'is needed to sign the pin cookie, or store.key, from which it is derived');
  }
  const { interval: intervalMs, fails, passes, path, slowStart: slowStartMs } = keys.health;
  if (listen === undefined || session === undefined || store === undefined || place === undefined) return undefined;
  return {
    role: 'gateway',
    ...common,
    listen,
    session,
    store,
    pods: { place, sidecars },
    affinity: { ...keys.affinity, pinKeys, cookie: keys.affinity.cookie },
    workers: keys.workers,
    health: { intervalMs, fails, passes, path, slowStartMs },
  };
}

function settleSidecar(keys: Keys, report: Report, dev: boolean): SidecarConfig | undefined {
  const { listen, session, ...common } = settleCommon(keys, report);
  const { application } = keys;
  const { name, uid } = keys.pod;
  const { directory, notes, mode } = keys.sessions;
  if (application === undefined) report('application', 'is needed: the address of the application beside this sidecar');
  if (directory === undefined) report('sessions.directory', "is needed: the application's session directory");
  if (name === undefined) report('pod.name', 'is needed: the stable name of this pod');
  if (keys.store.key === undefined) {
    report('store.key', 'is needed: sessions are sealed with it, and what sidecars say to each other is signed');
  }
  if (keys.store.url.startsWith('memory:') && !dev) {
    report(
      'store.url',
      'can not be memory: in a sidecar: the sessions would die with the pod that they are to outlive',
    );
  }
  const store = settleStore(keys, report);
  const advertise = settleAdvertise(keys, report);
  if (store?.keys === undefined || store.nameKey === undefined) return undefined;
  if (listen === undefined || session === undefined || advertise === undefined) return undefined;
  if (application === undefined || directory === undefined || name === undefined) return undefined;
  return {
    role: 'sidecar',
    ...common,
    listen,
    session,
    store: { ...store, keys: store.keys, nameKey: store.nameKey },
    pod: { name, uid },
    peer: { listen: keys.peer.listen, advertise },
    application,
    sessions: { ...keys.sessions, directory, notes, mode },
  };
}

/** How other pods reach this one: as told, else the listen address, else this machine's first real address. */
function settleAdvertise(keys: Keys, report: Report): Address | undefined {
  const { listen, advertise } = keys.peer;
  if (advertise === undefined) {
    return isEveryInterface(listen.host) ? { host: firstAddress(), port: listen.port } : listen;
  }
  const whole = parseAddress(advertise);
  if (whole !== undefined) return whole;
  // A bare IPv6 address comes without brackets from the downward API.
  const host = /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(advertise) ? `[${advertise}]` : advertise;
  const joined = parseAddress(`${host}:${listen.port}`);
  if (joined === undefined) report('peer.advertise', `"${advertise}" is not HOST or HOST:PORT`);
  return joined;
}

function isEveryInterface(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function firstAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.filter((address) => !address.internal);
  return (outside.find((address) => address.family === 'IPv4') ?? outside[0])?.address ?? '127.0.0.1';
}
