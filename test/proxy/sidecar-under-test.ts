/**
 * The sidecar's role on a real data path before a scripted application. The keeper is scripted too: it admits as the
 * test says, and its stays write down what they were told. The keeper's own rules have tests of their own
 * (test/sessions); here is what the data path makes of its words.
 */

import type { TestContext } from 'node:test';

import { createSessionCodec } from '../../src/affinity/preset-codec.ts';
import type { CookieChange, SessionId } from '../../src/affinity/session-codec.ts';
import { formatAddress } from '../../src/base/address.ts';
import { systemClock } from '../../src/base/clock.ts';
import { KeyRing } from '../../src/base/keyring.ts';
import { SessionDigest } from '../../src/base/session-digest.ts';
import { KeeperScope, type KeeperScopeOptions } from '../../src/proxy/keeper-scope.ts';
import { PerSessionLimit } from '../../src/proxy/per-session.ts';
import { SidecarRole } from '../../src/proxy/sidecar-role.ts';
import { SessionTurns } from '../../src/sessions/session-turns.ts';
import type { Admission, AdmitAsk, SessionGate, Stay, Verdict } from '../../src/sessions/stay.ts';
import type { Owner } from '../../src/store/contract.ts';
import { type Hello, HelloSigner } from '../../src/upstream/hello.ts';
import { InternalSigner } from '../../src/upstream/signed-fields.ts';
import { ProxyUnderTest, usualLimits, usualTimeouts } from '../support/proxy-under-test.ts';
import { ScriptedSidecar, testSecrets } from '../support/scripted-sidecar.ts';
import { type Answer, askHttp } from './ask-http.ts';

export const cookieName = 'sid';
export const session = 'session-0123456789' as SessionId;

export interface SidecarSetup {
  readonly uid?: string;
  readonly sync?: boolean;
  readonly savedLater?: boolean;
  readonly perSession?: number;
  /** Requests of one session one at a time, each waiting so long. */
  readonly turnMs?: number;
  readonly scope?: Partial<KeeperScopeOptions>;
  readonly trustedProxies?: readonly string[];
}

/** What a stay was told, in order. */
export class ScriptedStay implements Stay {
  readonly session: SessionId | undefined;
  epoch: number | undefined = 7;
  outcome: Stay['outcome'] = 'hit';
  readonly told: string[] = [];
  readonly #verdict: () => Verdict | Promise<Verdict>;

  constructor(id: SessionId | undefined, verdict: () => Verdict | Promise<Verdict>) {
    this.session = id;
    this.#verdict = verdict;
  }

  answered(change: CookieChange): void {
    this.told.push(`answered ${change.kind}`);
  }

  settle(): Verdict | Promise<Verdict> {
    this.told.push('settle');
    return this.#verdict();
  }

  abandon(how: string): void {
    this.told.push(`abandon ${how}`);
  }
}

export class ScriptedGate implements SessionGate {
  readonly asks: AdmitAsk[] = [];
  readonly stays: ScriptedStay[] = [];
  /** By default everything is here. */
  admission: (ask: AdmitAsk) => Admission | Promise<Admission> = ({ session: id }) => this.here(id);
  verdict: () => Verdict | Promise<Verdict> = () => ({ kind: 'leave' });
  visits = 0;
  /** How often the application was found to refuse connections. */
  refusals = 0;

  admit(ask: AdmitAsk): Admission | Promise<Admission> {
    this.asks.push(ask);
    return this.admission(ask);
  }

  visit(): Stay {
    this.visits++;
    const stay = this.#stay(undefined);
    stay.epoch = undefined;
    stay.outcome = 'none';
    return stay;
  }

  /** Whom a request without an application is sent to. */
  others: Owner[] = [];

  otherPod(tried: ReadonlySet<string>): Promise<Owner | undefined> {
    return Promise.resolve(this.others.find(({ uid }) => !tried.has(uid)));
  }

  here(id: SessionId, over: Partial<Pick<ScriptedStay, 'epoch' | 'outcome'>> = {}): Admission {
    return { kind: 'here', stay: Object.assign(this.#stay(id), over) };
  }

  get last(): ScriptedStay {
    return this.stays.at(-1)!;
  }

  #stay(id: SessionId | undefined): ScriptedStay {
    const stay = new ScriptedStay(id, () => this.verdict());
    this.stays.push(stay);
    return stay;
  }
}

export class SidecarUnderTest {
  readonly under: ProxyUnderTest;
  readonly gate: ScriptedGate;
  readonly application: ScriptedSidecar;
  readonly role: SidecarRole;
  readonly own: Owner;
  /** What it believes others by. */
  readonly ring: KeyRing;
  /** Signs as a gateway with the same key would. */
  readonly signer = new InternalSigner(testSecrets);

  private constructor(parts: Pick<SidecarUnderTest, 'under' | 'gate' | 'application' | 'role' | 'own' | 'ring'>) {
    this.under = parts.under;
    this.gate = parts.gate;
    this.application = parts.application;
    this.role = parts.role;
    this.own = parts.own;
    this.ring = parts.ring;
  }

  static async start(t: TestContext, setup: SidecarSetup = {}): Promise<SidecarUnderTest> {
    const application = await ScriptedSidecar.start(t, 'application');
    application.secrets = undefined;
    application.answer = () => ({ body: 'from the application' });
    const gate = new ScriptedGate();
    const uid = setup.uid ?? 'uid-a';
    const own: Owner = { uid, name: `pod of ${uid}`, peer: '127.0.0.1:1', data: '127.0.0.1:1' };
    const digest = new SessionDigest(testSecrets[0]);
    const ring = new KeyRing(testSecrets);
    const say = (): Hello => ({ name: own.name, uid, application: 'up', store: 'up', draining: role.closing });
    const role: SidecarRole = new SidecarRole({
      own,
      application: application.address,
      applicationRefused: () => gate.refusals++,
      gate,
      codec: createSessionCodec({ preset: 'plain', cookie: cookieName, keys: [] }),
      nameOf,
      digestOf: (id) => digest.of(id),
      signer: new InternalSigner(ring),
      hello: {
        signer: new HelloSigner(testSecrets),
        say,
        run: 'run-1',
        terminating: () => (role.closing = true),
        otherKey: () => undefined,
      },
      scope: new KeeperScope({
        skip: { paths: [], methods: [] },
        ignore: { paths: [], userAgents: ['kube-probe/'] },
        ...setup.scope,
      }),
      perSession: new PerSessionLimit(setup.perSession ?? 64),
      turns: setup.turnMs === undefined ? undefined : new SessionTurns({ clock: systemClock, waitMs: setup.turnMs }),
      sync: setup.sync ?? true,
      savedLater: setup.savedLater ?? false,
      timeouts: usualTimeouts,
      limits: usualLimits,
      clock: systemClock,
    });
    const { trustedProxies = [] } = setup;
    const under = await ProxyUnderTest.start(t, { role, trustedProxies, hasOwnCallers: true });
    return new SidecarUnderTest({ under, gate, application, role, own, ring });
  }

  get origin(): string {
    return `http://${formatAddress(this.under.address)}`;
  }

  /** How other pods reach this one. */
  get owner(): Owner {
    return { ...this.own, data: formatAddress(this.under.address) };
  }

  ask(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return askHttp(this.origin + path, headers);
  }

  /** With the token of a gateway of ours. */
  askAsGateway(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.ask(path, { 'x-holdfast-from': this.signer.token(this.own.uid), ...headers });
  }
}

export function nameOf(id: SessionId): string {
  return `name-of-${id}`;
}
