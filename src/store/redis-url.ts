/**
 * `store.url` of a single Redis server, read into what its client wants.
 *
 * Must not connect. An error never repeats the URL: it may hold a password.
 */

import { HoldfastError } from '../base/errors.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  readonly secure: boolean;
}

/**
 * Reads `redis://[user][:password]@host[:port][/db]` and `rediss://` (TLS).
 * @throws HoldfastError 'bad-configuration', also for Sentinel and Cluster, which are not built yet.
 */
export function parseRedisUrl(text: string): RedisAddress {
  if (/^redis\+(?:sentinel|cluster):/.test(text)) {
    throw bad('Redis Sentinel and Redis Cluster are not supported yet');
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '') {
    throw bad('it must be memory:, redis://host:port or rediss://host:port');
  }
  if (url.search !== '' || url.hash !== '') throw bad('it takes no query and no fragment');
  const db = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (db === undefined) throw bad('its path must be the number of a database');
  const username = decode(url.username);
  const password = decode(url.password);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    db: Number(db),
    secure: url.protocol === 'rediss:',
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw bad('its user or password has a malformed %-escape');
  }
}

function bad(words: string): HoldfastError {
  return new HoldfastError('bad-configuration', `store.url can not be used: ${words}.`);
}
