/**
 * The part of settling that is about sessions and where they are kept: the preset's defaults, the application's
 * keys, the store's URL, and the store's keys in rotation.
 *
 * Must not know roles beyond what settle.ts asks for.
 */

import type { SessionConfig, StoreConfig } from './config.ts';
import { presetDefaults } from './presets.ts';
import type { Report } from './problems.ts';
import { notInThisVersion } from './problems.ts';
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
  if (defaults.available === 'no') report('session.preset', `"${preset}" ${notInThisVersion}`);
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
  const { url, key, prefix, tls } = keys.store;
  const place = readUrl(url, report);
  if (key !== undefined && key.length > 1 && keys.store.nameKey === undefined) {
    report('store.nameKey', 'is needed when store.key is a list: names in the store must not change with the rotation');
  }
  if (tls !== undefined && place?.kind === 'redis' && !url.startsWith('rediss:')) {
    report('store.tls', 'needs a store.url that begins with rediss:');
  }
  const nameKey = keys.store.nameKey ?? key?.[0];
  return place === undefined ? undefined : { ...place, url, keys: key, nameKey, prefix, tls };
}

function readUrl(url: string, report: Report): Pick<StoreConfig, 'kind' | 'shownUrl'> | undefined {
  if (url === 'memory:') return { kind: 'memory', shownUrl: url };
  if (/^redis\+(?:sentinel|cluster):/.test(url)) {
    report('store.url', `${url.slice(0, url.indexOf(':'))} ${notInThisVersion}`);
    return undefined;
  }
  const parsed = URL.parse(url);
  const isRedis = parsed !== null && (parsed.protocol === 'redis:' || parsed.protocol === 'rediss:');
  if (!isRedis || parsed.hostname === '' || !/^(?:\/\d{0,5})?$/.test(parsed.pathname)) {
    report('store.url', 'is none of memory:, redis://HOST:PORT/DB, rediss://HOST:PORT/DB');
    return undefined;
  }
  return { kind: 'redis', shownUrl: `${parsed.protocol}//${parsed.host}${parsed.pathname}` };
}
