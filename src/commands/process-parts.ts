/**
 * What gateway and sidecar have in common before they differ: log, metrics, clock, and the session's names.
 *
 * Must not know roles.
 */

import type { SessionCodec, SessionId } from '../affinity/session-codec.ts';
import type { CookieNotice } from '../affinity/cookie-choice.ts';
import { createSessionCodec } from '../affinity/preset-codec.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { SessionDigest } from '../base/session-digest.ts';
import type { Config, StoreConfig } from '../config/config.ts';
import type { Secrets } from '../base/keyring.ts';
import { keyMark } from '../store/key-mark.ts';
import { type OpenedStore, openStore } from '../store/open-store.ts';
import { KeyCheck } from './key-check.ts';

export interface ProcessParts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** A store with its end, which is told to nobody: a store that we close is not down. */
export interface ConfiguredStore extends OpenedStore {
  readonly close: () => Promise<void>;
  /** Whether our keys are those of the sessions there. */
  readonly keys: KeyCheck;
}

/** Opens the configured store. The caller closes it. @throws HoldfastError 'bad-configuration' for its URL. */
export function openConfiguredStore(
  config: Config & { readonly store: StoreConfig & { readonly keys: Secrets; readonly nameKey: Buffer } },
  { log, metrics, clock }: ProcessParts,
): ConfiguredStore {
  const { store, timeouts } = config;
  const opened = openStore({
    url: store.url,
    secrets: store.keys,
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
  const keys = new KeyCheck({ opened, mark: keyMark(store.nameKey, store.keys), prefix, log });
  return {
    ...opened,
    keys,
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

/** The session cookie's codec; what it finds out is logged once. */
export function openCodec(config: Config, { log, metrics }: ProcessParts): SessionCodec {
  const { preset } = config.session;
  const notices = metrics.counter({
    name: 'session_cookie_notices_total',
    help: 'What was noticed about the session cookie: its name was found out, another cookie decodes, or it does not decode.',
    labels: ['kind'],
  });
  return createSessionCodec({
    preset,
    cookie: config.session.cookie,
    // An APP_KEY is bytes, a secret that signs is text.
    keys: config.session.keys.map((key) =>
      preset === 'laravel' ? `base64:${key.toString('base64')}` : key.toString('utf8'),
    ),
    notice: (notice) => {
      notices.child(notice.kind).value++;
      tellNotice(notice, config.session, log);
    },
  });
}

function tellNotice(notice: CookieNotice, { preset, keys }: Config['session'], log: Log): void {
  switch (notice.kind) {
    case 'cookie-chosen':
      log.info({ name: notice.cookie }, 'the session cookie was found out');
      break;
    case 'cookie-missing':
      log.warn({ notice: notice.kind }, 'answers bear another session cookie than the configured one');
      break;
    case 'cookie-unreadable': {
      const why =
        keys.length === 0
          ? `its value is none of preset ${preset}`
          : `session.keys are not those of the application, or it is none of preset ${preset}`;
      // Nobody waits this out: no session of the application is kept until somebody has changed something.
      log.error(
        { name: notice.cookie, why },
        'the application sets a session cookie that can not be read; its sessions are not kept',
      );
    }
  }
}

/** The keyed digest of a session for logs: the same in all processes that share store.nameKey. */
export function openDigest(config: Config): (session: SessionId) => string {
  const digest = new SessionDigest(config.store.nameKey);
  return (session) => digest.of(session);
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
