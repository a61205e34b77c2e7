/**
 * The entries of `listen`: what each asks of a connection, and what that needs elsewhere.
 *
 * Must not know other keys than those it is given.
 */

import { parseAddress } from '../base/address.ts';
import type { ListenPlace } from '../proxy/listen-place.ts';
import { isPlain } from '../proxy/listen-place.ts';
import { listenEntry } from './listen-schema.ts';
import type { Report } from './problems.ts';
import { notInThisVersion } from './problems.ts';
import type { Keys } from './schema.ts';

/** @returns the places that can be used; undefined where there is none, and then it was reported. */
export function settleListen(
  { listen, trustedProxies, role }: Pick<Keys, 'listen' | 'trustedProxies' | 'role'>,
  report: Report,
): [ListenPlace, ...ListenPlace[]] | undefined {
  const places = listen.map((entry, index) => {
    const path = listen.length === 1 ? 'listen' : `listen[${index}]`;
    const place = readEntry(entry, path, report);
    if (place?.proxyProtocol === true && trustedProxies.length === 0) {
      report(`${path}.proxyProtocol`, 'needs trustedProxies: from all others such connections are closed');
    }
    return place;
  });
  const [first, ...rest] = places.filter((place) => place !== undefined);
  if (first === undefined) return undefined;
  if (role === 'sidecar' && ![first, ...rest].some(isPlain)) {
    report('listen', 'needs a plain entry, without tls and proxyProtocol: gateways and other sidecars connect there');
  }
  return [first, ...rest];
}

function readEntry(entry: Keys['listen'][number], path: string, report: Report): ListenPlace | undefined {
  const address = parseAddress(entry.address);
  if (address === undefined) report(path, `"${entry.address}" is not host:port`);
  const { tls, ...others } = entry as Record<string, unknown>;
  if (tls !== undefined) report(`${path}.tls`, notInThisVersion);
  const read = listenEntry.safeParse(others);
  for (const issue of read.error?.issues ?? []) {
    const at = [path, ...issue.path.map(String)].join('.');
    // Values are not shown: there may be keys among them.
    if (issue.code !== 'unrecognized_keys') report(at, issue.message);
    else for (const name of issue.keys) report(`${at}.${name}`, 'is no key of the configuration');
  }
  if (address === undefined || read.data === undefined) return undefined;
  return read.data.proxyProtocol ? { ...address, proxyProtocol: true } : address;
}
