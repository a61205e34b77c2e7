/**
 * The part of settling that is about sessions and where they are kept: the preset's defaults, the application's
 * keys, the store's URL, and the store's keys in rotation.
 *
 * Must not know roles beyond what settle.ts asks for.
 */

import type { SessionConfig, StoreConfig } from './config.ts';
import { presetDefaults } from './presets.ts';
import type { Report } from './problems.ts';
import { parseRedisUrl } from '../store/redis-url.ts';
import type { RedisPlace } from '../store/redis-url.ts';
import type { Keys } from './schema.ts';

import { lifetime } from './values.ts';

/** @returns undefined where something was reported. */
export function settleSession(keys: Keys, report: Report): SessionConfig | undefined {
  const { preset, cookie } = keys.session;
  if (preset === undefined) {
    report('session.preset', `is needed: one of ${Object.keys(presetDefaults).join(', ')}`);
    return undefined;
  }
  const defaults = presetDefaults[preset];
  if (preset === 'plain' && cookie === undefined)
    report('session.cookie', 'is needed: preset plain has no name of its own');
  if (defaults.needsKeys && keys.session.keys.length === 0) {
    const keyVariable = preset === 'laravel' ? 'APP_KEY' : 'SESSION_SECRET';
    report(
      'session.keys',
      `is needed, such as [env:${keyVariable}]: preset ${preset} reads the session's id with the application's key`,
    );
  }
  return {
    preset,
    cookie: cookie ?? defaults.cookie,
    keys: keys.session.keys.map((key, index) => applicationKey(key, { preset, index, report })),
    lifetimeMs: keys.session.lifetime ?? lifetime().parse(defaults.lifetime),
  };
}

interface KeyPlace {
  readonly preset: string;
  readonly index: number;
  readonly report: Report;
}

/** Laravel writes APP_KEY as base64; AES-128 takes 16 bytes and AES-256 takes 32. Other keys are taken as text. */
function applicationKey(text: string, { preset, index, report }: KeyPlace): Buffer {
  if (preset !== 'laravel') return Buffer.from(text, 'utf8');
  const key = text.startsWith('base64:') ? Buffer.from(text.slice(7), 'base64') : Buffer.from(text, 'utf8');
  if (key.length !== 16 && key.length !== 32) {
    report(`session.keys[${index}]`, 'is not a Laravel APP_KEY: 16 or 32 bytes, usually written as base64:...');
  }
  return key;
}

/** @returns undefined where something was reported. */
export function settleStore(keys: Keys, report: Report): StoreConfig | undefined {
  const { url, key, prefix, tls, sentinel, wait } = keys.store;
  const place = readUrl(url, report);
  if (key !== undefined && key.length > 1 && keys.store.nameKey === undefined) {
    report('store.nameKey', 'is needed when store.key is a list: names in the store must not change with the rotation');
  }
  if (tls !== undefined && place?.redis?.kind === 'single' && !place.redis.secure) {
    report('store.tls', 'needs a store.url that begins with rediss:');
  }
  if ((tls?.certificate === undefined) !== (tls?.key === undefined)) {
    report('store.tls', 'needs certificate and key together');
  }
  if (sentinel.username !== undefined && sentinel.password === undefined) {
    report('store.sentinel.password', 'is needed beside the username');
  }
  if (wait.replicas > 0 && 2 * wait.timeout > keys.timeouts.storeMs) {
    // A write may come just after a WAIT has begun, and then waits for the end of two.
    report('store.wait.timeout', 'is more than half of timeouts.store, within which every call ends');
  }
  const nameKey = keys.store.nameKey ?? key?.[0];
  if (place === undefined) return undefined;
  return {
    kind: place.kind,
    shownUrl: place.shownUrl,
    url,
    keys: key,
    nameKey,
    prefix,
    tls,
    sentinel,
    wait: wait.replicas === 0 ? undefined : { replicas: wait.replicas, timeoutMs: wait.timeout },
  };
}

interface StorePlace extends Pick<StoreConfig, 'kind' | 'shownUrl'> {
  readonly redis?: RedisPlace;
}

function readUrl(url: string, report: Report): StorePlace | undefined {
  if (url === 'memory:') return { kind: 'memory', shownUrl: url };
  try {
    const redis = parseRedisUrl(url);
    return { kind: 'redis', shownUrl: redis.shown, redis };
  } catch {
    report(
      'store.url',
      'is none of memory:, redis://HOST:PORT/DB, redis+sentinel://H1,H2/MASTER/DB, redis+cluster://H1,H2 (rediss for TLS)',
    );
    return undefined;
  }
}
