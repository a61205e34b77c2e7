/**
 * What gateway and sidecar have in common before they differ: log, metrics, clock, and the session's names.
 *
 * Must not know roles.
 */

import type { SessionCodec, SessionId } from '../affinity/session-codec.ts';
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
  metrics.gauge({ name: 'store_up', help: 'Whether the store answers.' }, () => (opened.health.state === 'up' ? 1 : 0));
  const forget = opened.health.onChange((state) => {
    if (state === 'up') log.info({ store: store.shownUrl }, 'the store answers');
    else {
      const why = opened.health.why?.message;
      log.warn({ store: store.shownUrl, why }, 'the store is down; sessions go on where they are');
    }
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

/** The session cookie's codec; what it finds out is logged once. */
export function openCodec(config: Config, { log, metrics }: ProcessParts): SessionCodec {
  const { preset } = config.session;
  const notices = metrics.counter({
    name: 'session_cookie_notices_total',
    help: 'What was noticed about the session cookie: its name was found out, or another cookie decodes.',
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
      if (notice.kind === 'cookie-chosen') log.info({ name: notice.cookie }, 'the session cookie was found out');
      else log.warn({ notice: notice.kind }, 'answers bear another session cookie than the configured one');
    },
  });
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
