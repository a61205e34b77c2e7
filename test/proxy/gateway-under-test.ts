/**
 * The gateway's role on a real data path before scripted sidecars: cookies and pins are real, so are probes.
 */

import type { TestContext } from 'node:test';

import { PinCookies } from '../../src/affinity/pin-cookie.ts';
import { PinTable } from '../../src/affinity/pin-table.ts';
import { createSessionCodec } from '../../src/affinity/preset-codec.ts';
import { Rebalance } from '../../src/affinity/rebalance.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';
import { type Address, formatAddress } from '../../src/base/address.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { SessionDigest } from '../../src/base/session-digest.ts';
import { GatewayRole, type GatewayRoleOptions } from '../../src/proxy/gateway-role.ts';
import { OwnerLookup } from '../../src/proxy/owner-lookup.ts';
import { PerSessionLimit } from '../../src/proxy/per-session.ts';
import type { StoreRecord } from '../../src/store/contract.ts';
import { HelloSigner } from '../../src/upstream/hello.ts';
import { PodWatch, type PodWatchOptions } from '../../src/upstream/pod-watch.ts';
import { InternalSigner } from '../../src/upstream/signed-fields.ts';
import { ProxyUnderTest, usualTimeouts } from '../support/proxy-under-test.ts';
import { testSecrets } from '../support/scripted-sidecar.ts';
import { type Answer, askHttp } from './ask-http.ts';

export const cookieName = 'sid';

export interface GatewaySetup {
  readonly pods: readonly { readonly name: string; readonly address: Address }[];
  /** False: bare applications. */
  readonly sidecars?: boolean;
  readonly pin?: 'cookie' | 'table';
  readonly strict?: boolean;
  readonly perSession?: number;
  /** The shared store's word; absent: no store is shared. */
  readonly ownerOf?: (session: SessionId) => Promise<StoreRecord | undefined>;
  readonly trustedProxies?: readonly string[];
  /** Of a probe; 5 s by default. */
  readonly probeTimeoutMs?: number;
  /** The health path. */
  readonly path?: string;
}

export class GatewayUnderTest {
  readonly under: ProxyUnderTest;
  readonly watch: PodWatch;
  readonly table: PinTable;
  readonly signer = new InternalSigner(testSecrets);

  private constructor(under: ProxyUnderTest, parts: { readonly watch: PodWatch; readonly table: PinTable }) {
    this.under = under;
    this.watch = parts.watch;
    this.table = parts.table;
  }

  static async start(t: TestContext, setup: GatewaySetup): Promise<GatewayUnderTest> {
    const { sidecars = true, ownerOf } = setup;
    const pins = setup.pin === 'table' ? undefined : openPins();
    let silent: PodWatchOptions['silent'] = () => undefined;
    const watch = new PodWatch({
      pods: setup.pods,
      digestsOf: (name, uid) => pins?.podDigests(name, uid) ?? [],
      hello: sidecars ? new HelloSigner(testSecrets) : undefined,
      path: setup.path,
      intervalMs: 30,
      timeoutMs: setup.probeTimeoutMs ?? 5000,
      rules: { fails: 2, passes: 1 },
      clock: systemClock,
      log: createLog({ level: 'silent', destination: { write: () => undefined } }),
      silent: (pod, beforeMs) => silent(pod, beforeMs),
    });
    t.after(() => watch.stop());
    await watch.start();
    const table = new PinTable({ entriesMax: 1000 });
    const digest = new SessionDigest(testSecrets[0]);
    const options: GatewayRoleOptions = {
      codec: createSessionCodec({ preset: 'plain', cookie: cookieName, keys: [] }),
      pins,
      table,
      lookup: ownerOf === undefined ? undefined : new OwnerLookup({ ownerOf, clock: systemClock, boundMs: 2000 }),
      watch,
      signer: sidecars ? new InternalSigner(testSecrets) : undefined,
      nameOf: (session) => `name-of-${session}`,
      digestOf: (session) => digest.of(session),
      perSession: new PerSessionLimit(setup.perSession ?? 64),
      rebalance: sidecars ? new Rebalance({ saidBy: (name) => watch.saidBy(name), slowStartMs: 0 }) : undefined,
      boundedLoad: 1.25,
      slowStartMs: 0,
      strict: setup.strict ?? false,
      timeouts: usualTimeouts,
      clock: systemClock,
      random: Math.random,
    };
    const role = new GatewayRole(options);
    const under = await ProxyUnderTest.start(t, { role, trustedProxies: setup.trustedProxies ?? [] });
    silent = ({ address }, beforeMs) => under.pool.foundSilent(address, beforeMs);
    return new GatewayUnderTest(under, { watch, table });
  }

  ask(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return askHttp(`http://${formatAddress(this.under.address)}${path}`, headers);
  }
}

/** As another gateway with the same key would. */
export function openPins(): PinCookies {
  return new PinCookies({ secrets: testSecrets, application: 'test', name: 'pin', sessionCookie: cookieName });
}
