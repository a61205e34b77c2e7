/**
 * Role sidecar, put together in the order in which a request meets the parts.
 *
 * Must not know signals, files of configuration or exit codes (run.ts), nor how any part works.
 */

import type { RekeyableCodec } from '../affinity/preset-codec.ts';
import type { SessionId } from '../affinity/session-codec.ts';
import type { SessionView, Window } from '../admin/window.ts';
import { type Address, formatAddress } from '../base/address.ts';
import { KeyRing } from '../base/keyring.ts';
import type { Config, SidecarConfig } from '../config/config.ts';
import { KeeperScope } from '../proxy/keeper-scope.ts';
import { PerSessionLimit } from '../proxy/per-session.ts';
import { createProxy, type Proxy } from '../proxy/proxy.ts';
import { SidecarRole } from '../proxy/sidecar-role.ts';
import { DirectoryHold } from '../sessions/directory-hold.ts';
import { Keeper } from '../sessions/keeper.ts';
import { Notes } from '../sessions/notes.ts';
import { PeerClient } from '../sessions/peer-client.ts';
import { PeerServer } from '../sessions/peer-server.ts';
import { SessionDirectory } from '../sessions/session-directory.ts';
import { SessionTurns } from '../sessions/session-turns.ts';
import type { SessionGate } from '../sessions/stay.ts';
import type { Owner, StoreName } from '../store/contract.ts';
import type { OpenedStore } from '../store/open-store.ts';
import { type ApplicationState, ApplicationWatch } from '../upstream/application-watch.ts';
import { UpstreamPool } from '../upstream/pool.ts';
import { InternalSigner } from '../upstream/signed-fields.ts';
import { openConfiguredStore } from './configured-store.ts';
import { endTimes } from './end-times.ts';
import { observeExchanges } from './exchange-observer.ts';
import type { KeyCheck } from './key-check.ts';
import { codecKeys, openCodec, openDigest, type ProcessParts } from './process-parts.ts';
import { ownDirectory } from './own-directory.ts';
import { ownIdentity } from './own-identity.ts';
import { readSessionId } from './read-session-id.ts';
import type { RunningRole } from './running-role.ts';
import { sidecarHello } from './sidecar-hello.ts';
import { countSidecar, type SidecarState, sidecarWindow } from './sidecar-window.ts';
import { observeTls } from './tls-observer.ts';

export interface SidecarParts extends ProcessParts {
  /** A store that is open already and shared (`dev`); else the configured one is opened, and closed in the end. */
  readonly store?: OpenedStore;
  /** Puts something between the data path and the keeper (`dev` looks where session files appear). */
  readonly wrapGate?: (gate: SessionGate, directory: SessionDirectory) => SessionGate;
}

/**
 * A gateway asks its pods every `health.interval` (2 s) and sends nothing more to one that drains. Until then its
 * requests are still answered, or told to go elsewhere: a connection that closes under a request could have been
 * the application's own end, and such a request may not be sent again.
 */
const gatewaysLearnMs = 2500;
/** How much longer than `timeouts.drain` a sidecar that ends may take: then another one has its directory for good. */
const predecessorMs = 2000;

/** What exists only once we know who we are: the uid is beside the notes, in the session directory. */
interface Assembled {
  readonly own: Owner;
  readonly keeper: Keeper;
  readonly role: SidecarRole;
  readonly proxy: Proxy;
  readonly peers: { readonly client: PeerClient; readonly server: PeerServer };
}

/** Puts the sidecar together; start() opens it. @throws HoldfastError 'bad-configuration'. */
export function createSidecar(config: SidecarConfig, parts: SidecarParts): RunningRole {
  return new Sidecar(config, parts);
}

class Sidecar implements RunningRole {
  readonly window: Window;
  readonly #config: SidecarConfig;
  readonly #parts: SidecarParts;
  readonly #codec: RekeyableCodec;
  readonly #ring: KeyRing;
  readonly #digestOf: (session: SessionId) => string;
  readonly #nameOf: (session: SessionId) => StoreName;
  readonly #directory: SessionDirectory;
  readonly #hold: DirectoryHold;
  readonly #notes: Notes;
  readonly #opened: OpenedStore;
  readonly #closeStore: () => Promise<void>;
  /** Undefined: the store is given (`dev`). */
  readonly #keys: KeyCheck | undefined;
  readonly #application: ApplicationWatch;
  #assembled: Assembled | undefined;
  #addresses: readonly Address[] = [];
  #waitsFor: string | undefined = 'starting';
  /** Not ready although it serves: somebody took it out by hand, or it ends. */
  #unready = false;
  #stopped = false;
  /** When somebody last said that the pod ends, monotonic. */
  #heardMs: number | undefined;

  constructor(config: SidecarConfig, parts: SidecarParts) {
    const { clock, log, metrics } = parts;
    const { sessions, session, timeouts } = config;
    this.#config = config;
    this.#parts = parts;
    this.#codec = openCodec(config, parts);
    this.#digestOf = openDigest(config);
    this.#directory = new SessionDirectory({
      ...sessions,
      preset: session.preset,
      cookie: session.cookie,
      lockMs: timeouts.lockMs,
      lifetimeMs: session.lifetimeMs,
      clock,
    });
    this.#hold = new DirectoryHold(this.#directory.privatePath, clock);
    this.#notes = new Notes({ directory: sessions.notes ?? this.#directory.privatePath });
    const own = parts.store === undefined ? openConfiguredStore(config, parts) : undefined;
    this.#ring = own?.ring ?? new KeyRing(config.store.keys);
    this.#opened = parts.store ?? own!;
    this.#closeStore = async () => own?.close();
    this.#keys = own?.keys;
    const { names } = this.#opened;
    this.#nameOf = (id) => names.of(id);
    this.#application = new ApplicationWatch({
      application: config.application,
      clock,
      onChange: (state, before) => {
        log.info({ application: formatAddress(config.application), state }, 'the application was tried');
        this.#applicationIs(state, before);
      },
    });
    const state = (): SidecarState => this.#state();
    this.window = sidecarWindow({
      config,
      state,
      find: (given) => this.#find(given),
      drain: ({ unready }) => {
        this.#unready ||= unready;
        this.#heardMs = clock.monotonicMs();
        return this.#letGo(timeouts.drainMs);
      },
    });
    countSidecar(metrics, config.limits, state);
  }

  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  async start(): Promise<void> {
    await ownDirectory({
      hold: this.#hold,
      directory: this.#directory,
      notes: this.#notes,
      predecessorMs: this.#config.timeouts.drainMs + predecessorMs,
      ...this.#parts,
      waits: (why) => (this.#waitsFor = why),
      isStopped: () => this.#stopped,
    });
    if (this.#isStopped()) return;
    const assembled = this.#assemble();
    const { keeper, proxy, peers, own } = assembled;
    this.#assembled = assembled;
    this.#waitsFor = 'waiting for the store';
    await Promise.all([keeper.start(this.#hold.unheldSinceMs), this.#application.start(), this.#keys?.atStart()]);
    keeper.applicationRefuses = !this.#application.accepts;
    if (this.#isStopped()) return;
    keeper.watch();
    await peers.server.listen();
    this.#addresses = await proxy.listen();
    // Killed meanwhile: what was not open yet could not be closed.
    if (this.#isStopped()) {
      this.kill();
      return;
    }
    this.#waitsFor = undefined;
    const addresses = this.#addresses.map(formatAddress);
    this.#parts.log.info({ addresses, peer: own.peer, pod: own.name, uid: own.uid }, 'sidecar listens');
  }

  takeOver(next: Config): void {
    // The one that may throw comes first.
    this.#codec.rekey(codecKeys(next.session));
    if (next.store.keys !== undefined) this.#ring.replace(next.store.keys);
  }

  /** The whole sequence of rules 34, for a SIGTERM, in the time that is left: owned sessions are served until the end. */
  async drain(): Promise<void> {
    this.#stopped = true;
    this.#unready = true;
    if (this.#assembled === undefined) return;
    const { keeper, proxy } = this.#assembled;
    const { drainMs, drainDelayMs } = this.#config.timeouts;
    const nowMs = this.#parts.clock.monotonicMs();
    const learnMs = Math.min(drainDelayMs, gatewaysLearnMs);
    const times = endTimes({ heardMs: this.#heardMs, nowMs, drainMs, learnMs });
    await this.#letGo(times.idleMs);
    const leftMs = Math.max(0, nowMs + times.servedMs - this.#parts.clock.monotonicMs());
    const delayMs = Math.min(times.acceptedMs, leftMs);
    await proxy.drain({ delayMs, boundMs: leftMs - delayMs });
    await keeper.stop(times.stopMs);
  }

  async close(): Promise<void> {
    this.kill();
    await this.#closeStore();
  }

  kill(): void {
    this.#stopped = true;
    this.#application.stop();
    this.#hold.release();
    if (this.#assembled === undefined) return;
    const { keeper, proxy, peers } = this.#assembled;
    keeper.unwatch();
    proxy.destroy();
    void peers.server.close();
    void peers.client.close();
  }

  #assemble(): Assembled {
    const { clock, log, metrics, wrapGate } = this.#parts;
    const { timeouts, limits, sessions, session, application, peer, listen, trustedProxies } = this.#config;
    const own = ownIdentity(this.#config, this.#notes);
    const secrets = this.#ring;
    const client = new PeerClient({ secrets, timeouts, log });
    const shared = { clock, log, timeouts, limits, nameOf: this.#nameOf, digestOf: this.#digestOf };
    const keeper = new Keeper({
      ...shared,
      ...sessions,
      me: own,
      store: this.#opened.store,
      health: this.#opened.health,
      directory: this.#directory,
      notes: this.#notes,
      peers: client,
      lifetimeMs: session.lifetimeMs,
    });
    const server = new PeerServer({ listen: peer.listen, uid: own.uid, secrets, keeper, log });
    const role = new SidecarRole({
      ...shared,
      own,
      application,
      applicationRefused: () => this.#application.doubted(),
      gate: wrapGate?.(keeper, this.#directory) ?? keeper,
      codec: this.#codec,
      signer: new InternalSigner(secrets),
      hello: sidecarHello({
        config: this.#config,
        secrets,
        own,
        log,
        state: () => ({
          application: this.#application.accepts ? 'up' : 'down',
          store: this.#opened.health.state === 'down' ? 'down' : 'up',
          draining: this.#assembled?.role.closing === true,
          counts: keeper.counts,
        }),
        terminating: () => this.#terminates(),
      }),
      scope: new KeeperScope(sessions),
      perSession: new PerSessionLimit(limits.perSession),
      turns: sessions.serialize ? new SessionTurns({ clock, waitMs: timeouts.turnMs }) : undefined,
      sync: sessions.replicate === 'sync',
      savedLater: this.#directory.rules.savedAfterOutput,
      limits,
    });
    const proxy = createProxy({
      role,
      listen,
      timeouts,
      limits,
      hasOwnCallers: true,
      trustedProxies,
      clock,
      observer: observeExchanges(log, metrics),
      ...observeTls(listen, { log, metrics }),
      pool: new UpstreamPool({ clock, idleMs: timeouts.upstreamIdleMs }),
    });
    return { own, keeper, role, proxy, peers: { client, server } };
  }

  /** A gateway saw that the pod is terminating: what `holdfast drain` begins, begins now if it has not yet (rules 34). */
  #terminates(): void {
    if (this.#assembled?.role.closing !== false) return;
    this.#parts.log.info({}, 'a gateway says that this pod is terminating: it drains');
    this.#heardMs = this.#parts.clock.monotonicMs();
    void this.#letGo(this.#config.timeouts.drainMs);
  }

  /** Gives sessions up as they become idle, and goes on answering. Resolves after `boundMs` at the latest. */
  async #letGo(boundMs: number): Promise<void> {
    if (this.#assembled === undefined) return;
    this.#assembled.role.closing = true;
    await this.#assembled.keeper.drain(boundMs);
  }

  /**
   * An application that ends gives its sessions up, and takes them again when it is back (rules 34). One that has not
   * begun yet, or only is too busy to accept, keeps what it has: it takes nothing more.
   */
  #applicationIs(state: ApplicationState, before: ApplicationState | undefined): void {
    const keeper = this.#assembled?.keeper;
    if (keeper === undefined) return;
    keeper.applicationRefuses = state !== 'accepts';
    if (state === 'refuses' && before !== undefined) void keeper.applicationGone(this.#config.timeouts.drainMs);
  }

  async #find(given: string): Promise<SessionView | undefined> {
    const session = readSessionId(given, this.#codec, this.#config);
    if (session === undefined || this.#assembled === undefined) return undefined;
    const known = await this.#assembled.keeper.describe(session);
    const isNobodys = known.reason === 'no record' && known.here === 'elsewhere';
    return isNobodys ? undefined : { ...known };
  }

  #state(): SidecarState {
    const assembled = this.#assembled;
    return {
      waitsFor: this.#waitsFor,
      draining: assembled?.role.closing === true,
      unready: this.#unready,
      applicationAccepts: this.#application.accepts,
      wrongKeys: this.#keys?.problem,
      storeState: this.#opened.health.state,
      storeWhy: this.#opened.health.why?.message,
      uid: assembled?.own.uid ?? '',
      keeper: assembled?.keeper,
      proxy: assembled?.proxy,
      perSession: assembled?.role.options.perSession,
    };
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}
