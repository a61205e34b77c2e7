/**
 * What a sidecar shows of itself: conditions for the kubelet, its own row of pods, sessions, and its numbers.
 *
 * Must not know how the sidecar is put together, nor how the window is served (admin/).
 */

import type { DrainRequest, SessionView, Window } from '../admin/window.ts';
import { formatAddress } from '../base/address.ts';
import type { Limits } from '../base/limits.ts';
import type { Metrics } from '../base/metrics.ts';
import type { SidecarConfig } from '../config/config.ts';
import type { PerSessionLimit } from '../proxy/per-session.ts';
import type { Proxy } from '../proxy/proxy.ts';
import type { Keeper } from '../sessions/keeper.ts';
import type { KeeperCounters } from '../sessions/keeper-counters.ts';
import type { StoreHealth } from '../store/store-health.ts';
import { countLimits, countRetries } from './limit-metrics.ts';

/** The sidecar as its window sees it, at the moment of a question. */
export interface SidecarState {
  /** Why it does not serve yet; undefined: it serves. */
  readonly waitsFor: string | undefined;
  readonly draining: boolean;
  /** Drained by hand, or stopping: nobody is to send anything here any more. */
  readonly unready: boolean;
  readonly applicationAccepts: boolean;
  /** Our keys are not those of the store: how they differ. */
  readonly wrongKeys: string | undefined;
  readonly storeState: StoreHealth['state'];
  /** Why it is not up. */
  readonly storeWhy: string | undefined;
  readonly uid: string;
  /** Undefined before the session directory was there. */
  readonly keeper: Keeper | undefined;
  readonly proxy: Proxy | undefined;
  readonly perSession: PerSessionLimit | undefined;
}

export interface SidecarWindowOptions {
  readonly config: SidecarConfig;
  readonly state: () => SidecarState;
  readonly find: (given: string) => Promise<SessionView | undefined>;
  readonly drain: (request: DrainRequest) => Promise<void>;
}

export function sidecarWindow({ config, state, find, drain }: SidecarWindowOptions): Window {
  return {
    title: `sidecar of ${config.pod.name}`,
    started() {
      const { waitsFor } = state();
      return waitsFor === undefined ? { ok: true, reason: 'started' } : { ok: false, reason: waitsFor };
    },
    ready() {
      const { waitsFor, draining, unready, applicationAccepts, storeState, storeWhy } = state();
      if (waitsFor !== undefined) return { ok: false, reason: waitsFor };
      if (unready) return { ok: false, reason: 'draining' };
      if (!applicationAccepts) return { ok: false, reason: 'the application does not accept connections' };
      const { wrongKeys } = state();
      if (wrongKeys !== undefined) return { ok: true, reason: `degraded: ${wrongKeys}` };
      // A pod that goes away may be the last one there is: it is ready until its application ends (rules 34).
      if (draining) return { ok: true, reason: 'draining: serves until its application ends' };
      if (storeState === 'up') return { ok: true, reason: 'ready' };
      return { ok: true, reason: `degraded: the store is down${storeWhy === undefined ? '' : `: ${storeWhy}`}` };
    },
    pods() {
      const { draining, applicationAccepts, proxy, uid } = state();
      const does = applicationAccepts ? 'accepts' : 'does not accept';
      return [
        {
          name: config.pod.name,
          state: draining ? 'draining' : applicationAccepts ? 'ready' : 'unhealthy',
          why: `its application ${does} connections`,
          inFlight: proxy?.inFlight ?? 0,
          uid,
          address: formatAddress(config.application),
        },
      ];
    },
    session: find,
    drain,
    figures() {
      const { proxy, keeper, storeState } = state();
      return [
        ['Exchanges in flight', String(proxy?.inFlight ?? 0)],
        ['Sessions known', String(keeper?.sizes.known ?? 0)],
        ['Sessions that wait for the store', String(keeper?.sizes.unsynced ?? 0)],
        ['Sessions behind their answers (async)', String(keeper?.sizes.behind ?? 0)],
        ['Oldest answer that is not stored, seconds', (keeper?.exposedSeconds ?? 0).toFixed(1)],
        ['Store', storeState],
      ];
    },
  };
}

const counterHelp: Readonly<Record<keyof KeeperCounters, string>> = {
  adopts: 'Sessions taken over or taken up again.',
  restores: 'Sessions whose stored copy was written into the directory.',
  adoptsFailed: 'Sessions that could not be taken over.',
  forced: 'Sessions taken from an owner that did not answer.',
  puts: 'Sessions stored.',
  creates: 'Sessions stored for the first time.',
  putsRefused: 'Writes that the store refused because another pod has the session.',
  confirms: 'Questions to the store whether a session is still ours.',
  tombstones: 'Sessions ended (logout).',
  fencedByLogout: 'Answers that left without their session because it was ended meanwhile.',
  unsynced: 'Answers that left without being stored.',
  unsyncedLost: 'Changes made during an outage that the store refused afterwards: lost.',
  tooLarge: 'Sessions over sessions.maxBytes: not stored.',
  lockTimeouts: 'Session files that stayed locked for too long.',
  repairs: 'Session files emptied or lost by a fault, for which the stored copy came back.',
  handoffsIn: 'Sessions that another pod gave up for us.',
  handoffsOut: 'Sessions given up for another pod.',
  handoffsCut: 'Hand-offs that did not wait for the last exchange.',
  writesAfterRelease: 'Exchanges that ended after their session had gone.',
  outsideChanges: 'Sessions changed outside requests (jobs, late ends of scripts) and stored.',
  outsideDeletions: 'Sessions ended outside requests (jobs, clean-up).',
  rescanFinds: 'Changes outside requests that only the scan of the directory found.',
  watchFailures: 'Times at which the session directory could not be watched; the scan goes on.',
  massDeletions: 'Young sessions whose files vanished together; their stored copies come back.',
  unsyncedFull: 'Answers refused because no more sessions can be remembered while the store is down.',
  asyncLost: 'replicate async: changes that the store refused after their answers had left: lost.',
  fileFaults: 'Session files or notes that could not be written or removed.',
  unsealable: 'Stored sessions that did not open with our keys.',
};

/** The keeper's counters and the sizes of what the sidecar holds, for /metrics. */
export function countSidecar(metrics: Metrics, limits: Limits, state: () => SidecarState): void {
  for (const [name, help] of Object.entries(counterHelp)) {
    const key = name as keyof KeeperCounters;
    const snake = name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
    metrics.countRead({ name: `keeper_${snake}_total`, help }, () => state().keeper?.counters[key] ?? 0);
  }
  const sizes = (): Keeper['sizes'] => state().keeper?.sizes ?? { known: 0, unsynced: 0, behind: 0, adopting: 0 };
  metrics.gauge({ name: 'sessions_known', help: 'Sessions this keeper has in memory.' }, () => sizes().known);
  const counts = (): Keeper['counts'] => state().keeper?.counts ?? { owned: 0, active: 0 };
  metrics.gauge({ name: 'sessions_owned', help: "Sessions that are this pod's, in memory." }, () => counts().owned);
  const active = "This pod's sessions that were in use within the last minute.";
  metrics.gauge({ name: 'sessions_active', help: active }, () => counts().active);
  metrics.gauge({ name: 'sessions_unsynced', help: 'Sessions that wait for the store.' }, () => sizes().unsynced);
  const behind = 'Sessions whose answers have left and that are not stored yet (replicate: async).';
  metrics.gauge({ name: 'sessions_behind', help: behind }, () => sizes().behind);
  const exposed = 'Age of the oldest answer that has left and whose session is not stored; 0: none.';
  metrics.gauge({ name: 'sessions_exposed_seconds', help: exposed }, () => state().keeper?.exposedSeconds ?? 0);
  metrics.gauge(
    { name: 'client_connections', help: 'Open client connections.' },
    () => state().proxy?.connections ?? 0,
  );
  metrics.gauge({ name: 'exchanges', help: 'Exchanges in flight.' }, () => state().proxy?.inFlight ?? 0);
  countLimits(metrics, () => [
    { limit: 'connections', use: state().proxy?.connections ?? 0, max: limits.connections },
    { limit: 'perSession', use: state().perSession?.largest ?? 0, max: limits.perSession },
    { limit: 'adopts', use: sizes().adopting, max: limits.adopts },
    { limit: 'unsynced', use: sizes().unsynced, max: limits.unsynced },
  ]);
  countRetries(metrics, () => state().proxy?.retries.refused ?? 0);
  metrics.gauge({ name: 'application_up', help: 'Whether the application accepts connections.' }, () =>
    state().applicationAccepts ? 1 : 0,
  );
}
