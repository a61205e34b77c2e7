/**
 * `store.url` of Redis in its three shapes, read into what its clients want: one server, a primary that sentinels
 * know, or a cluster.
 *
 * Must not connect. An error never repeats the URL: it may hold a password.
 */

import { formatAddress, parseAddress } from '../base/address.ts';
import type { Address } from '../base/address.ts';
import { HoldfastError } from '../base/errors.ts';

/** One or more; the order is the order of asking. */
export type Addresses = readonly [Address, ...Address[]];

interface Access {
  readonly username?: string;
  readonly password?: string;
  readonly secure: boolean;
  /** The URL without user and password. */
  readonly shown: string;
}

export type RedisPlace = Access &
  (
    | { readonly kind: 'single'; readonly address: Address; readonly db: number }
    /** `user` and `password` are the data servers'; the sentinels' are a key of their own (store.sentinel). */
    | { readonly kind: 'sentinel'; readonly sentinels: Addresses; readonly master: string; readonly db: number }
    | { readonly kind: 'cluster'; readonly seeds: Addresses }
  );

/** Hosts in one URL: first contacts, not a list of all that there are. */
const hostsMax = 64;

const shape = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^/@]*)@)?([^/?#@]*)((?:\/[^?#]*)?)([?#].*)?$/;

/**
 * Reads `redis://[user][:password]@host[:port][/db]`, `redis+sentinel://...@h1[:port],h2/MASTER[/db]` and
 * `redis+cluster://...@h1[:port],h2`; each begins with `rediss` for TLS.
 * @throws HoldfastError 'bad-configuration'.
 */
export function parseRedisUrl(text: string): RedisPlace {
  const match = shape.exec(text);
  if (match === null) {
    throw bad(
      'it must be memory:, redis://HOST:PORT/DB, redis+sentinel://H1,H2/MASTER/DB or redis+cluster://H1,H2 (rediss for TLS)',
    );
  }
  const [, scheme = '', kind = 'single', user = '', hosts = '', path = '', rest] = match;
  if (rest !== undefined) throw bad('it takes no query and no fragment');
  const addresses = readHosts(hosts, kind === 'sentinel' ? 26_379 : 6379);
  const access: Access = {
    ...readUser(user),
    secure: scheme === 'rediss',
    shown: `${scheme}${kind === 'single' ? '' : `+${kind}`}://${hosts}${path}`,
  };
  if (kind === 'cluster') {
    if (!/^\/?0?$/.test(path)) throw bad('a cluster has only the database 0');
    return { ...access, kind, seeds: addresses };
  }
  if (kind === 'sentinel') {
    const found = /^\/([A-Za-z0-9._-]{1,128})(?:\/(\d{0,5}))?$/.exec(path);
    if (found === null) throw bad("after the sentinels comes the primary's name: redis+sentinel://H1,H2/MASTER/DB");
    return { ...access, kind, sentinels: addresses, master: found[1]!, db: Number(found[2] ?? 0) };
  }
  const db = /^\/?(\d{0,5})$/.exec(path)?.[1];
  if (db === undefined) throw bad('its path must be the number of a database');
  if (addresses.length > 1) throw bad('several hosts are for redis+sentinel: and redis+cluster:');
  return { ...access, kind: 'single', address: addresses[0], db: Number(db) };
}

function readHosts(text: string, port: number): Addresses {
  const addresses = text.split(',', hostsMax + 1).map((host) => {
    const address = parseAddress(host) ?? parseAddress(`${host}:${port}`);
    // A canonical text is checked by the same grammar that a connection's host has to pass.
    if (address === undefined || !URL.canParse(`redis://${formatAddress(address)}`)) {
      throw bad('a host is none of HOST, HOST:PORT, [V6], [V6]:PORT');
    }
    return address;
  });
  const [first, ...others] = addresses;
  if (first === undefined || others.length >= hostsMax) throw bad(`it takes up to ${hostsMax} hosts`);
  return [first, ...others];
}

function readUser(text: string): { readonly username?: string; readonly password?: string } {
  const colon = text.indexOf(':');
  const username = decode(colon < 0 ? text : text.slice(0, colon));
  const password = decode(colon < 0 ? '' : text.slice(colon + 1));
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
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
