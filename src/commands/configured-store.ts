/**
 * The store that the configuration names, with what is told about it. Loaded only where there is one: the client of
 * Redis takes twelve megabytes, which a gateway before bare applications has no use for.
 *
 * Must not know roles.
 */

import type { Log } from '../base/log.ts';
import { KeyRing, type Secrets } from '../base/keyring.ts';
import type { Config, StoreConfig } from '../config/config.ts';
import { keyMark } from '../store/key-mark.ts';
import { type OpenedStore, openStore } from '../store/open-store.ts';
import { KeyCheck } from './key-check.ts';
import type { ProcessParts } from './process-parts.ts';

/** A store with its end, which is told to nobody: a store that we close is not down. */
export interface ConfiguredStore extends OpenedStore {
  readonly close: () => Promise<void>;
  /** Whether our keys are those of the sessions there. */
  readonly keys: KeyCheck;
  /** `store.key`: a reload replaces its secrets. */
  readonly ring: KeyRing;
}

/** Opens the configured store. The caller closes it. @throws HoldfastError 'bad-configuration' for its URL. */
export function openConfiguredStore(
  config: Config & { readonly store: StoreConfig & { readonly keys: Secrets; readonly nameKey: Buffer } },
  { log, metrics, clock }: ProcessParts,
): ConfiguredStore {
  const { store, timeouts } = config;
  const ring = new KeyRing(store.keys);
  const opened = openStore({
    url: store.url,
    secrets: ring,
    nameSecret: store.nameKey,
    prefix: store.prefix,
    timeouts,
    clock,
    sentinel: store.sentinel,
    wait: store.wait,
    ...(store.tls === undefined ? {} : { tls: tlsOptions(store.tls) }),
  });
  metrics.gauge({ name: 'store_up', help: 'Whether the store answers.', merge: 'min' }, () =>
    opened.health.state === 'up' ? 1 : 0,
  );
  metrics.countRead(
    { name: 'store_waits_short_total', help: 'Writes that fewer replicas than store.wait.replicas had in time.' },
    () => opened.counters.waitsShort,
  );
  let asked = false;
  const forget = opened.health.onChange((state) => {
    if (state === 'up') {
      log.info({ store: store.shownUrl }, 'the store answers');
      if (!asked) void opened.policies().then((policies) => warnOfEviction(policies, log));
      asked = true;
      return;
    }
    const { kind, message } = opened.health.why ?? {};
    const words = 'the store is down; sessions go on where they are';
    // Nobody waits this out: somebody has to change something.
    if (kind === 'store-misconfigured') log.error({ store: store.shownUrl, why: message }, words);
    else log.warn({ store: store.shownUrl, why: message }, words);
  });
  const { prefix } = store;
  const keys = new KeyCheck({ opened, mark: () => keyMark(store.nameKey, ring.secrets), prefix, log });
  ring.follow(() => keys.again());
  return {
    ...opened,
    keys,
    ring,
    close() {
      forget();
      keys.stop();
      return opened.store.close();
    },
  };
}

/** A server that may not be asked says nothing, and then there is nothing to warn of. */
function warnOfEviction(policies: readonly string[], log: Log): void {
  const evicting = policies.filter((policy) => policy !== 'noeviction');
  if (evicting.length === 0) return;
  log.warn(
    { policies: evicting },
    'Redis throws keys away when it is full, and sessions with them: set maxmemory-policy noeviction',
  );
}

function tlsOptions(tls: NonNullable<StoreConfig['tls']>): {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
} {
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  };
}
